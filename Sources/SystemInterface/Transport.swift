/// Calls between the parts of a cluster: an encoded header and buffers that ride along by reference.
///
/// Inside one process nothing is copied; between machines the same message crosses an authenticated connection. A call
/// that throws `.unknownOutcome` may have been carried out.
package protocol Transport: Sendable {
    /// Calls the node. Throws after `timeout` at the latest.
    func call(_ node: String, _ message: TransportMessage, timeout: Duration)
        async throws(TransportError) -> TransportMessage
}

/// What answers the calls to one node.
package protocol TransportService: Sendable {
    func answer(_ message: TransportMessage) async -> TransportMessage
}

/// An encoded header (`ClusterProtocol`) and the bulk bytes that belong to it.
package struct TransportMessage: Sendable {
    package var header: [UInt8]
    package var buffers: [BufferSlice]

    package init(header: [UInt8], buffers: [BufferSlice] = []) {
        self.header = header
        self.buffers = buffers
    }
}

/// A call that brought no answer.
package enum TransportError: Error, Hashable, Sendable {
    /// No such node, or it could not be reached: the call was not carried out.
    case unreachable(node: String)
    /// The call may or may not have been carried out.
    case unknownOutcome(node: String)
}
