import ClusterTransport
import NIOCore
import NIOPosix
import Testing

@Suite struct ListenProbeTests {
    @Test func aPortInUseIsNamedAndAFreeOneIsFreeAfterwards() async throws {
        let host = "127.0.0.1"
        let listener = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .bind(host: host, port: 0).get()
        let port = try #require(listener.localAddress?.port)
        let failure = await #expect(throws: ListenFailure.self) {
            try await ListenProbe.check([(host: host, port: 0), (host: host, port: port)])
        }
        #expect(failure?.port == port)
        #expect(failure?.description.hasPrefix("\(host):\(port) ") == true)
        try await listener.close().get()
        for _ in 0..<2 { try await ListenProbe.check([(host: host, port: port)]) }
    }

    @Test func twoAddressesInEachOthersWayAreFound() async throws {
        let host = "127.0.0.1"
        let listener = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .bind(host: host, port: 0).get()
        let port = try #require(listener.localAddress?.port)
        try await listener.close().get()
        await #expect(throws: ListenFailure.self) {
            try await ListenProbe.check([(host: host, port: port), (host: host, port: port)])
        }
    }

    @Test func aServerNamesTheAddressThatItCannotHave() async throws {
        let fixture = try Fixture()
        try await fixture.withServer { port, _ in
            let other = try ClusterServer(
                identity: fixture.identity("node-3"),
                host: "127.0.0.1",
                port: port,
                acceptsStrangers: false,
                time: fixture.time,
                logger: Fixture.logger,
                service: Echo()
            )
            let failure = await #expect(throws: ListenFailure.self) { try await other.run() }
            #expect(failure?.port == port)
        }
    }
}
