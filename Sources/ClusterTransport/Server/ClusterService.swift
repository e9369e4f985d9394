package import SystemInterface

/// What answers the calls to a `ClusterServer`.
package protocol ClusterService: Sendable {
    /// Answers one call; runs on a task of its own, which is cancelled when the caller gives up or its connection is
    /// gone. `peer` is nil for a client without a certificate: whatever it asks, only joining may be answered.
    /// `address`: where the connection comes from, for the log.
    func answer(
        _ message: TransportMessage,
        from peer: ClusterPeer?,
        at address: String
    ) async -> TransportMessage
}
