/// Sizes and names of a keeper's log (`Docs/DiskFormat.md`, Journal).
package enum JournalFormat {
    /// The layout's version, in every header.
    package static let version: UInt16 = 1
    /// Every batch begins on such a block, so that no block is written again after it was acknowledged: a torn write
    /// cannot reach what is durable, whatever the medium's sector is.
    package static let blockSize = 4_096
    /// Bytes of each of the two header slots at the beginning of a log file.
    package static let headerSlot = 64 << 10
    /// Where a log file's batches begin.
    package static let dataOffset = 2 * headerSlot
    /// Bytes of the fixed part of a header slot; the reference follows.
    package static let headerLength = 128
    /// Bytes of a checkpoint's reference list at most; a longer list is itself stored as blobs.
    package static let referenceLimit = 60 << 10
    /// Bytes of a batch's header.
    package static let batchHeaderLength = 64
    /// Bytes of a record before its payload.
    package static let recordHeaderLength = 24
    /// Bytes of one record's payload at most: the largest change is the completion of an upload of 10,000 parts over
    /// 82,000 blobs, some 4 MiB.
    package static let payloadLimit = 12 << 20
    /// Bytes of all records of one batch at most.
    package static let batchLimit = 16 << 20
    /// Bytes of each of the two slots of the promise file.
    package static let promiseSlot = 4_096

    /// Bytes that a record takes in a batch.
    package static func recordLength(payload: Int) -> Int { (recordHeaderLength + payload + 7) & ~7 }

    /// `length` rounded up to whole blocks.
    package static func blocks(_ length: Int) -> Int { (length + blockSize - 1) & ~(blockSize - 1) }
}

/// Features of a log file that a reader must, should or need not know.
package struct JournalFeatures: Hashable, Sendable {
    package var compatible: UInt32 = 0
    /// Unknown bits here forbid writing.
    package var readOnly: UInt32 = 0
    /// Unknown bits here forbid reading.
    package var incompatible: UInt32 = 0

    package init() {}
}

/// Where a keeper's log stands between two batches.
package struct JournalLogPoint: Hashable, Sendable {
    package var last: JournalPosition
    /// The incarnation under which the log was last declared whole (see `JournalBatchHeader.written`).
    package var written: UInt32
    /// How often a batch has replaced a tail: tells recovery, behind a damaged batch, whether that one cut something
    /// off.
    package var cuts: UInt32
    /// The CRC of the last record or recordless batch.
    package var chain: UInt32

    package init(last: JournalPosition, written: UInt32, cuts: UInt32, chain: UInt32) {
        self.last = last
        self.written = written
        self.cuts = cuts
        self.chain = chain
    }

    package static let origin = JournalLogPoint(last: .origin, written: 0, cuts: 0, chain: 0)
}

