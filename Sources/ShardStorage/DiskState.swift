internal import DiskFormat
internal import ObjectModel
internal import SystemInterface

/// Everything about an open disk that changes: value state behind one mutex, never held across an await.
struct DiskState: Sendable {
    var identity: DiskIdentity
    var segments: [UInt64: SegmentState] = [:]
    /// The segment that takes new records, by kind.
    var openSegments: [SegmentKind: UInt64] = [:]
    var nextSegment: UInt64
    var nextSequence: UInt64 = 1
    /// Why the disk takes no more writes.
    var failure: String?
    var isClosed = false
    /// Shards that are being written, each with what was erased meanwhile.
    var pendingShards: [ShardID: PendingShard] = [:]
    /// Files of closed segments that are open for reading, with the tick of their last use.
    var readFiles: [UInt64: (file: any File, used: UInt64)] = [:]
    var tick: UInt64 = 0
    /// Files that read past the page cache.
    var directFiles: [UInt64: any File] = [:]
    /// Reserve files that are there.
    var reserveFiles: [String] = []
    var reserveWanted = 0
    var scrub = ScrubState()
    /// Segments that still hold sealed records that are dead or lie elsewhere now, by shard: as long as there is one, a
    /// tombstone of the shard must stay.
    var deadRecords: [ShardID: [UInt64]] = [:]
    /// Records may lie where the medium could not be read when the disk was opened, and be there at the next opening:
    /// no tombstone is given up.
    var hidesRecords = false
    /// Segments removed since the disk was opened.
    var removals = 0

    /// A shard with writes under way.
    struct PendingShard: Sendable {
        var writers = 0
        /// Records up to this sequence were erased: a write that was reserved before is dead when it ends.
        var erasedThrough: UInt64 = 0
    }

    init(identity: DiskIdentity, nextSegment: UInt64) {
        self.identity = identity
        self.nextSegment = nextSegment
    }

    func checkReadable() throws(ShardStorageError) {
        if isClosed { throw .closed }
    }

    func checkWritable() throws(ShardStorageError) {
        if isClosed { throw .closed }
        if let failure { throw .diskFailed(failure) }
    }

    /// Why no new segment can be made, though no write has failed; nil while one can.
    var refusal: String? {
        guard nextSegment >= SegmentHeader.newIDLimit else { return nil }
        return "it can make no new segment, as its segment ids are used up; what is on it can be read"
    }

    mutating func takeSequence() -> UInt64 {
        defer { nextSequence += 1 }
        return nextSequence
    }

    mutating func beginPending(_ shard: ShardID) { pendingShards[shard, default: PendingShard()].writers += 1 }

    mutating func endPending(_ shard: ShardID) {
        guard var pending = pendingShards[shard] else { return }
        pending.writers -= 1
        pendingShards[shard] = pending.writers > 0 ? pending : nil
    }

    /// Makes a sealed record the live one of its shard, unless a later one or an erasure came before.
    mutating func publish(_ entry: IndexEntry, in index: any ShardIndex) {
        if let pending = pendingShards[entry.shard], pending.erasedThrough >= entry.sequence {
            noteDead(entry.shard, in: entry.segment)
            return
        }
        if let old = index.lookup(entry.shard) {
            guard old.sequence <= entry.sequence else {
                noteDead(entry.shard, in: entry.segment)
                return
            }
            count(old, by: -1)
            noteDead(old.shard, in: old.segment)
        }
        count(entry, by: 1)
        index.apply([.insert(entry)])
    }

    mutating func noteDead(_ shard: ShardID, in segment: UInt64) {
        if deadRecords[shard]?.contains(segment) != true { deadRecords[shard, default: []].append(segment) }
    }

    /// Forgets a segment whose file has been removed.
    mutating func forget(_ segment: UInt64) {
        segments[segment] = nil
        readFiles[segment] = nil
        directFiles[segment] = nil
        removals += 1
        deadRecords = deadRecords.compactMapValues { holders in
            let left = holders.filter { $0 != segment }
            return left.isEmpty ? nil : left
        }
    }

    /// Counts a record's bytes as live, or no more.
    mutating func count(_ entry: IndexEntry, by factor: Int) {
        guard let kind = segments[entry.segment]?.header.kind else { return }
        segments[entry.segment]?.liveBytes += factor * entry.layout(kind).length
    }
}
