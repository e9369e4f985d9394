import ClusterTransport
import NIOCore
import NIOPosix
import Testing

@Suite struct ListenProbeTests {
    private static let host = "127.0.0.1"

    private static func listener() async throws -> (any Channel, port: Int) {
        let listener = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .bind(host: host, port: 0).get()
        return (listener, try #require(listener.localAddress?.port))
    }

    private static func isFree(_ port: Int) async -> Bool {
        (try? await ListenProbe.holding(host: host, port: port) {}) != nil
    }

    @Test func aPortIsFreeOnlyWhileNobodyListens() async throws {
        let (listener, port) = try await Self.listener()
        #expect(await !Self.isFree(port))
        try await listener.close().get()
        for _ in 0..<2 { #expect(await Self.isFree(port)) }
    }

    @Test func itIsHeldAsLongAsTheBodyRunsHoweverThatEnds() async throws {
        struct Failure: Error {}
        let (listener, port) = try await Self.listener()
        try await listener.close().get()
        await #expect(throws: Failure.self) {
            try await ListenProbe.holding(host: Self.host, port: port) {
                #expect(await !Self.isFree(port))
                throw Failure()
            }
        }
        #expect(await Self.isFree(port))
    }
}
