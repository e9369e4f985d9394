import COpenSSL

/// Proves at start-up that every checksum and digest computes on this very machine what formats and clients expect: the
/// libraries and the processor's special instructions included. Well under a millisecond.
package enum ChecksumSelfTest {
    /// A checksum that this machine cannot be trusted with.
    package enum Failure: Error, Hashable, Sendable, CustomStringConvertible {
        /// libcrypto does not offer the digest.
        case missing(String)
        /// The result for known bytes is not the known one.
        case wrong(String)

        package var description: String {
            switch self {
            case .missing(let name):
                "libcrypto offers no \(name), which S3 needs; check the OpenSSL configuration (FIPS mode?)"
            case .wrong(let name):
                "\(name) is computed wrongly on this machine; replace the library or the machine before going on"
            }
        }
    }

    /// Throws for the first one that is missing or wrong. To be called before anything is written or served.
    package static func run() throws(Failure) {
        // Long enough for the widest instructions, and for XXH3's long form.
        let bytes = (0..<5).flatMap { _ in [UInt8](0...255) }
        try checkDigests(of: bytes)
        try checkCRCs(of: bytes)
        try checkMD5Kernels(with: bytes)
    }

    private static func checkDigests(of bytes: [UInt8]) throws(Failure) {
        let known: [(MessageDigest, name: String, prefix: [UInt8])] = [
            (.md5, "MD5", [0x82, 0x82, 0x9F, 0x1F, 0x3F, 0x2B, 0xB0, 0xF1]),
            (.sha1, "SHA1", [0xE3, 0x7A, 0x04, 0xCB, 0x23, 0x53, 0x30, 0x9F]),
            (.sha256, "SHA256", [0xD4, 0x14, 0xB0, 0x85, 0x82, 0x6E, 0xB0, 0x67]),
            (.sha512, "SHA512", [0xC9, 0x3F, 0x55, 0xCC, 0xF2, 0xFA, 0x8C, 0x82]),
        ]
        for (digest, name, prefix) in known {
            guard let found = EVP_MD_fetch(nil, name, nil) else { throw .missing(name) }
            EVP_MD_free(found)
            guard digest.digest(bytes).starts(with: prefix) else { throw .wrong(name) }
        }
        try checkXXHashes(of: bytes)
    }

    private static func checkXXHashes(of bytes: [UInt8]) throws(Failure) {
        let hash = bytes.withUnsafeBytes { XXH3Digest.digest($0) }
        guard hash == (0xD92A_B3A1_CB05_42A7, 0x4844_B009_E164_352E) else { throw .wrong("XXH3") }
        let known: [(ChecksumAlgorithm, digest: [UInt8])] = [
            (.xxhash64, [0xAF, 0xC1, 0x84, 0xAD, 0x79, 0x38, 0xA3, 0x54]),
            (.xxhash3, [0x48, 0x44, 0xB0, 0x09, 0xE1, 0x64, 0x35, 0x2E]),
        ]
        for (algorithm, digest) in known {
            guard bytes.withUnsafeBytes({ algorithm.digest($0) }) == digest else { throw .wrong(algorithm.name) }
        }
    }

    private static func checkCRCs(of bytes: [UInt8]) throws(Failure) {
        guard CRC32C.checksum(bytes) == 0x23B6_2C98 else { throw .wrong("CRC32C") }
        guard bytes.withUnsafeBytes({ CRC32.checksum($0) }) == 0x1E7A_6D24 else { throw .wrong("CRC32") }
        guard bytes.withUnsafeBytes({ CRC64NVME.checksum($0) }) == 0x20B2_E6D2_0677_D312 else {
            throw .wrong("CRC64NVME")
        }
    }

    /// Every kernel that may be chosen, with all its lanes, against libcrypto.
    private static func checkMD5Kernels(with bytes: [UInt8]) throws(Failure) {
        let expected = MessageDigest.md5.digest(bytes)
        for kernel in MD5Lanes.kernels {
            let digests = bytes.withUnsafeBytes { all -> [[UInt8]] in
                guard let start = all.baseAddress else { return [] }
                var states = [MD5State](repeating: MD5State(), count: kernel.width)
                var lanes = states.indices.map { index in
                    let (_, blocks) = states[index].takeHead(of: all)
                    return MD5Lane(words: states[index].words, cursor: start, blocks: blocks)
                }
                lanes.withUnsafeMutableBufferPointer {
                    MD5Lanes.advance($0, blocks: $0[0].blocks, kernel: kernel.number)
                }
                return states.indices.map { index in
                    states[index].words = lanes[index].words
                    states[index].takeTail(of: all)
                    return states[index].finalize()
                }
            }
            guard digests.allSatisfy({ $0 == expected }) else { throw .wrong("MD5 (\(kernel.name))") }
        }
    }
}
