package import ObjectModel

/// Says that a record is dead: of its shard, every record whose sequence is not higher than the dead one's.
package struct Tombstone: Hashable, Sendable {
    /// The tombstone's own.
    package var sequence: UInt64
    package var shard: ShardID
    package var deadSequence: UInt64
    package var deadStamp: UInt64
    /// Where the dead record lay when this was written.
    package var deadSegment: UInt64
    package var deadOffset: Int

    package init(
        sequence: UInt64,
        shard: ShardID,
        deadSequence: UInt64,
        deadStamp: UInt64,
        deadSegment: UInt64,
        deadOffset: Int
    ) {
        self.sequence = sequence
        self.shard = shard
        self.deadSequence = deadSequence
        self.deadStamp = deadStamp
        self.deadSegment = deadSegment
        self.deadOffset = deadOffset
    }

    package static let headerLength = 108
    package static let recordLength = 128

    /// The whole record.
    package func encoded(at place: RecordPlace) -> [UInt8] {
        let head = RecordHead(
            kind: .tombstone,
            headerLength: Self.headerLength,
            recordLength: Self.recordLength,
            sequence: sequence
        )
        let header = head.encoded(at: place) { writer in
            writer.put(deadSequence)
            writer.put(deadStamp)
            writer.put(shard)
            writer.pad(to: 88)
            writer.put(deadSegment)
            writer.put(UInt64(clamping: deadOffset))
        }
        return header + [UInt8](repeating: 0, count: Self.recordLength - Self.headerLength)
    }

    static func decode(_ head: RecordHead, _ fields: FormatReader) throws(DiskFormatError) -> Tombstone {
        var reader = fields
        let sequence: UInt64 = try reader.get()
        let stamp: UInt64 = try reader.get()
        let shard = try reader.getShard()
        try reader.skip(7)
        return Tombstone(
            sequence: head.sequence,
            shard: shard,
            deadSequence: sequence,
            deadStamp: stamp,
            deadSegment: try reader.get(),
            deadOffset: try reader.getLength()
        )
    }
}

/// Says that a segment's live records lie elsewhere now, verified and durable.
package struct SupersededMark: Hashable, Sendable {
    /// Milliseconds since 1970, for people.
    package var time: Int64
    package var copiedCount: UInt32

    package init(time: Int64, copiedCount: UInt32) {
        self.time = time
        self.copiedCount = copiedCount
    }

    private static let headerLength = 68

    /// One block, for the mark slot of `segment`.
    package func encoded(in segment: SegmentHeader) -> [UInt8] {
        let head = RecordHead(
            kind: .supersededMark,
            headerLength: Self.headerLength,
            recordLength: Block.size,
            sequence: 0
        )
        let header = head.encoded(at: segment.place(SegmentHeader.markOffset)) { writer in
            writer.put(time)
            writer.put(copiedCount)
        }
        return header + [UInt8](repeating: 0, count: Block.size - Self.headerLength)
    }

    static func decode(_ head: RecordHead, _ fields: FormatReader) throws(DiskFormatError) -> SupersededMark {
        var reader = fields
        return SupersededMark(time: try reader.get(), copiedCount: try reader.get())
    }
}
