import Checksums
import Crypto
import ObjectModel

/// Verifies SigV4 signatures (AWS Signature Version 4 for S3) of one region.
package struct SignatureVerifier: Sendable {
    private let region: String
    private let keys: SigningKeyCache

    package init(region: String) {
        self.region = region
        keys = SigningKeyCache(region: region)
    }

    /// What the request claims, checked for everything but its secret.
    package func claim(of request: SignedRequest, now: Int64) throws(S3Error) -> SignatureClaim {
        try SignatureClaim(request, region: region, now: now)
    }

    /// Verifies a claim. `secret` is nil for an access key that nobody has: the same work is done, and the answer is
    /// AWS's `InvalidAccessKeyId`. Returns what the signatures of chunks are chained to.
    @discardableResult
    package func verify(
        _ claim: SignatureClaim,
        of request: SignedRequest,
        secret: String?
    ) throws(S3Error) -> SignatureSeed {
        let key = keys.key(
            accessKey: claim.accessKey,
            secret: secret ?? "an access key that nobody has",
            date: claim.date,
            remember: secret != nil
        )
        let canonical = CanonicalRequest.bytes(of: request, claim: claim)
        let scope = "\(claim.date)/\(region)/\(CredentialScope.service)/\(CredentialScope.terminator)"
        var toSign = Array("AWS4-HMAC-SHA256\n\(claim.timestamp)\n\(scope)\n".utf8)
        LowerHex.append(SHA256.hash(data: canonical), to: &toSign)
        let expected = Array(HMAC<SHA256>.authenticationCode(for: toSign, using: key))
        let given = Hexadecimal.bytes(claim.signature) ?? []
        let isEqual = ConstantTime.areEqual(expected, given)
        guard secret != nil else {
            throw S3Error(.invalidAccessKeyID, details: [("AWSAccessKeyId", claim.accessKey)])
        }
        guard isEqual else {
            throw S3Error(
                .signatureDoesNotMatch,
                details: [
                    ("AWSAccessKeyId", claim.accessKey), ("StringToSign", String(decoding: toSign, as: UTF8.self)),
                    ("SignatureProvided", claim.signature),
                    ("CanonicalRequest", String(decoding: canonical, as: UTF8.self)),
                ]
            )
        }
        return SignatureSeed(key: key, timestamp: claim.timestamp, scope: scope, signature: claim.signature)
    }
}

/// Where a chain of chunk signatures begins: the verified signature of the request's headers.
package struct SignatureSeed: Sendable {
    package let key: SymmetricKey
    package let timestamp: String
    package let scope: String
    package let signature: String

    package init(key: SymmetricKey, timestamp: String, scope: String, signature: String) {
        self.key = key
        self.timestamp = timestamp
        self.scope = scope
        self.signature = signature
    }
}

/// Lower-case hexadecimal straight into a byte array.
enum LowerHex {
    static func append(_ bytes: some Sequence<UInt8>, to output: inout [UInt8]) {
        for byte in bytes {
            output.append(digit(byte >> 4))
            output.append(digit(byte & 15))
        }
    }

    private static func digit(_ value: UInt8) -> UInt8 {
        value < 10 ? UInt8(ascii: "0") + value : UInt8(ascii: "a") + value - 10
    }
}
