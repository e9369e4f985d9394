internal import Checksums

/// Where a record lies, with the salt of its segment: what its header's checksum is seeded with.
package struct RecordPlace: Hashable, Sendable {
    package var salt: UInt64
    package var segment: UInt64
    package var offset: Int

    package init(salt: UInt64, segment: UInt64, offset: Int) {
        self.salt = salt
        self.segment = segment
        self.offset = offset
    }

    /// crc(salt, segment id, offset; `bytes`).
    package func checksum(_ bytes: UnsafeRawBufferPointer) -> UInt32 {
        let seed = (salt.littleEndian, segment.littleEndian, UInt64(clamping: offset).littleEndian)
        return CRC32C.checksum(bytes, continuing: withUnsafeBytes(of: seed) { CRC32C.checksum($0) })
    }
}

/// What a record is; the number is the one on disk.
package enum RecordKind: UInt8, Sendable {
    case shard = 1
    case tombstone = 2
    case footer = 3
    case supersededMark = 4
}

/// The 48 bytes that every record begins with.
package struct RecordHead: Hashable, Sendable {
    /// As on disk: a later version may know more kinds than `RecordKind`.
    package var kind: UInt8
    package var headerLength: Int
    package var recordLength: Int
    /// Counts the reservations of the disk; the copy of a record keeps it.
    package var sequence: UInt64
    package var features: RecordFeatures

    init(kind: RecordKind, headerLength: Int, recordLength: Int, sequence: UInt64, features: RecordFeatures = .init()) {
        self.kind = kind.rawValue
        self.headerLength = headerLength
        self.recordLength = recordLength
        self.sequence = sequence
        self.features = features
    }

    /// Bytes that are the same in every record.
    package static let length = 48
    /// Bytes of a header at most: it fits the block it has in an aligned record.
    package static let maximumHeaderLength = Block.size

    static let magic: UInt32 = 0x6365_5243
    /// CRC-32C for headers, leaves, tables and trailers; XXH3-128 for digests.
    static let checksumID: UInt8 = 1
}

/// The feature bits of one record, 16 of each class.
package struct RecordFeatures: Hashable, Sendable {
    package var compatible: UInt16 = 0
    package var readOnly: UInt16 = 0
    package var incompatible: UInt16 = 0

    package init(compatible: UInt16 = 0, readOnly: UInt16 = 0, incompatible: UInt16 = 0) {
        self.compatible = compatible
        self.readOnly = readOnly
        self.incompatible = incompatible
    }
}

extension RecordHead {
    /// Encodes a whole header: these 48 bytes, what `fields` writes, and the checksum.
    func encoded(at place: RecordPlace, _ fields: (inout FormatWriter) -> Void) -> [UInt8] {
        var writer = FormatWriter(capacity: headerLength)
        writer.put(Self.magic)
        writer.put(kind)
        writer.put(Self.checksumID)
        writer.put(UInt16(clamping: headerLength))
        writer.put(features.compatible)
        writer.put(features.readOnly)
        writer.put(features.incompatible)
        writer.put(UInt16(0))
        writer.put(UInt64(clamping: recordLength))
        writer.put(place.segment)
        writer.put(UInt64(clamping: place.offset))
        writer.put(sequence)
        fields(&writer)
        writer.pad(to: headerLength - 4)
        writer.put(writer.bytes.withUnsafeBytes { place.checksum($0) })
        return writer.bytes
    }

    /// The first offset, of those that are a multiple of `step`, at which the magic of a header is. Whether it is one,
    /// only decoding says; this is for walks over what may be millions of places without one.
    package static func candidate(in bytes: UnsafeRawBufferPointer, step: Int) -> Int? {
        stride(from: 0, through: bytes.count - length, by: step).first { offset in
            UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: UInt32.self)) == magic
        }
    }

    /// Reads and checks a whole header, and gives a reader of the fields of its kind.
    static func decode(
        _ bytes: UnsafeRawBufferPointer,
        at place: RecordPlace
    ) throws(DiskFormatError) -> (head: RecordHead, fields: FormatReader) {
        var reader = FormatReader(bytes)
        guard try reader.get(UInt32.self) == magic else { throw .notFound }
        let kind: UInt8 = try reader.get()
        let checksumID: UInt8 = try reader.get()
        let headerLength = Int(try reader.get(UInt16.self))
        guard headerLength >= length + 4, headerLength <= maximumHeaderLength else { throw .badChecksum }
        guard headerLength <= bytes.count else { throw .truncated }
        let content = UnsafeRawBufferPointer(rebasing: bytes[..<(headerLength - 4)])
        var end = FormatReader(bytes, at: headerLength - 4)
        guard try end.get(UInt32.self) == place.checksum(content) else { throw .badChecksum }
        guard checksumID == Self.checksumID else { throw .unsupported("checksum \(checksumID)") }
        reader = FormatReader(content, at: 8)
        let features = RecordFeatures(
            compatible: try reader.get(),
            readOnly: try reader.get(),
            incompatible: try reader.get()
        )
        try reader.skip(2)
        let recordLength = try reader.getLength()
        guard try reader.get(UInt64.self) == place.segment, try reader.getLength() == place.offset else {
            throw .inconsistent("place of a record")
        }
        guard recordLength >= headerLength, recordLength <= maximumRecordLength else {
            throw .inconsistent("length of a record")
        }
        var head = RecordHead(
            kind: .shard,
            headerLength: headerLength,
            recordLength: recordLength,
            sequence: try reader.get(),
            features: features
        )
        head.kind = kind
        return (head, reader)
    }

    /// Far more than any record of version 1 takes, small enough that sums of offsets never overflow.
    static let maximumRecordLength = 1 << 40
}

/// Any record's header, decoded.
package enum RecordHeader: Hashable, Sendable {
    case shard(ShardRecordHeader)
    case tombstone(Tombstone)
    case footer(FooterHeader)
    case supersededMark(SupersededMark)
    /// A kind of a later version: skipped by its length.
    case unknown(RecordHead)

    /// `bytes` begin at `place`; a kind's whole header must be among them (`RecordHead.maximumHeaderLength` is enough).
    package static func decode(
        _ bytes: UnsafeRawBufferPointer,
        at place: RecordPlace,
        in kind: SegmentKind
    ) throws(DiskFormatError) -> (header: RecordHeader, head: RecordHead) {
        let (head, fields) = try RecordHead.decode(bytes, at: place)
        guard head.recordLength % kind.alignment == 0 else { throw .inconsistent("length of a record") }
        if head.features.incompatible != 0 { return (.unknown(head), head) }
        let header: RecordHeader =
            switch RecordKind(rawValue: head.kind) {
            case .shard: .shard(try ShardRecordHeader.decode(head, fields, in: kind))
            case .tombstone: .tombstone(try Tombstone.decode(head, fields))
            case .footer: .footer(try FooterHeader.decode(head, fields))
            case .supersededMark: .supersededMark(try SupersededMark.decode(head, fields))
            case nil: .unknown(head)
            }
        return (header, head)
    }
}
