package import ObjectModel

/// Where the live record of a shard lies.
package struct IndexEntry: Hashable, Sendable {
    package var shard: ShardID
    package var writeStamp: UInt64
    /// Of two records of one shard the one with the higher sequence counts.
    package var sequence: UInt64
    package var segment: UInt64
    package var offset: Int
    package var headerLength: Int
    package var bodyLength: Int
    package var bodyCapacity: Int
    package var trailerCapacity: Int

    package init(
        shard: ShardID,
        writeStamp: UInt64,
        sequence: UInt64,
        segment: UInt64,
        offset: Int,
        headerLength: Int,
        bodyLength: Int,
        bodyCapacity: Int,
        trailerCapacity: Int
    ) {
        self.shard = shard
        self.writeStamp = writeStamp
        self.sequence = sequence
        self.segment = segment
        self.offset = offset
        self.headerLength = headerLength
        self.bodyLength = bodyLength
        self.bodyCapacity = bodyCapacity
        self.trailerCapacity = trailerCapacity
    }
}

/// One change of an index.
package enum IndexChange: Hashable, Sendable {
    /// Puts an entry in the place of whatever the shard had.
    case insert(IndexEntry)
    case remove(ShardID)
}

/// The shards of one disk by id: a cache of what the segments say, which may be lost at any time.
///
/// Calls are synchronous, short and thread-safe.
package protocol ShardIndex: Sendable {
    var count: Int { get }
    func lookup(_ shard: ShardID) -> IndexEntry?
    /// Applies all changes, or none where one fails.
    func apply(_ changes: [IndexChange])
    /// Entries in the order of their ids, from the first behind `shard` on.
    func entries(after shard: ShardID?, limit: Int) -> [IndexEntry]
}
