import CDigests

/// CRC-64/NVME (NVM Express NVM Command Set 1.0, §5.2.1.3.4): S3's `CRC64NVME`, which its clients send by default.
package enum CRC64NVME {
    /// The CRC of `bytes`, or of what had the CRC `crc` followed by `bytes`.
    package static func checksum(_ bytes: UnsafeRawBufferPointer, continuing crc: UInt64 = 0) -> UInt64 {
        guard let start = bytes.baseAddress else { return crc }
        return cairn_crc64nvme(crc, start, bytes.count)
    }

    /// The same by tables alone, as on a processor without carry-less multiplication.
    package static func portableChecksum(_ bytes: UnsafeRawBufferPointer, continuing crc: UInt64 = 0) -> UInt64 {
        guard let start = bytes.baseAddress else { return crc }
        return cairn_crc64nvme_portable(crc, start, bytes.count)
    }

    /// The CRC of A followed by B, from the CRC of each and the length of B in bytes.
    package static func combine(_ first: UInt64, _ second: UInt64, secondLength: Int) -> UInt64 {
        CRCPolynomial.crc64nvme.combine(first, second, secondLength: secondLength)
    }
}
