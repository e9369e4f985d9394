internal import Metadata
internal import ObjectModel
internal import ShardStorage

/// All blobs of which some disk has a shard, in the order of their ids: the inventories merged.
struct BlobWalk {
    private let disks: [ShardDisk]
    private var heads: [BlobID?]
    private var queues: [ArraySlice<IndexEntry>]
    private static let batch = 1_024

    init(_ cluster: RecoveryCluster) {
        disks = cluster.disks.disks.map(\.shards)
        heads = disks.map { _ in nil }
        queues = disks.map { _ in [] }
        for index in disks.indices { refill(index, after: nil) }
    }

    mutating func next() -> BlobID? {
        guard let blob = heads.compactMap({ $0 }).min() else { return nil }
        for index in disks.indices where heads[index] == blob {
            let end = ShardID(blob: blob, index: .max)
            queues[index] = queues[index].drop { $0.shard <= end }
            if queues[index].isEmpty { refill(index, after: end) }
            heads[index] = queues[index].first?.shard.blob
        }
        return blob
    }

    private mutating func refill(_ index: Int, after shard: ShardID?) {
        queues[index] = disks[index].inventory(after: shard, limit: Self.batch)[...]
        heads[index] = queues[index].first?.shard.blob
    }
}

/// Which of the blobs that metadata does not name may hold something that was acknowledged, or about to be.
///
/// A blob under a write lease that has ended was refused, aborted or deleted: nobody misses it. One under a lease that
/// is open, or that the metadata has not heard of, may belong to a change that only missing keepers have, or to an
/// upload that was never answered (DESIGN §4). Behind a start that was forced, or with metadata that was put back,
/// that is so of every blob, until an operator has accepted what was lost.
struct UncommittedBlobs {
    private let active: Set<WriteLease>
    private let newest: WriteLease
    private let granted: GrantedLeases
    private let mayMissAny: Bool
    private let dead: Set<BlobID>

    /// `isTailComplete`: every acknowledged change is in the metadata.
    init(_ metadata: any ReplicatedMetadata, isTailComplete: Bool) async throws {
        active = Set(try await metadata.activeLeases().map(\.lease))
        granted = try await metadata.grantedLeases()
        mayMissAny = try await metadata.forcedStart()?.isAccepted == false
        let incarnation = try await metadata.incarnation()
        newest = active.max() ?? WriteLease(incarnation: incarnation, number: isTailComplete ? .max : 0)
        var dead: Set<BlobID> = []
        var last: BlobID?
        while true {
            let page = try await metadata.deadBlobs(after: last, limit: 1_000)
            dead.formUnion(page.map(\.id))
            guard page.count == 1_000 else { break }
            last = page.last?.id
        }
        self.dead = dead
    }

    /// Whether it was written in a time that the metadata knows nothing of: then changes are missing, whatever keepers
    /// were found. They have been put back as they were once.
    func isLater(_ blob: BlobID) -> Bool { !granted.contains(blob.writeLease) }

    func mayMatter(_ blob: BlobID, in metadata: any ReplicatedMetadata) async throws -> Bool {
        let lease = blob.writeLease
        guard mayMissAny || active.contains(lease) || lease > newest || isLater(blob), !dead.contains(blob) else {
            return false
        }
        return try await metadata.blob(blob) == nil
    }
}
