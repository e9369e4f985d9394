import CISAL

/// CRC-32C (Castagnoli, RFC 3720 §12.1): what leaves, headers and trailers on disk and S3's `CRC32C` are checked with.
///
/// Values are final ones, with the inversions done: the CRC of no bytes is 0, and a checksum is continued by handing
/// the one so far back in.
package enum CRC32C {
    /// The CRC of `bytes`, or of what had the CRC `crc` followed by `bytes`.
    package static func checksum(_ bytes: UnsafeRawBufferPointer, continuing crc: UInt32 = 0) -> UInt32 {
        guard let start = bytes.baseAddress else { return crc }
        var register = ~crc
        var offset = 0
        while offset < bytes.count {
            // The library counts in a C int.
            let count = min(bytes.count - offset, 1 << 30)
            // ISA-L takes a mutable pointer but only reads.
            let source = UnsafeMutablePointer(mutating: (start + offset).assumingMemoryBound(to: UInt8.self))
            register = crc32_iscsi(source, Int32(count), register)
            offset += count
        }
        return ~register
    }

    package static func checksum(_ bytes: [UInt8], continuing crc: UInt32 = 0) -> UInt32 {
        bytes.withUnsafeBytes { checksum($0, continuing: crc) }
    }

    /// The CRC of A followed by B, from the CRC of each and the length of B in bytes.
    package static func combine(_ first: UInt32, _ second: UInt32, secondLength: Int) -> UInt32 {
        UInt32(CRCPolynomial.crc32c.combine(UInt64(first), UInt64(second), secondLength: secondLength))
    }
}

/// CRC-32 of gzip, zlib and PNG (RFC 1952): S3's `CRC32`.
package enum CRC32 {
    /// The CRC of `bytes`, or of what had the CRC `crc` followed by `bytes`.
    package static func checksum(_ bytes: UnsafeRawBufferPointer, continuing crc: UInt32 = 0) -> UInt32 {
        guard let start = bytes.baseAddress else { return crc }
        return crc32_gzip_refl(crc, start.assumingMemoryBound(to: UInt8.self), UInt64(bytes.count))
    }

    /// The CRC of A followed by B, from the CRC of each and the length of B in bytes.
    package static func combine(_ first: UInt32, _ second: UInt32, secondLength: Int) -> UInt32 {
        UInt32(CRCPolynomial.crc32.combine(UInt64(first), UInt64(second), secondLength: secondLength))
    }
}
