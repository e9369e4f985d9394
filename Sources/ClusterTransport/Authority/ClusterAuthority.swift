internal import Crypto
internal import Foundation
internal import SwiftASN1
package import SystemInterface
internal import X509

/// The cluster's own certificate authority: it signs the certificate of every member, and nothing outside the cluster
/// knows it. ECDSA on P-256 throughout. Whoever holds `keyPEM` can admit members; only the coordinator does.
package struct ClusterAuthority: Sendable {
    /// How long the authority's own certificate is valid: 20 years.
    package static let validity = Duration.seconds(20 * 365 * 86_400)
    /// How long a member's certificate is valid: 90 days.
    package static let memberValidity = Duration.seconds(90 * 86_400)
    /// How far back validity starts, for members whose clocks are behind: 1 hour.
    package static let backdating = Duration.seconds(3_600)

    package let cluster: String
    package let certificatePEM: String
    /// Secret.
    package let keyPEM: String
    /// SHA-256 of the certificate (DER), 32 bytes: what a join token names the cluster by.
    package let fingerprint: [UInt8]

    private let certificate: Certificate
    private let key: Certificate.PrivateKey

    /// The authority kept under these PEM texts. Throws when they are not a self-signed authority and its key.
    package init(certificatePEM: String, keyPEM: String) throws(AuthorityError) {
        let certificate = try CertificateReading.parse(pem: certificatePEM)
        try CertificateReading.checkAuthority(certificate)
        let key: Certificate.PrivateKey
        do { key = try Certificate.PrivateKey(pemEncoded: keyPEM) } catch { throw .malformed(what: "key") }
        guard key.publicKey == certificate.publicKey else { throw .keyMismatch }
        cluster = try CertificateReading.cluster(of: certificate)
        fingerprint = Array(SHA256.hash(data: try CertificateReading.der(certificate)))
        self.certificatePEM = certificatePEM
        self.keyPEM = keyPEM
        self.certificate = certificate
        self.key = key
    }

    /// A new authority with a new key, for the cluster of that id.
    package static func make(cluster: String, now: WallTime) throws(AuthorityError) -> ClusterAuthority {
        guard CertificateReading.isValidName(cluster) else { throw .invalidName(cluster) }
        let key = Certificate.PrivateKey(P256.Signing.PrivateKey())
        let texts: (String, String)
        do {
            let name = try DistinguishedName {
                CommonName("Cairn cluster authority")
                OrganizationName(cluster)
            }
            let certificate = try Certificate(
                version: .v3,
                serialNumber: Certificate.SerialNumber(),
                publicKey: key.publicKey,
                notValidBefore: Date(now.moved(by: .zero - backdating)),
                notValidAfter: Date(now.moved(by: validity)),
                issuer: name,
                subject: name,
                signatureAlgorithm: .ecdsaWithSHA256,
                extensions: Certificate.Extensions {
                    Critical(BasicConstraints.isCertificateAuthority(maxPathLength: 0))
                    Critical(KeyUsage(keyCertSign: true, cRLSign: true))
                    SubjectKeyIdentifier(hash: key.publicKey)
                },
                issuerPrivateKey: key
            )
            texts = (try certificate.serializeAsPEM().pemString, try key.serializeAsPEM().pemString)
        } catch { throw .malformed(what: "authority") }
        return try ClusterAuthority(certificatePEM: texts.0, keyPEM: texts.1)
    }

    /// A certificate for the member `name`, good for both ends of a connection, as PEM. The caller has made sure that
    /// the key's owner may have that name and role, and that `generation` is what counts of the name.
    package func issue(
        name: String,
        role: ClusterRole,
        generation: UInt32 = 0,
        publicKeyPEM: String,
        now: WallTime
    ) throws(AuthorityError) -> String {
        guard CertificateReading.isValidName(name),
            name != ClusterRole.coordinatorName || role == .coordinator
        else { throw .invalidName(name) }
        guard let memberKey = try? P256.Signing.PublicKey(pemRepresentation: publicKeyPEM) else {
            throw .malformed(what: "public key")
        }
        do {
            let publicKey = Certificate.PublicKey(memberKey)
            let certificate = try Certificate(
                version: .v3,
                serialNumber: Certificate.SerialNumber(),
                publicKey: publicKey,
                notValidBefore: Date(now.moved(by: .zero - Self.backdating)),
                notValidAfter: Date(now.moved(by: Self.memberValidity)),
                issuer: self.certificate.subject,
                subject: DistinguishedName {
                    CommonName(name)
                    OrganizationalUnitName(role.rawValue)
                    OrganizationName(cluster)
                    if generation > 0 { GenerationQualifier(generation: generation) }
                },
                signatureAlgorithm: .ecdsaWithSHA256,
                extensions: Certificate.Extensions {
                    Critical(BasicConstraints.notCertificateAuthority)
                    Critical(KeyUsage(digitalSignature: true))
                    try ExtendedKeyUsage([.serverAuth, .clientAuth])
                    SubjectAlternativeNames([.dnsName(name)])
                    SubjectKeyIdentifier(hash: publicKey)
                    AuthorityKeyIdentifier(keyIdentifier: SubjectKeyIdentifier(hash: key.publicKey).keyIdentifier)
                },
                issuerPrivateKey: key
            )
            return try certificate.serializeAsPEM().pemString
        } catch { throw .malformed(what: "certificate") }
    }

    /// A new key for a member. The private half never leaves the machine that made it.
    package static func makeKey() -> (privatePEM: String, publicPEM: String) {
        let key = P256.Signing.PrivateKey()
        return (key.pemRepresentation, key.publicKey.pemRepresentation)
    }
}

extension WallTime {
    fileprivate func moved(by duration: Duration) -> WallTime {
        WallTime(milliseconds: milliseconds + duration.components.seconds * 1_000)
    }
}
