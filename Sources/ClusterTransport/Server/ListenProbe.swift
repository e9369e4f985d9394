internal import NIOCore
internal import NIOPosix

/// An address that cannot be listened on.
package struct ListenFailure: Error, CustomStringConvertible {
    package let host: String
    package let port: Int
    let reason: String

    package var description: String {
        let address = host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)"
        return "\(address) cannot be listened on: \(reason)"
    }
}

/// Whether addresses can be listened on, asked ahead of something that is not to be done in vain.
package enum ListenProbe {
    /// Listens on all of them at once, so that two that are in each other's way are found, and stops again.
    package static func check(_ addresses: [(host: String, port: Int)]) async throws(ListenFailure) {
        var listeners: [any Channel] = []
        var failure: ListenFailure?
        for (host, port) in addresses where failure == nil {
            do {
                listeners.append(try await listen(host, port))
            } catch {
                failure = ListenFailure(host: host, port: port, reason: "\(error)")
            }
        }
        // It fails no one when closing fails: the socket is gone all the same.
        for listener in listeners { try? await listener.close().get() }
        if let failure { throw failure }
    }

    /// Nothing that connects meanwhile is taken: it is turned away by the end of the listening.
    private static func listen(_ host: String, _ port: Int) async throws -> any Channel {
        try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .serverChannelOption(.autoRead, value: false)
            .bind(host: host, port: port)
            .get()
    }
}
