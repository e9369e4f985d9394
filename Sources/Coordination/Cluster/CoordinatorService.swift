package import ClusterProtocol
internal import Metadata
package import ObjectModel
import Synchronization
package import SystemInterface

/// Who calls, as the connection proved it.
package enum ClusterCaller: Hashable, Sendable {
    case node(NodeName)
    case coordinator
    /// Has no certificate yet.
    case stranger
}

/// Told what a node asked for that is not its to ask: it was broken into, or runs another version.
package typealias RefusalReport = @Sendable (_ caller: NodeName, _ what: String) -> Void

/// Answers the calls to the coordinator: of nodes their beats and metadata operations, of strangers only a join.
package final class CoordinatorService: Sendable {
    /// Gives a node its certificate: after a join with a valid token (`secret`), or in place of one that runs out
    /// (nil).
    package typealias Certifier =
        @Sendable (_ name: NodeName, _ publicKey: String, _ secret: [UInt8]?) async throws -> NodeCertificate

    private let membership: Membership
    private let certify: Certifier
    private let onRefusal: RefusalReport
    private let metadata = Mutex<MetadataService?>(nil)

    /// `onRefusal`: for the log.
    package init(
        membership: Membership,
        onRefusal: @escaping RefusalReport = { _, _ in },
        certify: @escaping Certifier
    ) {
        self.membership = membership
        self.onRefusal = onRefusal
        self.certify = certify
    }

    /// The store that runs from here on; its metadata answers only while J keepers confirm its incarnation.
    package func attach(_ store: Store) {
        let journal = store.journal
        let service = MetadataService(metadata: store.metadata, onRefusal: onRefusal) { journal.isConfirmed }
        metadata.withLock { $0 = service }
        membership.attach(store)
    }

    /// The store has stopped: nodes are told to wait.
    package func detach() {
        metadata.withLock { $0 = nil }
        membership.detach()
    }

    package func answer(_ message: TransportMessage, from caller: ClusterCaller) async -> TransportMessage {
        if CoordinatorMessageKind.kind(of: message.header) == CoordinatorMessageKind.call {
            return TransportMessage(header: await answer(message.header, from: caller).encoded)
        }
        guard case .node(let name) = caller else {
            return TransportMessage(header: CoordinatorResponse.refused("only nodes may call this").encoded)
        }
        if let service = metadata.withLock({ $0 }), let answer = await service.answer(message.header, from: name) {
            return TransportMessage(header: answer)
        }
        return TransportMessage(header: MetadataService.unavailable("The coordinator has not started yet: try again."))
    }

    private func answer(_ header: [UInt8], from caller: ClusterCaller) async -> CoordinatorResponse {
        let call: CoordinatorCall
        do {
            call = try CoordinatorCall(decoding: header)
        } catch {
            return .refused(error.description)
        }
        switch (call, caller) {
        case (.join(let request), _):
            return await certificate(for: request.name, request.publicKey, request.secret)
        case (.renew(let key), .node(let name)): return await certificate(for: name, key, nil)
        case (.beat(let beat), .node(let name)): return .state(await membership.answer(beat, from: name))
        default: return .refused("this call needs a node's certificate")
        }
    }

    private func certificate(for name: NodeName, _ key: String, _ secret: [UInt8]?) async -> CoordinatorResponse {
        do {
            return .joined(try await certify(name, key, secret))
        } catch {
            return .refused("\(error)")
        }
    }
}
