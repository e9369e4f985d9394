internal import Crypto
internal import Foundation

/// What a new member needs to join: a secret that the coordinator knows the digest of, and which cluster to trust.
///
/// As text: `cairn1.SECRET.FINGERPRINT`, both in base64url without padding. Whoever has it can join: keep it secret.
package struct JoinToken: Hashable, Sendable {
    /// Bytes of the secret, and of the fingerprint (SHA-256).
    package static let length = 32
    private static let prefix = "cairn1"

    package let secret: [UInt8]
    /// `ClusterAuthority.fingerprint`.
    package let fingerprint: [UInt8]

    /// A token with a new secret.
    package init(fingerprint: [UInt8]) {
        secret = SymmetricKey(size: .init(bitCount: Self.length * 8)).withUnsafeBytes { Array($0) }
        self.fingerprint = fingerprint
    }

    /// Takes exactly what `text` writes: any other spelling of the same bytes is malformed.
    package init(parsing text: String) throws(AuthorityError) {
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count == 3, parts[0] == Self.prefix,
            let secret = Self.decode(parts[1]), let fingerprint = Self.decode(parts[2])
        else { throw .malformed(what: "join token") }
        self.secret = secret
        self.fingerprint = fingerprint
        guard self.text == text else { throw .malformed(what: "join token") }
    }

    package var text: String { "\(Self.prefix).\(Self.encode(secret)).\(Self.encode(fingerprint))" }

    /// SHA-256 of the secret: what the coordinator keeps in place of it.
    package var secretDigest: [UInt8] { Self.digest(secret) }

    /// SHA-256 of a secret that came with a join call.
    package static func digest(_ secret: [UInt8]) -> [UInt8] { Array(SHA256.hash(data: secret)) }

    /// Whether both hold the same bytes; takes as long for a near miss as for a far one.
    package static func areEqual(_ left: [UInt8], _ right: [UInt8]) -> Bool {
        guard left.count == right.count else { return false }
        var difference: UInt8 = 0
        for index in left.indices { difference |= left[index] ^ right[index] }
        return difference == 0
    }

    private static func encode(_ bytes: [UInt8]) -> String {
        Data(bytes).base64EncodedString()
            .replacing("+", with: "-").replacing("/", with: "_").replacing("=", with: "")
    }

    private static func decode(_ text: Substring) -> [UInt8]? {
        // 32 bytes are 43 characters and one of padding.
        guard text.utf8.count == (length * 8 + 5) / 6 else { return nil }
        let standard = text.replacing("-", with: "+").replacing("_", with: "/") + "="
        guard let bytes = Data(base64Encoded: String(standard)), bytes.count == length else { return nil }
        return Array(bytes)
    }
}
