/// The additional checksums of S3 (AWS: Checking object integrity in Amazon S3).
package enum ChecksumAlgorithm: String, Hashable, Sendable, CaseIterable {
    case crc32 = "CRC32"
    case crc32c = "CRC32C"
    case crc64nvme = "CRC64NVME"
    case sha1 = "SHA1"
    case sha256 = "SHA256"
    case sha512 = "SHA512"
    case md5 = "MD5"
    case xxhash64 = "XXHASH64"
    case xxhash3 = "XXHASH3"
    case xxhash128 = "XXHASH128"

    /// The name in `x-amz-checksum-algorithm` and in XML; `x-amz-checksum-` and its lower case is the header's.
    package var name: String { rawValue }

    /// Bytes of a checksum.
    package var digestLength: Int {
        switch self {
        case .crc32, .crc32c: 4
        case .crc64nvme, .xxhash64, .xxhash3: 8
        case .md5, .xxhash128: 16
        case .sha1: 20
        case .sha256: 32
        case .sha512: 64
        }
    }

    /// Whether the checksum of a whole object follows from those of its parts (AWS: full object type).
    package var isCombinable: Bool {
        switch self {
        case .crc32, .crc32c, .crc64nvme: true
        case .sha1, .sha256, .sha512, .md5, .xxhash64, .xxhash3, .xxhash128: false
        }
    }

    /// The checksum of `bytes` in one call, big-endian.
    package func digest(_ bytes: UnsafeRawBufferPointer) -> [UInt8] {
        let stream = StreamingChecksum(self)
        stream.update(bytes)
        return stream.finalize()
    }

    /// The checksum of A followed by B from the checksum of each, for full-object checksums of multipart uploads.
    ///
    /// Nil when the algorithm is not combinable, a checksum has the wrong length, or `secondLength` is negative.
    package func combine(_ first: [UInt8], _ second: [UInt8], secondLength: Int) -> [UInt8]? {
        guard first.count == digestLength, second.count == digestLength, secondLength >= 0 else { return nil }
        let polynomial: CRCPolynomial
        switch self {
        case .crc32: polynomial = .crc32
        case .crc32c: polynomial = .crc32c
        case .crc64nvme: polynomial = .crc64nvme
        case .sha1, .sha256, .sha512, .md5, .xxhash64, .xxhash3, .xxhash128: return nil
        }
        let result = polynomial.combine(
            BigEndian.value(first),
            BigEndian.value(second),
            secondLength: secondLength
        )
        return BigEndian.bytes(result, count: digestLength)
    }
}

/// One S3 checksum of bytes that come in pieces. One user at a time.
package final class StreamingChecksum {
    private enum State {
        case crc32(UInt32)
        case crc32c(UInt32)
        case crc64nvme(UInt64)
        case digest(StreamingDigest)
        case xxhash64(XXH64Digest)
        case xxhash3(ShortXXH3Digest)
        case xxhash128(XXH3Digest)
    }

    package let algorithm: ChecksumAlgorithm
    private var state: State

    package init(_ algorithm: ChecksumAlgorithm) {
        self.algorithm = algorithm
        switch algorithm {
        case .crc32: state = .crc32(0)
        case .crc32c: state = .crc32c(0)
        case .crc64nvme: state = .crc64nvme(0)
        case .sha1: state = .digest(StreamingDigest(.sha1))
        case .sha256: state = .digest(StreamingDigest(.sha256))
        case .sha512: state = .digest(StreamingDigest(.sha512))
        case .md5: state = .digest(StreamingDigest(.md5))
        case .xxhash64: state = .xxhash64(XXH64Digest())
        case .xxhash3: state = .xxhash3(ShortXXH3Digest())
        case .xxhash128: state = .xxhash128(XXH3Digest())
        }
    }

    package func update(_ bytes: UnsafeRawBufferPointer) {
        switch state {
        case .crc32(let crc): state = .crc32(CRC32.checksum(bytes, continuing: crc))
        case .crc32c(let crc): state = .crc32c(CRC32C.checksum(bytes, continuing: crc))
        case .crc64nvme(let crc): state = .crc64nvme(CRC64NVME.checksum(bytes, continuing: crc))
        case .digest(let digest): digest.update(bytes)
        case .xxhash64(let digest): digest.update(bytes)
        case .xxhash3(let digest): digest.update(bytes)
        case .xxhash128(let digest): digest.update(bytes)
        }
    }

    /// The checksum as S3 encodes it in base64: big-endian. To be called once; nothing may follow.
    package func finalize() -> [UInt8] {
        switch state {
        case .crc32(let crc), .crc32c(let crc): return BigEndian.bytes(UInt64(crc), count: 4)
        case .crc64nvme(let crc): return BigEndian.bytes(crc, count: 8)
        case .digest(let digest): return digest.finalize()
        case .xxhash64(let digest): return BigEndian.bytes(digest.finalize(), count: 8)
        case .xxhash3(let digest): return BigEndian.bytes(digest.finalize(), count: 8)
        case .xxhash128(let digest):
            let (high, low) = digest.finalize()
            return BigEndian.bytes(high, count: 8) + BigEndian.bytes(low, count: 8)
        }
    }
}

/// Integers as S3 writes checksums.
enum BigEndian {
    /// The low `count` bytes of `value`, most significant first.
    static func bytes(_ value: UInt64, count: Int) -> [UInt8] {
        (0..<count).map { UInt8(truncatingIfNeeded: value >> UInt64(8 * (count - 1 - $0))) }
    }

    /// The value of at most eight bytes, most significant first.
    static func value(_ bytes: [UInt8]) -> UInt64 { bytes.reduce(0) { $0 << 8 | UInt64($1) } }
}
