import ClusterProtocol
import ClusterTransport
import Coordination
import Foundation
import LinuxSystem
import ObjectModel
import SystemInterface

/// A node's certificate: asked for with a token, kept in the data folder, renewed in time.
///
///     DIR/node.key          the node's own key, which never leaves the machine (mode 0600)
///     DIR/node.pem          its certificate
///     DIR/authority.pem     the cluster's authority
///     DIR/dismissed         the certificate of which the coordinator said that it counts no more
struct NodeMembership: Sendable {
    /// How long joining may take.
    private static let timeout = Duration.seconds(20)

    let files: LinuxFileSystem

    /// The identity kept here; nil before the node has joined.
    func identity() throws -> ClusterIdentity? {
        guard let certificate = try DataFolder.read(files.root + "/node.pem"),
            let key = try DataFolder.read(files.root + "/node.key"),
            let authority = try DataFolder.read(files.root + "/authority.pem")
        else { return nil }
        return try ClusterIdentity(certificatePEM: certificate, keyPEM: key, authorityPEM: authority)
    }

    /// Whether the coordinator has said that the identity counts no more. A start without a token asks again.
    func isDismissed(_ identity: ClusterIdentity) throws -> Bool {
        try DataFolder.read(files.root + "/dismissed") == identity.certificatePEM
    }

    func noteDismissed() async throws {
        guard let certificate = try DataFolder.read(files.root + "/node.pem") else { return }
        try await DataFolder.writeSecret(certificate, name: "dismissed", in: files)
    }

    func join(_ settings: NodeSettings, token text: String) async throws -> ClusterIdentity {
        let token: JoinToken
        do { token = try JoinToken(parsing: text) } catch { throw ServeError("--token: this is no join token") }
        let coordinator = try ListenAddress(settings.coordinator, option: "--join")
        let key = ClusterAuthority.makeKey()
        let request = JoinRequest(
            secret: token.secret,
            name: NodeName(settings.name),
            site: SiteName(settings.site),
            publicKey: key.publicPEM
        )
        let answer: TransportMessage
        do {
            answer = try await Joining.call(
                host: coordinator.host,
                port: coordinator.port,
                fingerprint: token.fingerprint,
                message: TransportMessage(header: CoordinatorCall.join(request).encoded),
                timeout: Self.timeout,
                time: LinuxTime()
            )
        } catch {
            throw ServeError("the coordinator at \(settings.coordinator) cannot be joined: \(error)")
        }
        return try await keep(answer, key: key.privatePEM)
    }

    /// A new certificate over the connection that the old one proves.
    func renew(_ client: ClusterClient) async throws -> ClusterIdentity {
        let key = ClusterAuthority.makeKey()
        let answer = try await client.call(
            CoordinatorName.name,
            TransportMessage(header: CoordinatorCall.renew(publicKey: key.publicPEM).encoded),
            timeout: Self.timeout
        )
        return try await keep(answer, key: key.privatePEM)
    }

    private func keep(_ answer: TransportMessage, key: String) async throws -> ClusterIdentity {
        switch try CoordinatorResponse(decoding: answer.header) {
        case .joined(let member):
            let identity = try ClusterIdentity(
                certificatePEM: member.certificate,
                keyPEM: key,
                authorityPEM: member.authority
            )
            // The certificate comes last: the node has joined when it is there.
            try await DataFolder.writeSecret(key, name: "node.key", in: files)
            try await DataFolder.writeSecret(member.authority, name: "authority.pem", in: files)
            try await DataFolder.writeSecret(member.certificate, name: "node.pem", in: files)
            return identity
        case .refused(let reason): throw ServeError("the coordinator refuses: \(reason)")
        case .state, .certificates, .dismissed:
            throw ServeError("the coordinator answered with another message: use the same version of cairn")
        }
    }
}
