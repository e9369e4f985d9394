internal import ObjectModel

/// What a blob's row says of each of its shards: a bit each, at most one of both set.
struct ShardMarks: Hashable {
    /// Not on its disk: to be repaired.
    var missing: UInt32
    /// On the disk that stood in its place before: to be moved.
    var moving: UInt32

    init(missing: UInt32 = 0, moving: UInt32 = 0) {
        self.missing = missing
        self.moving = moving & ~missing
    }

    init(_ record: BlobRecord) {
        self.init(missing: Self.mask(record.missing), moving: Self.mask(record.moving))
    }

    var isEmpty: Bool { missing == 0 && moving == 0 }

    // One number in a row, so that one without shards that move is as it always was.

    var number: UInt64 { UInt64(moving) << 32 | UInt64(missing) }

    init(number: UInt64) throws(MetadataError) {
        self.init(missing: UInt32(truncatingIfNeeded: number), moving: UInt32(truncatingIfNeeded: number >> 32))
        guard self.number == number else { throw .corrupt("marks of a blob's shards") }
    }

    static func bit(_ index: UInt8) -> UInt32 { index < 32 ? 1 << UInt32(index) : 0 }

    static func mask(_ indices: some Sequence<UInt8>) -> UInt32 { indices.reduce(0) { $0 | bit($1) } }

    static func indices(_ mask: UInt32) -> [UInt8] {
        mask == 0 ? [] : (UInt8(0)..<32).filter { mask & bit($0) != 0 }
    }

    mutating func setMissing(_ mask: UInt32) {
        missing |= mask
        moving &= ~mask
    }

    mutating func setMoving(_ mask: UInt32) { moving |= mask & ~missing }

    mutating func setPresent(_ mask: UInt32) {
        missing &= ~mask
        moving &= ~mask
    }
}
