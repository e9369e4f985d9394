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
    let logger: Logger

    /// `secret`: of a join; nil renews the certificate of a member, which its connection proved to be `name`.
    func certify(_ name: NodeName, _ key: String, _ secret: [UInt8]?) async throws -> NodeCertificate {
        let certificate =
            if let secret { try await join(name, key, secret) } else { try issue(name, key) }
        return NodeCertificate(
            cluster: cluster,
            certificate: certificate,
            authority: authority.certificatePEM
        )
    }

    private func issue(_ name: NodeName, _ key: String) throws -> String {
        try authority.issue(name: name.name, role: .node, publicKeyPEM: key, now: LinuxTime().wall)
    }

    private func join(_ name: NodeName, _ key: String, _ secret: [UInt8]) async throws -> String {
        let shown =
            JoinBook.isPlaceName(name.name) ? name.name : String(reflecting: String(name.name.prefix(Self.shownName)))
        do {
            let certificate = try await tokens.admit(
                name.name,
                secret: secret,
                members: Set(membership.members.map(\.name)),
                present: Set(membership.present().map(\.name.name))
            ) { try issue(name, key) }
            membership.expect(name)
            logger.notice("a node has joined", metadata: ["node": "\(shown)"])
            return certificate
        } catch {
            logger.warning("a join was refused", metadata: ["node": "\(shown)", "reason": "\(error)"])
            throw error
        }
    }
}
