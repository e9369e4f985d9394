package import SystemInterface

/// Calls to this node's own disks stay in the process.
package struct NearestTransport: Transport {
    private let own: String
    private let local: any Transport
    private let remote: any Transport

    /// `own`: this node's name.
    package init(own: String, local: any Transport, remote: any Transport) {
        self.own = own
        self.local = local
        self.remote = remote
    }

    package func call(
        _ node: String,
        _ message: TransportMessage,
        timeout: Duration
    ) async throws(TransportError) -> TransportMessage {
        try await (node == own ? local : remote).call(node, message, timeout: timeout)
    }
}
