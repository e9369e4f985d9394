internal import NIOCore
internal import NIOPosix

/// Whether an address can be listened on, asked ahead of something that is not to be done in vain.
package enum ListenProbe {
    /// Listens while `body` runs, and no longer; throws, as a server would, when that cannot be.
    package static func holding(host: String, port: Int, _ body: () async throws -> Void) async throws {
        let listener = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            // What connects meanwhile is not taken: the end of the listening turns it away.
            .serverChannelOption(.autoRead, value: false)
            .bind(host: host, port: port)
            .get()
        let outcome: Result<Void, any Error>
        do { outcome = .success(try await body()) } catch { outcome = .failure(error) }
        // It fails no one when closing fails: the socket is gone all the same.
        try? await listener.close().get()
        try outcome.get()
    }
}
