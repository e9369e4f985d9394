internal import Checksums
package import ObjectModel

/// The list of a checkpoint's blobs: in key order, what together is the whole metadata as of one journal position.
///
/// Kept at the beginning of every keeper's log, so that the metadata is found from the disks alone (DESIGN §7). A list
/// too long for that is stored as a blob itself, and the log then begins with a list of level 1 that names such blobs.
package struct CheckpointList: Hashable, Sendable {
    /// One range of the metadata's keys, exported.
    package struct Entry: Hashable, Sendable {
        /// The first key of the range; it ends before the next entry's.
        package var firstKey: [UInt8]
        /// Bytes exported.
        package var length: UInt64
        /// Of the exported bytes: an unchanged range is shared with the checkpoint before.
        package var digest: ContentDigest
        /// Where the blob is, as the sink that wrote it says; opaque here.
        package var reference: [UInt8]

        package init(firstKey: [UInt8], length: UInt64, digest: ContentDigest, reference: [UInt8]) {
            self.firstKey = firstKey
            self.length = length
            self.digest = digest
            self.reference = reference
        }
    }

    /// Everything up to here is in the checkpoint.
    package var position: JournalPosition
    /// 0: the entries are ranges. 1: each is a part of the encoded list of level 0, in order.
    package var level: UInt8
    package var entries: [Entry]

    package init(position: JournalPosition, level: UInt8 = 0, entries: [Entry]) {
        self.position = position
        self.level = level
        self.entries = entries
    }

    private static let magic: UInt64 = 0x5450_4B43_4E52_4943  // "CIRNCKPT"
    /// Bytes of a first key or a reference at most.
    package static let fieldLimit = 4_096
    /// Entries of one list at most: 2^20 ranges of 32 MiB are 32 TiB of metadata.
    package static let entryLimit = 1 << 20

    package static func digest(of bytes: [UInt8]) -> ContentDigest {
        let digest = bytes.withUnsafeBytes { XXH3Digest.digest($0) }
        return ContentDigest(high: digest.high, low: digest.low)
    }

    package var encoded: [UInt8] {
        var out = JournalBytes()
        out.append(Self.magic)
        out.append(JournalFormat.version)
        out.append(level)
        out.append(UInt8(0))
        out.append(position.sequence)
        out.append(position.incarnation)
        out.append(position.stream)
        out.append(UInt32(entries.count))
        for entry in entries {
            out.append(entry.length)
            out.append(entry.digest.high)
            out.append(entry.digest.low)
            out.append(UInt16(entry.firstKey.count))
            out.append(UInt16(entry.reference.count))
            out.bytes += entry.firstKey + entry.reference
        }
        out.appendChecksum()
        return out.bytes
    }

    package init(decoding bytes: [UInt8]) throws(JournalFormatError) {
        self = try JournalBytes.with(bytes) { bytes throws(JournalFormatError) in
            try Self.decode(try JournalBytes.checkedBody(bytes))
        }
    }

    private static func decode(_ body: UnsafeRawBufferPointer) throws(JournalFormatError) -> CheckpointList {
        guard body.count >= 32, body.field(0, as: UInt64.self) == magic else { throw .notFound }
        let version: UInt16 = body.field(8)
        guard version == JournalFormat.version else { throw .unknownVersion(version) }
        let level: UInt8 = body.field(10)
        guard level <= 1 else { throw .invalid("level") }
        let count = Int(body.field(28, as: UInt32.self))
        guard count <= entryLimit else { throw .invalid("entry count") }
        var list = CheckpointList(
            position: JournalPosition(incarnation: body.field(20), stream: body.field(24), sequence: body.field(12)),
            level: level,
            entries: []
        )
        guard list.position.isPossible else { throw .invalid("sequence") }
        var offset = 32
        for _ in 0..<count { list.entries.append(try entry(body, at: &offset)) }
        guard offset == body.count else { throw .invalid("length") }
        return list
    }

    private static func entry(
        _ body: UnsafeRawBufferPointer,
        at offset: inout Int
    ) throws(JournalFormatError) -> Entry {
        guard body.count - offset >= 28 else { throw .truncated }
        let keyLength = Int(body.field(offset + 24, as: UInt16.self))
        let referenceLength = Int(body.field(offset + 26, as: UInt16.self))
        let start = offset + 28
        guard keyLength <= fieldLimit, referenceLength <= fieldLimit else { throw .invalid("field length") }
        guard body.count - start >= keyLength + referenceLength else { throw .truncated }
        defer { offset = start + keyLength + referenceLength }
        return Entry(
            firstKey: Array(body[start..<start + keyLength]),
            length: body.field(offset),
            digest: ContentDigest(high: body.field(offset + 8), low: body.field(offset + 16)),
            reference: Array(body[(start + keyLength)..<(start + keyLength + referenceLength)])
        )
    }
}
