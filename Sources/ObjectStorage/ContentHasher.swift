internal import Checksums
internal import ObjectInterface
internal import ObjectModel
internal import SystemInterface

/// The digests of one upload's bytes: MD5 for the ETag, and the checksum that the client declared or asked for.
///
/// One user at a time. `update` may return before the MD5 has been taken: the buffer's range is not written again.
final class ContentHasher: @unchecked Sendable {
    // SAFETY: one task uses it at a time, and hands it on with the bytes: the request's, which is suspended while its
    // pack's task finishes it.

    private let md5: MD5Stream
    /// None for MD5, which is taken anyway.
    private let checksum: StreamingChecksum?
    private let algorithm: ObjectChecksum.Algorithm?
    private var finished: ContentDigests?

    init(_ request: ChecksumRequest, engine: MD5Engine) {
        md5 = engine.makeStream()
        algorithm =
            switch request {
            case .none: nil
            case .declared(let declared): declared.algorithm
            case .trailing(let algorithm), .computed(let algorithm): algorithm
            }
        checksum = algorithm.flatMap { $0 == .md5 ? nil : StreamingChecksum($0.streaming) }
    }

    func update(_ bytes: BufferSlice) async {
        await md5.update(bytes.bytes, keeping: bytes.buffer)
        bytes.withBytes { checksum?.update($0) }
    }

    /// Asked again, as for a pack that is written once more, it says the same.
    func finish() async -> ContentDigests {
        if let finished { return finished }
        let digests = await finalize()
        finished = digests
        return digests
    }

    private func finalize() async -> ContentDigests {
        let value = checksum?.finalize()
        let digest = await md5.finalize()
        let made = algorithm.map { ObjectChecksum(algorithm: $0, kind: .fullObject, value: value ?? digest) }
        return ContentDigests(md5: digest, checksum: made)
    }
}

/// What an upload's bytes came to.
struct ContentDigests: Sendable {
    /// 16 bytes.
    var md5: [UInt8]
    var checksum: ObjectChecksum?

    var eTag: String { Hexadecimal.text(md5) }

    /// The digest in the ETag of a single PUT; nil when it is none.
    static func md5(ofETag eTag: String) -> [UInt8]? {
        Hexadecimal.bytes(eTag).flatMap { $0.count == md5Length ? $0 : nil }
    }

    private static let md5Length = 16

    /// Compares with what the client stated: headers first, then what came behind the body.
    func check(
        contentMD5: [UInt8]?,
        request: ChecksumRequest,
        trailing: DeclaredChecksum?
    ) throws(StorageError) {
        if let contentMD5, !ConstantTime.areEqual(contentMD5, md5) {
            throw StorageError(.badDigest, "The Content-MD5 you specified did not match what we received.")
        }
        switch request {
        case .none, .computed: break
        case .declared(let declared): try compare(declared)
        case .trailing(let algorithm):
            guard let trailing, trailing.algorithm == algorithm else {
                throw StorageError(.badDigest, "The checksum announced for the trailer did not come.")
            }
            try compare(trailing)
        }
    }

    private func compare(_ declared: DeclaredChecksum) throws(StorageError) {
        guard let checksum, checksum.algorithm == declared.algorithm,
            ConstantTime.areEqual(checksum.value, declared.value)
        else {
            throw StorageError(
                .badDigest,
                "The \(declared.algorithm.streaming.name) you specified did not match the calculated checksum."
            )
        }
    }
}

extension ObjectChecksum.Algorithm {
    /// The same algorithm as the codec knows it.
    var streaming: ChecksumAlgorithm {
        switch self {
        case .crc32: .crc32
        case .crc32c: .crc32c
        case .crc64nvme: .crc64nvme
        case .sha1: .sha1
        case .sha256: .sha256
        case .sha512: .sha512
        case .md5: .md5
        case .xxhash64: .xxhash64
        case .xxhash3: .xxhash3
        case .xxhash128: .xxhash128
        }
    }
}
