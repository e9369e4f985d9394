internal import DiskFormat
internal import ObjectModel

/// A row of the blobs table: what changes of a blob (missing shards, references, frames in use), and what never does.
struct BlobRow {
    var marks: ShardMarks
    /// Owners (versions, parts, checkpoints) that name the blob.
    var references: Int
    /// How often each frame is named.
    var usage: FrameUsage
    var content: BlobContent

    init(_ record: BlobRecord) {
        marks = ShardMarks(record)
        references = 0
        content = BlobContent(record)
        usage = FrameUsage(frames: content.frameCount, count: 0)
    }

    func record(_ id: BlobID) -> BlobRecord {
        BlobRecord(
            id: id,
            group: content.group,
            length: content.length,
            frames: content.frames,
            ingestDigest: content.digest,
            dataKeys: content.dataKeys,
            missing: ShardMarks.indices(marks.missing),
            moving: ShardMarks.indices(marks.moving)
        )
    }

    /// Logical bytes of the frames that something names.
    var liveBytes: Int {
        if usage.isOnce { return content.logicalLength }
        return usage.live.reduce(0) { $0 + content.logicalLength(of: $1) }
    }

    func encoded() -> [UInt8] {
        var writer = ByteWriter(capacity: 48)
        writer.put(marks.number)
        writer.put(references)
        if usage.isOnce {
            writer.put(0)
        } else {
            writer.put(usage.runs.count)
            for run in usage.runs {
                writer.put(run.frames)
                writer.put(run.count)
            }
        }
        content.encode(into: &writer)
        return writer.bytes
    }

    init(_ bytes: [UInt8]) throws(MetadataError) {
        var reader = ByteReader(bytes)
        marks = try ShardMarks(number: try reader.getInteger())
        references = try reader.getInt()
        let runCount = try reader.getCount(size: 2)
        var runs: [FrameUsage.Run] = []
        for _ in 0..<runCount { runs.append(FrameUsage.Run(frames: try reader.getInt(), count: try reader.getInt())) }
        content = try BlobContent(&reader)
        try reader.expectEnd(of: "a blob")
        let frameCount = content.frameCount
        var frames = 0
        for run in runs {
            guard run.frames <= frameCount - frames else { throw .corrupt("frames of a blob") }
            frames += run.frames
        }
        guard runCount == 0 || frames == frameCount else { throw .corrupt("frames of a blob") }
        usage = runCount == 0 ? FrameUsage(frames: frameCount, count: 1) : FrameUsage(runs: runs)
    }

    /// The row with other marks, and the group, without decoding the rest: nil when they stay the same.
    static func marking(
        _ bytes: [UInt8],
        _ change: (_ group: GroupID, _ marks: inout ShardMarks) -> Void
    ) throws(MetadataError) -> (bytes: [UInt8], before: ShardMarks, after: ShardMarks, group: GroupID)? {
        var reader = ByteReader(bytes)
        let before = try ShardMarks(number: try reader.getInteger())
        let behindMask = reader.position
        _ = try reader.getInt()
        for _ in 0..<(2 * (try reader.getCount(size: 2))) { _ = try reader.getInt() }
        let group = GroupID(try reader.getUInt32())
        var after = before
        change(group, &after)
        guard after != before else { return nil }
        var writer = ByteWriter(capacity: bytes.count + 4)
        writer.put(after.number)
        writer.put(raw: [UInt8](bytes[behindMask...]))
        return (writer.bytes, before, after, group)
    }
}

/// What of a blob never changes.
struct BlobContent {
    var group: GroupID
    var length: Int
    var digest: ContentDigest
    var frames: FrameIndex
    var dataKeys: [DataKey]

    private static let hasFrames: UInt8 = 1
    private static let hasKeys: UInt8 = 2

    init(_ record: BlobRecord) {
        group = record.group
        length = record.length
        digest = record.ingestDigest
        frames = record.frames
        dataKeys = record.dataKeys
    }

    var frameCount: Int { frames.count(storedLength: length) }

    /// Logical bytes of all frames.
    var logicalLength: Int {
        switch frames {
        case .uniform: length
        case .explicit(let frames): frames.reduce(0) { $0 + $1.logicalLength }
        }
    }

    /// Logical bytes of some frames.
    func logicalLength(of range: Range<Int>) -> Int {
        switch frames {
        case .uniform:
            min(length, range.upperBound * Limits.frameLength) - min(length, range.lowerBound * Limits.frameLength)
        case .explicit(let frames):
            frames[range.clamped(to: frames.indices)].reduce(0) { $0 + $1.logicalLength }
        }
    }

