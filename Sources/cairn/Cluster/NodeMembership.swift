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
///     DIR/node.key.next     the key of a certificate that is about to be kept (mode 0600)
///     DIR/node.pem          its certificate
///     DIR/authority.pem     the cluster's authority
///     DIR/dismissed         the certificate of which the coordinator said that it counts no more
struct NodeMembership: Sendable {
    /// How long joining may take.
    private static let timeout = Duration.seconds(20)

    let files: LinuxFileSystem

    private static let certificateFile = "node.pem"
    private static let keyFile = "node.key"
    private static let nextKeyFile = "node.key.next"
    private static let authorityFile = "authority.pem"

    /// The identity kept here; nil before the node has joined. Throws `IdentityDamage` where what is kept is none.
    func identity() throws -> ClusterIdentity? {
        guard let certificate = try read(Self.certificateFile) else { return nil }
        guard let authority = try read(Self.authorityFile) else { throw missing(Self.authorityFile) }
        // A new certificate may have been kept and its key not have its name yet.
        if let next = try? identity(certificate, key: read(Self.nextKeyFile), authority) { return next }
        guard let identity = try identity(certificate, key: read(Self.keyFile), authority) else {
            throw missing(Self.keyFile)
        }
        return identity
    }

    /// Gives the key of the certificate its name where a crash came in between; to be called at each start.
    func finishKeeping() async throws {
        guard let identity = try identity(), try read(Self.nextKeyFile) == identity.keyPEM else { return }
        try await nameKey()
    }

    /// Nil without a key.
    private func identity(_ certificate: String, key: String?, _ authority: String) throws -> ClusterIdentity? {
        guard let key else { return nil }
        do throws(AuthorityError) {
            return try ClusterIdentity(certificatePEM: certificate, keyPEM: key, authorityPEM: authority)
        } catch {
            throw damage(error)
        }
    }

    private func read(_ name: String) throws -> String? {
        do { return try DataFolder.read(path(name)) } catch { throw damaged(name) }
    }

    private func path(_ name: String) -> String { files.root + "/" + name }

    private func missing(_ name: String) -> IdentityDamage {
        IdentityDamage(description: "\(path(name)) is not there, and \(path(Self.certificateFile)) is")
    }

    private func damaged(_ name: String) -> IdentityDamage {
        IdentityDamage(description: "\(path(name)) cannot be read, or is damaged")
    }

    private func damage(_ error: AuthorityError) -> IdentityDamage {
        switch error {
        case .malformed(what: "authority"): damaged(Self.authorityFile)
        case .malformed(what: "key"): damaged(Self.keyFile)
        case .keyMismatch:
            IdentityDamage(description: "\(path(Self.keyFile)) does not belong to \(path(Self.certificateFile))")
        case .foreign:
            IdentityDamage(
                description: "\(path(Self.certificateFile)) is damaged, or not of the cluster of "
                    + path(Self.authorityFile)
            )
        case .malformed, .invalidName, .expired: damaged(Self.certificateFile)
        }
    }

    /// Whether the coordinator has said that the identity counts no more. A start without a token asks again.
    func isDismissed(_ identity: ClusterIdentity) throws -> Bool {
        try DataFolder.read(path("dismissed")) == identity.certificatePEM
    }

    func noteDismissed() async throws {
        guard let certificate = try DataFolder.read(path(Self.certificateFile)) else { return }
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
            // The node has joined when the certificate is there. Until then the old one keeps its key, and from then
            // on the new one has its own, whatever name that has.
            try await DataFolder.writeSecret(key, name: Self.nextKeyFile, in: files)
            try await DataFolder.writeSecret(member.authority, name: Self.authorityFile, in: files)
            try await DataFolder.writeSecret(member.certificate, name: Self.certificateFile, in: files)
            try await nameKey()
            return identity
        case .refused(let reason): throw ServeError("the coordinator refuses: \(reason)")
        case .state, .certificates, .dismissed:
            throw ServeError("the coordinator answered with another message: use the same version of cairn")
        }
    }

    private func nameKey() async throws {
        try await files.rename(Self.nextKeyFile, to: Self.keyFile)
        try await files.syncDirectory(".")
    }
}

/// What a node's folder holds proves nothing; the description names the file.
struct IdentityDamage: Error, CustomStringConvertible {
    let description: String
}
