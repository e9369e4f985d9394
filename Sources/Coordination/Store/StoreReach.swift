internal import BlobStorage
package import Metadata
internal import ObjectInterface
package import ObjectModel
package import Placement
import Synchronization

/// What can be read of a store, by what is known to be missing and by the disks that are served.
package struct StoreReach: Hashable, Sendable {
    /// Of the blob, or the group, with the fewest; negative when it cannot be read. Nil without groups.
    package private(set) var fewestSpares: Int?
    /// Groups with fewer than k disks served: what lies there cannot be read.
    package private(set) var unreadableGroups = 0
    /// Blobs that lack shards, and have fewer than k where they can be read; of those in `missing`.
    package private(set) var unreadable: [BlobID] = []

    /// Each group and blob counts by its own scheme. A place that is being moved counts when both its ends are served:
    /// a shard may be at either.
    package init(of groups: [ClusterMap.Group], missing: [MissingShard], served: Set<DiskID>) {
        var reachable: [GroupID: (places: Set<Int>, needed: Int)] = [:]
        for group in groups {
            let places = group.members.indices.filter { index in
                served.contains(group.members[index]) && (group.former[UInt8(index)].map(served.contains) ?? true)
            }
            reachable[group.id] = (Set(places), group.scheme.dataCount)
            if !note(spares: places.count - group.scheme.dataCount) { unreadableGroups += 1 }
        }
        for (blob, shards) in Dictionary(grouping: missing, by: \.shard.blob).sorted(by: { $0.key < $1.key }) {
            guard let first = shards.first, let (places, needed) = reachable[first.group] else { continue }
            let good = places.subtracting(shards.map { Int($0.shard.index) }).count
            if !note(spares: good - needed) { unreadable.append(blob) }
        }
    }

    /// Whether it can be read.
    private mutating func note(spares: Int) -> Bool {
        fewestSpares = min(fewestSpares ?? spares, spares)
        return spares >= 0
    }
}

extension Store {
    /// Groups and blobs that cannot be read, and may have a good shard on this disk. Groups in which nothing lies need
    /// none. What reads have just found bad is noted first: with it more may need the disk.
    func needing(_ disk: DiskID) async throws(StorageError) -> Int {
        try await repairer.noteSuspects()
        let held = heldGroups
        let groups = blobs.view.map.groups.values.filter {
            ($0.members.contains(disk) || $0.former.values.contains(disk)) && held?.contains($0.id) ?? true
        }
        let usable = served.withLock { served in Set(served.filter { !$0.value.isAway }.map(\.key)) }
        let missing = try await metadata.missingShards(limit: Self.countedMissing)
        let reach = StoreReach(of: groups, missing: missing, served: usable)
        let lost = Set(missing.map(\.shard))
        let places = groups.map { group in
            (group.id, group.members.indices.filter { group.members[$0] == disk || group.former[UInt8($0)] == disk })
        }
        let placesByGroup = Dictionary(places) { first, _ in first }
        let groupOf = Dictionary(missing.map { ($0.shard.blob, $0.group) }) { first, _ in first }
        let blobs = reach.unreadable.count { blob in
            let places = groupOf[blob].flatMap { placesByGroup[$0] } ?? []
            return places.contains { !lost.contains(ShardID(blob: blob, index: UInt8($0))) }
        }
        return reach.unreadableGroups + blobs
    }
}