/// The header of one log file, in the newer of two slots.
package struct JournalLogHeader: Hashable, Sendable {
    package var features = JournalFeatures()
    /// The file's place among the keeper's log files; in its name as well, so that a misplaced file is told.
    package var number: UInt64
    /// Drawn at random for each use of a file: seeds every CRC in it, so that what a recycled file held before can
    /// never pass for a record.
    package var salt: UInt64
    /// Rises with each write of the header; the slot is the generation's lowest bit.
    package var generation: UInt64
    /// The number of the file's first batch, counted over all files of the keeper.
    package var firstOrdinal: UInt64
    /// Where the log stood when the file was begun.
    package var start: JournalLogPoint
    /// True when the file does not go on where the one before it ended: that one was unreadable. The log then ends at
    /// `start`, and how much is missing is not known until a coordinator has fed it again.
    package var startsAnew: Bool
    /// Bytes of the file.
    package var length: UInt64
    /// The last position that the checkpoint covers: records up to it are trimmed.
    package var base: JournalPosition
    /// Rises with each trim of this keeper: of all its files' references the highest counts.
    package var referenceGeneration: UInt64
    /// The latest checkpoint's reference, opaque here.
    package var reference: [UInt8]

    package init(
        number: UInt64,
        salt: UInt64,
        generation: UInt64,
        firstOrdinal: UInt64,
        start: JournalLogPoint,
        startsAnew: Bool = false,
        length: UInt64,
        base: JournalPosition,
        referenceGeneration: UInt64,
        reference: [UInt8]
    ) {
        self.number = number
        self.salt = salt
        self.generation = generation
        self.firstOrdinal = firstOrdinal
        self.start = start
        self.startsAnew = startsAnew
        self.length = length
        self.base = base
        self.referenceGeneration = referenceGeneration
        self.reference = reference
    }

    private static let magic: UInt64 = 0x4C4E_4A4E_5249_4143  // "CAIRNJNL"
    private static let checksumOffset = JournalFormat.headerLength - 4

    /// Where in the file this header belongs.
    package var slotOffset: Int { generation.isMultiple(of: 2) ? 0 : JournalFormat.headerSlot }

    /// The slot's bytes up to the end of the reference.
    package var encoded: [UInt8] {
        var out = JournalBytes()
        out.append(Self.magic)
        out.append(JournalFormat.version)
        out.append(UInt16(JournalFormat.headerLength))
        out.append(features.compatible)
        out.append(features.readOnly)
        out.append(features.incompatible)
        out.append(number)
        out.append(salt)
        out.append(generation)
        out.append(firstOrdinal)
        out.append(length)
        out.append(base.sequence)
        out.append(base.incarnation)
        out.append(base.stream)
        out.append(referenceGeneration)
        out.append(UInt32(reference.count))
        out.append(reference.withUnsafeBytes { JournalBytes.checksum($0, seed: salt) })
        out.append(start.chain)
        out.append(start.last.sequence)
        out.append(start.last.incarnation)
        out.append(start.written)
        out.append(start.cuts)
        out.append(UInt8(startsAnew ? 1 : 0))
        out.pad(to: Self.checksumOffset)
        out.appendChecksum()
        return out.bytes + reference
    }

    /// Reads a slot.
    package init(decoding bytes: UnsafeRawBufferPointer) throws(JournalFormatError) {
        guard bytes.count >= JournalFormat.headerLength else { throw .truncated }
        guard bytes.field(0, as: UInt64.self) == Self.magic else { throw .notFound }
        let fixed = UnsafeRawBufferPointer(rebasing: bytes[..<Self.checksumOffset])
        guard JournalBytes.checksum(fixed, seed: 0) == bytes.field(Self.checksumOffset) else { throw .checksum }
        let version: UInt16 = bytes.field(8)
        guard version == JournalFormat.version else { throw .unknownVersion(version) }
        features.compatible = bytes.field(12)
        features.readOnly = bytes.field(16)
        features.incompatible = bytes.field(20)
        guard features.incompatible == 0 else { throw .unknownFeatures(features.incompatible) }
        guard features.readOnly == 0 else { throw .unknownFeatures(features.readOnly) }
        number = bytes.field(24)
        salt = bytes.field(32)
        generation = bytes.field(40)
        firstOrdinal = bytes.field(48)
        length = bytes.field(56)
        base = JournalPosition(
            incarnation: bytes.field(72),
            stream: bytes.field(76),
            sequence: bytes.field(64)
        )
        referenceGeneration = bytes.field(80)
        let count = Int(bytes.field(88, as: UInt32.self))
        start = JournalLogPoint(
            last: JournalPosition(
                incarnation: bytes.field(108),
                stream: base.stream,
                sequence: bytes.field(100)
            ),
            written: bytes.field(112),
            cuts: bytes.field(116),
            chain: bytes.field(96)
        )
        startsAnew = bytes.field(120, as: UInt8.self) != 0
        guard base.isPossible, start.last.isPossible else { throw .invalid("sequence") }
        guard count <= JournalFormat.referenceLimit else { throw .invalid("reference length") }
        guard bytes.count >= JournalFormat.headerLength + count else { throw .truncated }
        let part = UnsafeRawBufferPointer(
            rebasing: bytes[JournalFormat.headerLength..<JournalFormat.headerLength + count]
        )
        guard JournalBytes.checksum(part, seed: salt) == bytes.field(92) else { throw .checksum }
        reference = Array(part)
    }
}
