internal import ObjectModel

/// The compact form of a frame index (`Docs/DiskFormat.md`, field 1 of the trailer).
enum FrameIndexCoding {
    private static let hasLogicalLength: UInt8 = 1 << 6
    private static let hasKeySlot: UInt8 = 1 << 7

    static func encoded(_ frames: [Frame]) -> [UInt8] {
        var writer = FormatWriter(capacity: 8 + 5 * frames.count)
        writer.putVarint(UInt32(clamping: frames.count))
        for frame in frames {
            let isFull = frame.logicalLength == Limits.frameLength
            var flags = frame.codec.rawValue & 7 | (frame.filter.rawValue & 7) << 3
            if !isFull { flags |= hasLogicalLength }
            if frame.keySlot != 0 { flags |= hasKeySlot }
            writer.put(flags)
            writer.putVarint(UInt32(clamping: frame.storedLength))
            if !isFull { writer.putVarint(UInt32(clamping: frame.logicalLength)) }
            if frame.keySlot != 0 { writer.put(frame.keySlot) }
        }
        return writer.bytes
    }

    static func decode(_ bytes: [UInt8]) throws(DiskFormatError) -> [Frame] {
        try bytes.read { reader throws(DiskFormatError) in
            let count = Int(try reader.getVarint())
            // Two bytes a frame at least: a hostile count cannot make this reserve more than it was given.
            guard count <= reader.remaining / 2 else { throw .inconsistent("number of frames") }
            var frames: [Frame] = []
            frames.reserveCapacity(count)
            for _ in 0..<count { frames.append(try decodeFrame(&reader)) }
            guard reader.remaining == 0 else { throw .inconsistent("length of the frame index") }
            return frames
        }
    }

    private static func decodeFrame(_ reader: inout FormatReader) throws(DiskFormatError) -> Frame {
        let flags: UInt8 = try reader.get()
        guard let codec = Frame.Codec(rawValue: flags & 7), let filter = Frame.Filter(rawValue: flags >> 3 & 7) else {
            throw .unsupported("frame codec \(flags & 63)")
        }
        let stored = Int(try reader.getVarint())
        let logical = flags & hasLogicalLength == 0 ? Limits.frameLength : Int(try reader.getVarint())
        let slot: UInt8 = flags & hasKeySlot == 0 ? 0 : try reader.get()
        guard stored <= Limits.blobLength, logical <= Limits.frameLength else {
            throw .inconsistent("length of a frame")
        }
        return Frame(logicalLength: logical, storedLength: stored, filter: filter, codec: codec, keySlot: slot)
    }
}
