internal import Foundation
package import SystemInterface
internal import X509

/// What a member proves itself with: its key, its certificate and the authority's certificate.
package struct ClusterIdentity: Sendable {
    /// A certificate is renewed when one part in so many of its life is left.
    package static let renewalShare: Int64 = 3

    package let name: String
    package let role: ClusterRole
    package let cluster: String
    package let certificatePEM: String
    /// Secret.
    package let keyPEM: String
    package let authorityPEM: String
    package let notBefore: WallTime
    /// After this moment nobody takes the certificate.
    package let notAfter: WallTime

    /// Throws unless the authority signed the certificate and the key belongs to it; of what is malformed, `authority`
    /// and `key` are these, and anything else is the certificate. The dates are not looked at: a member that slept too
    /// long may still start, to be told that it must join anew.
    package init(certificatePEM: String, keyPEM: String, authorityPEM: String) throws(AuthorityError) {
        let certificate = try CertificateReading.parse(pem: certificatePEM)
        let authority = try CertificateReading.parse(pem: authorityPEM, what: "authority")
        try CertificateReading.checkAuthority(authority)
        try CertificateReading.checkChain(certificate, to: authority)
        guard let key = try? Certificate.PrivateKey(pemEncoded: keyPEM) else { throw .malformed(what: "key") }
        guard key.publicKey == certificate.publicKey else { throw .keyMismatch }
        let subject = try CertificateReading.subject(certificate)
        name = subject.name
        role = subject.role
        cluster = subject.cluster
        notBefore = certificate.notValidBefore.wallTime
        notAfter = certificate.notValidAfter.wallTime
        self.certificatePEM = certificatePEM
        self.keyPEM = keyPEM
        self.authorityPEM = authorityPEM
    }

    /// Whether less than a third of the certificate's life is left.
    package func needsRenewal(now: WallTime) -> Bool {
        let life = notAfter.milliseconds - notBefore.milliseconds
        return notAfter.milliseconds - now.milliseconds < life / Self.renewalShare
    }

    /// Whether nobody takes the certificate any more.
    package func isExpired(now: WallTime) -> Bool { now >= notAfter }
}
