import COpenSSL

/// The message digests of S3, by OpenSSL.
package enum MessageDigest: Sendable, CaseIterable {
    /// RFC 1321: ETag and Content-MD5.
    case md5
    /// FIPS 180-4: S3's `SHA1`.
    case sha1
    /// FIPS 180-4: S3's `SHA256`, and SigV4.
    case sha256
    /// FIPS 180-4: S3's `SHA512`.
    case sha512

    /// Bytes of a digest.
    package var length: Int {
        switch self {
        case .md5: 16
        case .sha1: 20
        case .sha256: 32
        case .sha512: 64
        }
    }

    /// The digest of `bytes` in one call.
    package func digest(_ bytes: UnsafeRawBufferPointer) -> [UInt8] {
        let stream = StreamingDigest(self)
        stream.update(bytes)
        return stream.finalize()
    }

    package func digest(_ bytes: [UInt8]) -> [UInt8] { bytes.withUnsafeBytes { digest($0) } }

    /// OpenSSL's implementation, looked up once: a look-up per digest costs more than hashing a small request.
    fileprivate var implementation: OpaquePointer {
        switch self {
        case .md5: Self.fetchedMD5.pointer
        case .sha1: Self.fetchedSHA1.pointer
        case .sha256: Self.fetchedSHA256.pointer
        case .sha512: Self.fetchedSHA512.pointer
        }
    }

    private static let fetchedMD5 = FetchedDigest("MD5")
    private static let fetchedSHA1 = FetchedDigest("SHA1")
    private static let fetchedSHA256 = FetchedDigest("SHA256")
    private static let fetchedSHA512 = FetchedDigest("SHA512")
}

/// An algorithm of libcrypto, kept for the life of the process.
private struct FetchedDigest: @unchecked Sendable {
    // SAFETY: an EVP_MD never changes after it was fetched, and is reference-counted atomically.
    let pointer: OpaquePointer

    init(_ name: String) {
        guard let pointer = EVP_MD_fetch(nil, name, nil) else {
            preconditionFailure(
                "libcrypto offers no \(name); S3 needs it: check the OpenSSL configuration (FIPS mode?)"
            )
        }
        self.pointer = pointer
    }
}

/// A message digest of bytes that come in pieces. One user at a time; the state is allocated once, at `init`.
package final class StreamingDigest {
    package let kind: MessageDigest
    private let context: OpaquePointer

    package init(_ kind: MessageDigest) {
        guard let context = EVP_MD_CTX_new(), EVP_DigestInit_ex2(context, kind.implementation, nil) == 1 else {
            preconditionFailure("libcrypto could not start a digest: out of memory")
        }
        self.kind = kind
        self.context = context
    }

    deinit { EVP_MD_CTX_free(context) }

    package func update(_ bytes: UnsafeRawBufferPointer) {
        guard let start = bytes.baseAddress, !bytes.isEmpty else { return }
        let status = EVP_DigestUpdate(context, start, bytes.count)
        precondition(status == 1, "a started digest takes bytes")
    }

    /// The digest of everything. To be called once; nothing may follow.
    package func finalize() -> [UInt8] {
        [UInt8](unsafeUninitializedCapacity: kind.length) { buffer, count in
            var length: UInt32 = 0
            let status = EVP_DigestFinal_ex(context, buffer.baseAddress, &length)
            precondition(status == 1 && Int(length) == kind.length, "a digest is finalized once")
            count = Int(length)
        }
    }
}

/// HMAC with SHA-256 (RFC 2104): SigV4's signing keys and signatures.
package enum HMACSHA256 {
    private static let blockLength = 64

    /// The 32-byte code of `message` under `key`.
    package static func code(_ message: UnsafeRawBufferPointer, key: [UInt8]) -> [UInt8] {
        var block = key.count > blockLength ? MessageDigest.sha256.digest(key) : key
        block.append(contentsOf: repeatElement(0, count: blockLength - block.count))
        let inner = StreamingDigest(.sha256)
        block.map { $0 ^ 0x36 }.withUnsafeBytes { inner.update($0) }
        inner.update(message)
        let outer = StreamingDigest(.sha256)
        block.map { $0 ^ 0x5C }.withUnsafeBytes { outer.update($0) }
        inner.finalize().withUnsafeBytes { outer.update($0) }
        return outer.finalize()
    }

    package static func code(_ message: [UInt8], key: [UInt8]) -> [UInt8] {
        message.withUnsafeBytes { code($0, key: key) }
    }
}
