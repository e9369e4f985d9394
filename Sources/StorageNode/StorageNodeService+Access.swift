internal import ClusterProtocol
internal import DiskFormat
package import ObjectModel
package import SystemInterface

/// Who asks a node for something.
package enum ShardCaller: Hashable, Sendable {
    /// The coordinator, or this very process.
    case trusted
    /// The gateway of another node.
    case gateway(NodeName)
}

/// Which node holds which write lease.
package protocol LeaseDirectory: Sendable {
    /// As far as is known here now; nil for a lease that has ended, or is not known yet.
    func knownHolder(of lease: WriteLease) -> NodeName?

    /// The same, and the coordinator is asked where the lease is not known; nil also when it does not answer.
    func holder(of lease: WriteLease) async -> NodeName?
}

/// What another node's gateway asked for and may not have.
private struct ShardRefusal: Error {
    var reason: String
    /// What the caller is told.
    var failure: ShardFailure { isSuspicious ? .invalid(reason) : .leaseEnded }
    /// No gateway of this version asks so: the node was broken into, or runs another version.
    var isSuspicious: Bool
}

extension StorageNodeService {
    /// Answers another node's gateway: reads are open to every member; it writes and erases blobs of its own write
    /// leases only, while they last; all else is the coordinator's.
    ///
    /// Under a lease that has ended it is told so, and begins a new one. What else is refused is answered with
    /// `.invalid`, and told to `onRefusal`: no honest gateway asks for it.
    package func answer(
        _ message: TransportMessage,
        fromGateway name: NodeName,
        leases: any LeaseDirectory,
        onRefusal: (String) -> Void
    ) async -> TransportMessage {
        guard let request = try? ShardRequest(encoded: message.header) else {
            onRefusal("it sent a message that only the coordinator may send, or of another version")
            return Self.failure(.invalid("this call is the coordinator's alone"))
        }
        do throws(ShardRefusal) {
            try await check(request, fromGateway: name, leases: leases)
        } catch {
            if error.isSuspicious { onRefusal(error.reason) }
            return Self.failure(error.failure)
        }
        return await answer(request, from: .gateway(name), buffers: message.buffers)
    }

    private static func failure(_ failure: ShardFailure) -> TransportMessage {
        TransportMessage(header: ShardResponse.failure(failure).encoded())
    }

    private func check(
        _ request: ShardRequest,
        fromGateway name: NodeName,
        leases: any LeaseDirectory
    ) async throws(ShardRefusal) {
        switch request {
        case .read, .describe, .verify: break
        // Their handle is one that this caller was given.
        case .append, .seal, .abort: break
        case .write(_, let header, _, _), .begin(_, let header):
            let lease = header.shard.blob.writeLease
            try Self.check(lease, is: name, holder: await leases.holder(of: lease))
        case .erase(_, let shards):
            // Nobody is asked: who wrote here was known when it did. What an ended lease has left is the orphan
            // collector's.
            for lease in Set(shards.map(\.blob.writeLease)) {
                try Self.check(lease, is: name, holder: leases.knownHolder(of: lease))
            }
        case .rewrite, .eraseRecord, .inventory, .status:
            throw ShardRefusal(reason: "a call for the coordinator alone came from a node", isSuspicious: true)
        }
    }

    private static func check(
        _ lease: WriteLease,
        is name: NodeName,
        holder: NodeName?
    ) throws(ShardRefusal) {
        guard let holder else {
            throw ShardRefusal(reason: "write lease \(lease) has ended, or is not known here", isSuspicious: false)
        }
        guard holder == name else {
            throw ShardRefusal(
                reason: "write lease \(lease) is node \(holder)'s, and node \(name) works under it",
                isSuspicious: true
            )
        }
    }
}
