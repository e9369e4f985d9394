import Checksums
import Crypto
import ObjectModel

/// The chain of signatures over the chunks of an aws-chunked body and its trailer ("Signature calculations for the
/// Authorization header: Transferring payload in multiple chunks", Amazon S3 API Reference).
struct ChunkSignatures: Sendable {
    /// Bytes of a signature: HMAC-SHA256.
    static let signatureLength = 32

    private let seed: SignatureSeed
    private var previous: String
    private var hash = SHA256()

    /// SHA-256 of nothing: the second hash of a chunk's string to sign.
    private static let emptyHash = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

    init(_ seed: SignatureSeed) {
        self.seed = seed
        previous = seed.signature
    }

    mutating func update(_ payload: UnsafeRawBufferPointer) { hash.update(bufferPointer: payload) }

    /// Whether the chunk that was fed since the last call has this signature; goes on to the next chunk.
    mutating func finishChunk(signature: String) -> Bool {
        let digest = hash.finalize()
        hash = SHA256()
        return matches(signature, label: "AWS4-HMAC-SHA256-PAYLOAD", extra: Self.emptyHash, digest: digest)
    }

    /// Whether the trailer, in its canonical form, has this signature.
    mutating func finishTrailer(_ canonical: [UInt8], signature: String) -> Bool {
        matches(signature, label: "AWS4-HMAC-SHA256-TRAILER", extra: nil, digest: SHA256.hash(data: canonical))
    }

    private mutating func matches(_ signature: String, label: String, extra: String?, digest: SHA256.Digest) -> Bool {
        var toSign = Array("\(label)\n\(seed.timestamp)\n\(seed.scope)\n\(previous)\n".utf8)
        if let extra {
            toSign.append(contentsOf: extra.utf8)
            toSign.append(UInt8(ascii: "\n"))
        }
        LowerHex.append(digest, to: &toSign)
        let expected = Array(HMAC<SHA256>.authenticationCode(for: toSign, using: seed.key))
        previous = signature
        return ConstantTime.areEqual(expected, Hexadecimal.bytes(signature) ?? [])
    }
}
