internal import Foundation
internal import SwiftASN1
internal import SystemInterface
internal import X509

/// What we read from certificates, ours and others': the subject, and whether an authority signed it.
///
/// Chains have two links, always: the authority and a leaf. Anything longer is foreign.
enum CertificateReading {
    /// What a certificate's subject says: CN, OU and O, each exactly once, and the generation where there is one.
    struct Subject: Hashable {
        var name: String
        var role: ClusterRole
        var cluster: String
        var generation: UInt32
    }

    /// Characters of a name; a DNS label cannot have more.
    static let nameLimit = 63

    /// Whether a member may be called so: it is also the DNS name of its certificate and part of log lines.
    static func isValidName(_ name: String) -> Bool {
        (1...nameLimit).contains(name.utf8.count)
            && name.utf8.allSatisfy { byte in
                switch UnicodeScalar(byte) {
                case "a"..."z", "A"..."Z", "0"..."9", ".", "-", "_": true
                default: false
                }
            }
    }

    /// `what` it is, for the error.
    static func parse(pem: String, what: String = "certificate") throws(AuthorityError) -> Certificate {
        do { return try Certificate(pemEncoded: pem) } catch { throw .malformed(what: what) }
    }

    static func parse(der: [UInt8]) throws(AuthorityError) -> Certificate {
        do { return try Certificate(derEncoded: der) } catch { throw .malformed(what: "certificate") }
    }

    static func der(_ certificate: Certificate) throws(AuthorityError) -> [UInt8] {
        var serializer = DER.Serializer()
        do { try serializer.serialize(certificate) } catch { throw .malformed(what: "certificate") }
        return serializer.serializedBytes
    }

    /// The subject of a leaf certificate.
    static func subject(_ certificate: Certificate) throws(AuthorityError) -> Subject {
        let name = try only(.RDNAttributeType.commonName, of: certificate.subject, "common name")
        let unit = try only(.RDNAttributeType.organizationalUnitName, of: certificate.subject, "role")
        let cluster = try only(.RDNAttributeType.organizationName, of: certificate.subject, "cluster")
        guard isValidName(name) else { throw .invalidName(name) }
        guard let role = ClusterRole(rawValue: unit) else { throw .malformed(what: "role") }
        guard name != ClusterRole.coordinatorName || role == .coordinator else { throw .invalidName(name) }
        return Subject(name: name, role: role, cluster: cluster, generation: try generation(certificate.subject))
    }

    /// Certificates of names that were given once say nothing of it.
    private static func generation(_ subject: DistinguishedName) throws(AuthorityError) -> UInt32 {
        guard subject.contains(where: { part in part.contains { $0.type == GenerationQualifier.type } }) else {
            return 0
        }
        let text = try only(GenerationQualifier.type, of: subject, "generation")
        guard let generation = UInt32(text) else { throw .malformed(what: "generation") }
        return generation
    }

    /// The cluster an authority's certificate is for.
    static func cluster(of authority: Certificate) throws(AuthorityError) -> String {
        try only(.RDNAttributeType.organizationName, of: authority.subject, "cluster")
    }

    /// Whether `authority` may sign certificates, and signed itself.
    static func checkAuthority(_ authority: Certificate) throws(AuthorityError) {
        guard case .isCertificateAuthority? = try? authority.extensions.basicConstraints,
            authority.issuer == authority.subject,
            authority.publicKey.isValidSignature(authority.signature, for: authority)
        else { throw .malformed(what: "authority") }
    }

    /// Whether `authority` signed `leaf` for its own cluster, as a certificate for both ends of a connection. Says
    /// nothing about the dates.
    static func checkChain(_ leaf: Certificate, to authority: Certificate) throws(AuthorityError) {
        guard leaf.issuer == authority.subject,
            authority.publicKey.isValidSignature(leaf.signature, for: leaf),
            try subject(leaf).cluster == cluster(of: authority)
        else { throw .foreign }
        guard case .notCertificateAuthority? = try? leaf.extensions.basicConstraints,
            let usage = try? leaf.extensions.extendedKeyUsage,
            usage.contains(.serverAuth), usage.contains(.clientAuth)
        else { throw .malformed(what: "certificate use") }
    }

    static func checkDates(_ certificate: Certificate, now: WallTime) throws(AuthorityError) {
        guard certificate.notValidBefore.wallTime <= now, now <= certificate.notValidAfter.wallTime else {
            throw .expired
        }
    }

    private static func only(
        _ type: ASN1ObjectIdentifier,
        of subject: DistinguishedName,
        _ what: String
    ) throws(AuthorityError) -> String {
        let values = subject.flatMap { part in part.filter { $0.type == type } }
        guard values.count == 1, let text = String(values[0].value) else { throw .malformed(what: what) }
        return text
    }
}

/// Which of a name's certificates this is (X.520 generationQualifier).
struct GenerationQualifier: RelativeDistinguishedNameConvertible {
    static let type: ASN1ObjectIdentifier = [2, 5, 4, 44]

    let generation: UInt32

    func makeRDN() -> RelativeDistinguishedName {
        RelativeDistinguishedName(.init(type: Self.type, utf8String: "\(generation)"))
    }
}

extension Date {
    /// Whole seconds: certificates know no less.
    init(_ time: WallTime) {
        self.init(timeIntervalSince1970: Double(time.milliseconds.quotientAndRemainder(dividingBy: 1_000).quotient))
    }

    var wallTime: WallTime {
        WallTime(milliseconds: Int64(max(-9e15, min(9e15, timeIntervalSince1970 * 1_000))))
    }
}
