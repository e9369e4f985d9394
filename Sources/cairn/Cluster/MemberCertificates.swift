import ClusterProtocol
import ClusterTransport
import Coordination
import LinuxSystem
import Logging
import ObjectModel
import SystemInterface

/// Gives nodes their certificates: decides on joins and renewals, and writes them to the log.
struct MemberCertificates: Sendable {
    /// Of a name that a stranger gave, in the log.
    private static let shownName = 64

    let cluster: ClusterID
    let authority: ClusterAuthority
    let tokens: JoinTokens
    let membership: Membership
    let store: ClusterFiles
    let logger: Logger
    /// Of joins that are refused.
    private let turns = LogTurns<StrangerTrouble>(time: LinuxTime())

    func certify(_ request: CertificateRequest) async throws -> NodeCertificate {
        let certificate =
            switch request {
            case .join(let request, let address): try await join(request, from: address)
            case .renew(let name, let generation, let key): try issue(name, generation, key)
            }
        return NodeCertificate(
            cluster: cluster,
            certificate: certificate,
            authority: authority.certificatePEM
        )
    }

    private func issue(_ name: NodeName, _ generation: UInt32, _ key: String) throws -> String {
        try authority.issue(
            name: name.name,
            role: .node,
            generation: generation,
            publicKeyPEM: key,
            now: LinuxTime().wall
        )
    }

    private func known(of name: NodeName) -> JoinBook.Known {
        JoinBook.Known(
            isMember: membership.members.contains(name),
            isPresent: membership.present().contains { $0.name == name },
            shown: membership.floor(of: name),
            // Before the cluster is formed there are no disks.
            site: store.has(.formed) ? membership.site(of: name)?.name : nil
        )
    }

    private func join(_ request: JoinRequest, from address: String) async throws -> String {
        let name = request.name
        let shown =
            JoinBook.isPlaceName(name.name) ? name.name : String(reflecting: String(name.name.prefix(Self.shownName)))
        do {
            let joined = try await tokens.admit(
                name.name,
                in: request.site.name,
                secret: request.secret,
                known(of: name)
            ) { try issue(name, $0, request.publicKey) }
            membership.endCertificates(of: name, before: joined.generation)
            membership.expect(name)
            logger.notice("a node has joined", metadata: ["node": "\(shown)", "address": "\(address)"])
            return joined.certificate
        } catch {
            if let others = turns.take(StrangerTrouble(address: address, reason: "\(error)")) {
                logger.warning(
                    "a join was refused",
                    metadata: [
                        "node": "\(shown)", "address": "\(address)", "reason": "\(error)",
                        "unreported before": "\(others)",
                    ]
                )
            }
            throw error
        }
    }
}