    /// The frames an extent touches; nil when it does not lie within the blob.
    func frames(of extent: Extent) -> Range<Int>? {
        guard extent.firstFrame >= 0, extent.offset >= 0, extent.length >= 0, extent.firstFrame <= frameCount,
            extent.offset <= Limits.blobLength * Limits.partCount, extent.length <= Limits.objectLength
        else { return nil }
        if extent.length == 0 { return extent.firstFrame..<extent.firstFrame }
        let end = extent.offset + extent.length
        switch frames {
        case .uniform:
            let start = extent.firstFrame * Limits.frameLength
            guard start + end <= length else { return nil }
            return extent.firstFrame + extent.offset / Limits.frameLength..<extent.firstFrame
                + (end + Limits.frameLength - 1) / Limits.frameLength
        case .explicit(let frames):
            var position = 0
            var first: Int?
            for index in extent.firstFrame..<frames.count {
                position += frames[index].logicalLength
                if first == nil, position > extent.offset { first = index }
                if position >= end, let first { return first..<index + 1 }
            }
            return nil
        }
    }

    func encode(into writer: inout ByteWriter) {
        writer.put(group.number)
        writer.put(length)
        writer.put(digest)
        writer.put(byte: (frames.isUniform ? 0 : Self.hasFrames) | (dataKeys.isEmpty ? 0 : Self.hasKeys))
        if case .explicit(let frames) = frames {
            writer.put(frames.count)
            for frame in frames { FrameRow.put(frame, into: &writer) }
        }
        guard !dataKeys.isEmpty else { return }
        writer.put(dataKeys.count)
        for key in dataKeys {
            writer.put(byte: key.slot)
            writer.put(key.wrapped)
            writer.put(key.nonceBase)
        }
    }

    init(_ reader: inout ByteReader) throws(MetadataError) {
        group = GroupID(try reader.getUInt32())
        length = try reader.getInt()
        guard length <= Limits.blobLength else { throw .corrupt("length of a blob") }
        digest = try reader.getDigest()
        let flags = try reader.getByte()
        guard flags <= Self.hasFrames | Self.hasKeys else { throw .unsupported("flags of a blob") }
        frames = .uniform
        dataKeys = []
        if flags & Self.hasFrames != 0 {
            var list: [Frame] = []
            let count = try reader.getCount(size: 2)
            list.reserveCapacity(count)
            for _ in 0..<count { list.append(try FrameRow.get(from: &reader)) }
            frames = .explicit(list)
        }
        guard flags & Self.hasKeys != 0 else { return }
        for _ in 0..<(try reader.getCount(size: 3)) {
            dataKeys.append(
                DataKey(slot: try reader.getByte(), wrapped: try reader.getBytes(), nonceBase: try reader.getBytes())
            )
        }
    }
}

/// One frame of an explicit index: flags, stored length, and what differs from the usual.
private enum FrameRow {
    private static let hasLogicalLength: UInt8 = 1 << 6
    private static let hasKeySlot: UInt8 = 1 << 7

    static func put(_ frame: Frame, into writer: inout ByteWriter) {
        let isFull = frame.logicalLength == Limits.frameLength
        writer.put(
            byte: frame.codec.rawValue | frame.filter.rawValue << 3 | (isFull ? 0 : hasLogicalLength)
                | (frame.keySlot == 0 ? 0 : hasKeySlot)
        )
        writer.put(frame.storedLength)
        if !isFull { writer.put(frame.logicalLength) }
        if frame.keySlot != 0 { writer.put(byte: frame.keySlot) }
    }

    static func get(from reader: inout ByteReader) throws(MetadataError) -> Frame {
        let flags = try reader.getByte()
        guard let codec = Frame.Codec(rawValue: flags & 7), let filter = Frame.Filter(rawValue: flags >> 3 & 7) else {
            throw .unsupported("frame codec \(flags & 63)")
        }
        let stored = try reader.getInt()
        let logical = flags & hasLogicalLength == 0 ? Limits.frameLength : try reader.getInt()
        let slot = flags & hasKeySlot == 0 ? 0 : try reader.getByte()
        guard stored <= Limits.blobLength, logical <= Limits.frameLength else { throw .corrupt("length of a frame") }
        return Frame(logicalLength: logical, storedLength: stored, filter: filter, codec: codec, keySlot: slot)
    }
}
