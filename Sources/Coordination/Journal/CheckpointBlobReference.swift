package import ObjectModel

/// How a checkpoint's list names a blob, so that it is found from the disks alone: by its id, 16 bytes: incarnation
/// (4), lease (4), sequence (8), little-endian. The scheme, the length and the digest are in the trailers of its
/// shards.
package enum CheckpointBlobReference {
    package static func encode(_ blob: BlobID) -> [UInt8] {
        var bytes: [UInt8] = []
        withUnsafeBytes(of: blob.incarnation.littleEndian) { bytes.append(contentsOf: $0) }
        withUnsafeBytes(of: blob.lease.littleEndian) { bytes.append(contentsOf: $0) }
        withUnsafeBytes(of: blob.sequence.littleEndian) { bytes.append(contentsOf: $0) }
        return bytes
    }

    /// nil for anything that is no reference.
    package static func decode(_ bytes: [UInt8]) -> BlobID? {
        guard bytes.count == 16 else { return nil }
        func value(_ range: Range<Int>) -> UInt64 {
            bytes[range].reversed().reduce(0) { $0 << 8 | UInt64($1) }
        }
        return BlobID(
            incarnation: UInt32(truncatingIfNeeded: value(0..<4)),
            lease: UInt32(truncatingIfNeeded: value(4..<8)),
            sequence: value(8..<16)
        )
    }
}
