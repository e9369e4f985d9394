package import ObjectModel

/// The fixed part of a footer.
package struct FooterHeader: Hashable, Sendable {
    package var entryCount: Int
    package var recordLength: Int
    var entriesChecksum: UInt32

    static let headerLength = 72

    static func decode(_ head: RecordHead, _ fields: FormatReader) throws(DiskFormatError) -> FooterHeader {
        var reader = fields
        let count = Int(try reader.get(UInt32.self))
        guard try reader.get(UInt32.self) == UInt32(SegmentFooter.entryLength) else {
            throw .unsupported("entries of a footer")
        }
        try reader.skip(8)
        let checksum: UInt32 = try reader.get()
        let needed = headerLength + count * SegmentFooter.entryLength + SegmentFooter.locatorLength
        guard needed <= head.recordLength, head.headerLength == headerLength else {
            throw .inconsistent("length of a footer")
        }
        return FooterHeader(entryCount: count, recordLength: head.recordLength, entriesChecksum: checksum)
    }
}

/// The table of a full segment's records, and the end of its file.
package struct SegmentFooter: Hashable, Sendable {
    /// One record of the segment.
    package struct Entry: Hashable, Sendable {
        package enum Content: Hashable, Sendable {
            case shard(bodyLength: Int, bodyCapacity: Int, trailerCapacity: Int, headerLength: Int)
            /// Of the dead record; the entry's stamp is the dead record's too.
            case tombstone(deadSequence: UInt64, deadSegment: UInt64)
        }

        package var content: Content
        /// Of a shard: whether it was sealed.
        package var isSealed: Bool
        /// A multiple of 64, as is `length`.
        package var offset: Int
        package var length: Int
        package var shard: ShardID
        package var writeStamp: UInt64
        package var sequence: UInt64

        package init(
            content: Content,
            isSealed: Bool,
            offset: Int,
            length: Int,
            shard: ShardID,
            writeStamp: UInt64,
            sequence: UInt64
        ) {
            self.content = content
            self.isSealed = isSealed
            self.offset = offset
            self.length = length
            self.shard = shard
            self.writeStamp = writeStamp
            self.sequence = sequence
        }
    }

    package var entries: [Entry]

    package init(entries: [Entry]) { self.entries = entries }

    package static let entryLength = 64
    package static let locatorLength = 64
    private static let unit = 64
    private static let locatorMagic: UInt32 = 0x746F_4643

    /// Bytes of a footer with `count` entries.
    package static func length(entryCount count: Int, in kind: SegmentKind) -> Int {
        let exact = FooterHeader.headerLength + count * entryLength + locatorLength
        return (exact + kind.alignment - 1) & ~(kind.alignment - 1)
    }

    /// The whole record, for `offset` of `segment`, at which the file then ends.
    package func encoded(at offset: Int, in segment: SegmentHeader, sequence: UInt64) -> [UInt8] {
        let place = segment.place(offset)
        let length = Self.length(entryCount: entries.count, in: segment.kind)
        var table = FormatWriter(capacity: entries.count * Self.entryLength)
        for entry in entries { Self.put(entry, &table) }
        let checksum = table.bytes.withUnsafeBytes { place.checksum($0) }
        let head = RecordHead(
            kind: .footer,
            headerLength: FooterHeader.headerLength,
            recordLength: length,
            sequence: sequence
        )
        var writer = FormatWriter(capacity: length)
        writer.put(
            bytes: head.encoded(at: place) { writer in
                writer.put(UInt32(clamping: entries.count))
                writer.put(UInt32(Self.entryLength))
                writer.put(UInt64(0))
                writer.put(checksum)
            }
        )
        writer.put(bytes: table.bytes)
        writer.pad(to: length - Self.locatorLength)
        writer.put(bytes: Self.locator(of: offset, length: length, in: segment))
        return writer.bytes
    }

    /// The footer whose locator the last 64 bytes of the file are: its offset and length; nil when they are none.
    package static func locate(
        _ locator: UnsafeRawBufferPointer,
        fileLength: Int,
        in segment: SegmentHeader
    ) -> Range<Int>? {
        let content = UnsafeRawBufferPointer(rebasing: locator.prefix(locatorLength - 4))
        var reader = FormatReader(content)
        var end = FormatReader(locator, at: locatorLength - 4)
        let range = try? { () throws(DiskFormatError) -> Range<Int>? in
            guard try reader.get(UInt32.self) == locatorMagic else { return nil }
            try reader.skip(4)
            guard try reader.get(UInt64.self) == segment.segment else { return nil }
            let offset = try reader.getLength()
            let length = try reader.getLength()
            let place = segment.place(fileLength - locatorLength)
            guard try end.get(UInt32.self) == place.checksum(content), length <= fileLength,
                offset == fileLength - length
            else { return nil }
            return offset..<fileLength
        }()
        return range ?? nil
    }

    /// Reads and checks a whole footer; `bytes` are the record, at `offset` of `segment`.
    package static func decode(
        _ bytes: UnsafeRawBufferPointer,
        at offset: Int,
        in segment: SegmentHeader
    ) throws(DiskFormatError) -> SegmentFooter {
        let place = segment.place(offset)
        let decoded = try RecordHeader.decode(bytes, at: place, in: segment.kind)
        guard case .footer(let header) = decoded.header else { throw .notFound }
        guard header.recordLength <= bytes.count else { throw .truncated }
        let end = FooterHeader.headerLength + header.entryCount * entryLength
        let table = UnsafeRawBufferPointer(rebasing: bytes[FooterHeader.headerLength..<end])
        guard place.checksum(table) == header.entriesChecksum else { throw .badChecksum }
        var reader = FormatReader(table)
        var entries: [Entry] = []
        entries.reserveCapacity(header.entryCount)
        for _ in 0..<header.entryCount { entries.append(try entry(&reader)) }
        return SegmentFooter(entries: entries)
    }

    private static func locator(of offset: Int, length: Int, in segment: SegmentHeader) -> [UInt8] {
        var writer = FormatWriter(capacity: locatorLength)
        writer.put(locatorMagic)
        writer.put(UInt32(0))
        writer.put(segment.segment)
        writer.put(UInt64(clamping: offset))
        writer.put(UInt64(clamping: length))
        writer.pad(to: locatorLength - 4)
        let place = segment.place(offset + length - locatorLength)
        writer.put(writer.bytes.withUnsafeBytes { place.checksum($0) })
        return writer.bytes
    }

    private static func put(_ entry: Entry, _ writer: inout FormatWriter) {
        let start = writer.count
        let kind: RecordKind = if case .shard = entry.content { .shard } else { .tombstone }
        writer.put(kind.rawValue)
        writer.put(UInt8(entry.isSealed ? 1 : 0))
        writer.put(UInt16(0))
        writer.put(UInt32(clamping: entry.offset / unit))
        writer.put(entry.shard)
        writer.pad(to: start + 28)
        writer.put(UInt32(clamping: entry.length / unit))
        writer.put(entry.writeStamp)
        writer.put(entry.sequence)
        switch entry.content {
        case .shard(let bodyLength, let bodyCapacity, let trailerCapacity, let headerLength):
            writer.put(UInt32(clamping: bodyLength))
            writer.put(UInt32(clamping: bodyCapacity))
            writer.put(UInt32(clamping: trailerCapacity))
            writer.put(UInt16(clamping: headerLength))
            writer.put(UInt16(0))
        case .tombstone(let deadSequence, let deadSegment):
            writer.put(deadSequence)
            writer.put(deadSegment)
        }
    }

    private static func entry(_ reader: inout FormatReader) throws(DiskFormatError) -> Entry {
        let kind: UInt8 = try reader.get()
        let isSealed = try reader.get(UInt8.self) & 1 == 1
        try reader.skip(2)
        let offset = Int(try reader.get(UInt32.self)) * unit
        let shard = try reader.getShard()
        try reader.skip(3)
        let length = Int(try reader.get(UInt32.self)) * unit
        let stamp: UInt64 = try reader.get()
        let sequence: UInt64 = try reader.get()
        let content: Entry.Content
        switch RecordKind(rawValue: kind) {
        case .shard:
            let bodyLength = Int(try reader.get(UInt32.self))
            let bodyCapacity = Int(try reader.get(UInt32.self))
            let trailerCapacity = Int(try reader.get(UInt32.self))
            let headerLength = Int(try reader.get(UInt16.self))
            try reader.skip(2)
            content = .shard(
                bodyLength: bodyLength,
                bodyCapacity: bodyCapacity,
                trailerCapacity: trailerCapacity,
                headerLength: headerLength
            )
        case .tombstone:
            content = .tombstone(deadSequence: try reader.get(), deadSegment: try reader.get())
        default:
            throw .unsupported("kind \(kind) in a footer")
        }
        return Entry(
            content: content,
            isSealed: isSealed,
            offset: offset,
            length: length,
            shard: shard,
            writeStamp: stamp,
            sequence: sequence
        )
    }
}
