internal import BlobStorage
internal import ClusterProtocol
internal import DiskFormat
internal import Metadata
package import ObjectInterface
package import ObjectModel
package import Placement

/// What questions about losses start from.
package struct StoreSnapshot: Sendable {
    package var store: LossPlan.Store
    /// Whether every blob that lacks shards was looked at; there may be too many.
    package var isComplete: Bool
    /// Why disks are away, or hang.
    package var reasons: [DiskID: String]
}

extension Store {
    /// Missing shards looked at for a plan: after a disk was replaced there may be millions of them, all alike.
    package static let planLimit = 65_536

    /// `status` is the picture that the answer shall fit to. Reads metadata; asks no disk.
    package func snapshot(_ status: StoreStatus) async throws(StorageError) -> StoreSnapshot {
        let map = blobs.view.map
        let missing = try await metadata.missingShards(limit: Self.planLimit)
        let known = status.disks.filter { map.disks[$0.record.id] != nil }
        let away = known.filter { !$0.isServed }
        let unused = unusedSchemes
        let layout = StoreLayout(
            groups: Self.groups(of: map, unused: unused).sorted { $0.id < $1.id },
            disks: map.disks,
            damaged: Self.damaged(missing, in: map),
            unused: unused,
            closed: map.closedSchemes
        )
        return StoreSnapshot(
            store: LossPlan.Store(
                layout: layout,
                away: Set(away.map(\.record.id)),
                full: Set(known.filter { $0.isServed && ($0.room == 0 || $0.hangs) }.map(\.record.id)),
                liveBytes: Dictionary(uniqueKeysWithValues: known.map { ($0.record.id, $0.liveBytes) }),
                keepers: Self.keepers(status.journal)
            ),
            isComplete: missing.count < Self.planLimit,
            reasons: Dictionary(
                uniqueKeysWithValues: known.filter { !$0.isServed || $0.hangs }.map { ($0.record.id, $0.reason) }
            )
        )
    }

    /// Those that count: nothing is written into closed ones, and where nothing lies there either they are as good as
    /// gone.
    static func groups(of map: ClusterMap, unused: Set<Scheme>) -> [ClusterMap.Group] {
        let gone = map.closedSchemes.intersection(unused)
        return map.groups.values.filter { !gone.contains($0.scheme) }
    }

    private static func keepers(_ journal: Journal.Report) -> LossPlan.Keepers {
        let unacknowledged = journal.last.sequence - min(journal.committed, journal.last.sequence)
        return LossPlan.Keepers(
            all: journal.keepers.keepers,
            silent: Set(journal.members.filter { $0.failure != nil || !$0.isWhole }.map(\.keeper)),
            behind: Set(journal.members.filter { $0.lag > unacknowledged }.map(\.keeper)),
            needed: journal.keepers.quorum
        )
    }

    /// Schemes beside that of `STANDARD` of which no group holds a blob: of classes that were added and not used, or
    /// removed. None until all blobs were seen once after the start. A group that was filled since then counts until
    /// the next start, whatever became of its blobs.
    var unusedSchemes: Set<Scheme> {
        guard let held = heldGroups else { return [] }
        let map = blobs.view.map
        let used = held.compactMap { map.groups[$0]?.scheme }
        return Set(map.schemes).subtracting(used).subtracting([blobs.view.standardScheme].compactMap(\.self))
    }

    /// Groups in which a blob lies, or may lie; nil until all blobs were seen once after the start.
    var heldGroups: Set<GroupID>? {
        // In this order: what is added behind the look at what was there is among what was added.
        let held = inventory.heldGroups
        return held?.union(metadata.filledGroups)
    }

    /// The kinds of blobs that lack shards, each once.
    private static func damaged(_ missing: [MissingShard], in map: ClusterMap) -> [ShardLayout] {
        var layouts: Set<ShardLayout> = []
        for shards in Dictionary(grouping: missing, by: \.shard.blob).values {
            guard let first = shards.first, let group = map.groups[first.group] else { continue }
            layouts.insert(ShardLayout(group: group, missing: Set(shards.map(\.shard.index))))
        }
        return layouts.sorted { left, right in
            left.group.id == right.group.id
                ? left.missing.sorted().lexicographicallyPrecedes(right.missing.sorted())
                : left.group.id < right.group.id
        }
    }
}
