package import ClusterProtocol
internal import Metadata
package import ObjectModel
import Synchronization
package import SystemInterface

/// Who calls, as the connection proved it.
package enum ClusterCaller: Hashable, Sendable {
    /// `generation`: of its certificate; `address`: where it calls from, for the log.
    case node(NodeName, generation: UInt32 = 0, address: String = "")
    case coordinator
    /// Has no certificate yet.
    case stranger(address: String = "")

    var address: String {
        switch self {
        case .node(_, _, let address), .stranger(let address): address
        case .coordinator: ""
        }
    }

    /// Of the address, without the port, which is another one for each connection.
    var host: String { address.lastIndex(of: ":").map { String(address[..<$0]) } ?? address }
}

/// Told what a node asked for that is not its to ask: it was broken into, or runs another version.
package typealias RefusalReport = @Sendable (_ caller: NodeName, _ what: String) -> Void

/// Told of a call with a certificate that counts no more: of a machine that was removed or replaced, and runs again.
package typealias DismissalReport = @Sendable (_ caller: NodeName, _ address: String) -> Void

/// Who asks for a certificate, and by what right.
package enum CertificateRequest: Sendable {
    /// By a token; from that address, for the log.
    case join(JoinRequest, address: String)
    /// By a certificate of that generation, which counts.
    case renew(NodeName, generation: UInt32, publicKey: String)
}

/// Answers the calls to the coordinator: of nodes their beats and metadata operations, of strangers only a join.
package final class CoordinatorService: Sendable {
    /// Gives a node its certificate: after a join with a valid token, or in place of one that runs out.
    package typealias Certifier = @Sendable (CertificateRequest) async throws -> NodeCertificate

    private let membership: Membership
    private let certify: Certifier
    private let onRefusal: RefusalReport
    private let onDismissal: DismissalReport
    private let metadata = Mutex<MetadataService?>(nil)

    /// `onRefusal` and `onDismissal`: for the log.
    package init(
        membership: Membership,
        onRefusal: @escaping RefusalReport = { _, _ in },
        onDismissal: @escaping DismissalReport = { _, _ in },
        certify: @escaping Certifier
    ) {
        self.membership = membership
        self.onRefusal = onRefusal
        self.onDismissal = onDismissal
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
        let isDismissed = isDismissed(caller)
        if CoordinatorMessageKind.kind(of: message.header) == CoordinatorMessageKind.call {
            return TransportMessage(header: await answer(message.header, from: caller, isDismissed).encoded)
        }
        guard case .node(let name, _, _) = caller else {
            return TransportMessage(header: CoordinatorResponse.refused("only nodes may call this").encoded)
        }
        guard !isDismissed else { return TransportMessage(header: MetadataService.unavailable(Self.dismissal)) }
        if let service = metadata.withLock({ $0 }), let answer = await service.answer(message.header, from: name) {
            return TransportMessage(header: answer)
        }
        return TransportMessage(header: MetadataService.unavailable("The coordinator has not started yet: try again."))
    }

    private static let dismissal =
        "this node was removed from the cluster, or another machine has taken its place: its certificate counts no more"

    private func isDismissed(_ caller: ClusterCaller) -> Bool {
        guard case .node(let name, let generation, let address) = caller,
            !membership.counts(name, generation: generation)
        else { return false }
        onDismissal(name, address)
        return true
    }

    private func answer(
        _ header: [UInt8],
        from caller: ClusterCaller,
        _ isDismissed: Bool
    ) async -> CoordinatorResponse {
        let call: CoordinatorCall
        do {
            call = try CoordinatorCall(decoding: header)
        } catch {
            return .refused(error.description)
        }
        switch (call, caller) {
        case (.join(let request), _): return await certificate(.join(request, address: caller.address))
        case (.beat, .node) where isDismissed: return .dismissed(Self.dismissal)
        case (_, .node) where isDismissed: return .refused(Self.dismissal)
        case (.renew(let key), .node(let name, let generation, _)):
            return await certificate(.renew(name, generation: generation, publicKey: key))
        case (.beat(let beat), .node(let name, _, _)):
            return .state(await membership.answer(beat, from: name, at: caller.host))
        case (.certificates, .node): return .certificates(membership.certificateFloors)
        default: return .refused("this call needs a node's certificate")
        }
    }

    private func certificate(_ request: CertificateRequest) async -> CoordinatorResponse {
        do {
            return .joined(try await certify(request))
        } catch {
            return .refused("\(error)")
        }
    }
}
