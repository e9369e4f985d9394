/// A set of shards of one scheme, iterated in ascending order.
struct ShardMask: Hashable, Sendable, Sequence {
    private(set) var bits: UInt32 = 0

    var count: Int { bits.nonzeroBitCount }

    func contains(_ shard: Int) -> Bool { bits & 1 << UInt32(shard) != 0 }

    /// How many shards of the set are lower than `shard`.
    func rank(of shard: Int) -> Int { (bits & (1 << UInt32(shard) - 1)).nonzeroBitCount }

    /// Adds a shard, 0 ..< 32; false when it was there.
    mutating func insert(_ shard: Int) -> Bool {
        let bit: UInt32 = 1 << UInt32(shard)
        defer { bits |= bit }
        return bits & bit == 0
    }

    /// The `count` lowest shards.
    func lowest(_ count: Int) -> ShardMask {
        var result = ShardMask()
        for shard in self.prefix(count) { _ = result.insert(shard) }
        return result
    }

    struct Iterator: IteratorProtocol {
        fileprivate var bits: UInt32

        mutating func next() -> Int? {
            guard bits != 0 else { return nil }
            let shard = bits.trailingZeroBitCount
            bits &= bits - 1
            return shard
        }
    }

    func makeIterator() -> Iterator { Iterator(bits: bits) }
}
