internal import BlobStorage
internal import ClusterProtocol
internal import DiskFormat
package import Metadata
package import ObjectInterface
package import ObjectModel
package import Placement

/// What questions about losses start from.
package struct StoreSnapshot: Sendable {
    package var store: LossPlan.Store
    /// Whether every blob that lacks shards was looked at; there may be too many.
    package var isComplete: Bool
    /// Why disks are away.
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
        let layout = StoreLayout(
            groups: map.groups.values.sorted { $0.id < $1.id },
            disks: map.disks,
            damaged: Self.damaged(missing, in: map)
        )
        return StoreSnapshot(
            store: LossPlan.Store(
                layout: layout,
                away: Set(away.map(\.record.id)),
                full: Set(known.filter { $0.isServed && $0.room == 0 }.map(\.record.id)),
                liveBytes: Dictionary(uniqueKeysWithValues: known.map { ($0.record.id, $0.liveBytes) }),
                keepers: Self.keepers(status.journal)
            ),
            isComplete: missing.count < Self.planLimit,
            reasons: Dictionary(uniqueKeysWithValues: away.map { ($0.record.id, $0.reason) })
        )
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
