internal import BlobStorage
internal import ClusterProtocol
package import DiskFormat
package import Metadata
package import ObjectInterface
package import ObjectModel
internal import Placement
internal import ShardStorage
internal import StorageNode
import Synchronization

/// One disk, as the store's own monitor sees it.
package struct StoreDiskStatus: Sendable {
    package var record: DiskRecord
    /// Where it lies on its node; empty while that is not known.
    package var path: String
    package var isServed: Bool
    /// Why it is not served, or what is wrong with it; empty when nothing is.
    package var reason: String
    package var capacity: Int
    package var room: Int
    package var liveBytes: Int
    package var deadBytes: Int
    package var shardCount: Int
    /// Shards placed on it that are missing; of very many missing in all (`Store.countedMissing`) not each is counted.
    package var missingShards: Int
    /// It stands in a group, or did and is still being emptied.
    package var hasPlaces: Bool
}

/// What can be read of a store, by what is known to be missing and by the disks that are served.
package struct StoreReach: Hashable, Sendable {
    /// Of the blob, or the group, with the fewest; negative when it cannot be read. Nil without groups.
    package var fewestSpares: Int?
    /// Groups with fewer than k disks served: what lies there cannot be read.
    package var unreadableGroups = 0
    /// Blobs that lack shards, and have fewer than k where they can be read; not each of very many.
    package var unreadable: [BlobID] = []

    mutating func note(spares: Int) { fewestSpares = min(fewestSpares ?? spares, spares) }
}

/// A picture of the store.
package struct StoreStatus: Sendable {
    package var disks: [StoreDiskStatus]
    package var statistics: MetadataStatistics
    /// What was found wrong with the metadata's rows; nil while nothing was.
    package var damage: String?
    /// Whether what the disks hold has been compared with the metadata since the start.
    package var isCounted: Bool
    /// What can be read now.
    package var reach: StoreReach
    /// Some of the objects of which a blob has fewer than k shards on disks that are served.
    package var unreadable: [(bucket: String, key: String)]
    package var groupCount: Int
    package var degradedGroups: Int
    package var unwritableGroups: Int
    package var repair: RepairProgress
    package var repairRates: RepairRates
    /// Whether repair makes way just now, for clients or for blobs without spares.
    package var repairMakesWay: Bool
    /// Counted up to a limit.
    package var blobsWithoutSpare: Int
    package var repack: RepackProgress
    package var orphans: OrphanReport
    package var verification: VerificationReport
    package var journal: Journal.Report
    package var incarnation: UInt32
    /// Of `STANDARD`.
    package var scheme: Scheme?
}

extension Store {
    /// Missing shards that a status counts by disk, those of the blobs with the fewest spares first: a bound of the
    /// time that it takes.
    package static let countedMissing = 16_384

    package func status() async throws(StorageError) -> StoreStatus {
        // What happened to a disk a moment ago is told now, not a second later.
        await watchDisks()
        let records = try await metadata.disks().filter { $0.isInUse }
        let reasons = absent.withLock { $0 }
        let paths = paths.withLock { $0 }
        var disks: [StoreDiskStatus] = []
        let answers = await statuses(of: records.map(\.id))
        let map = blobs.view.map.groups.values
        let placed = Set(map.flatMap { $0.members + Array($0.former.values) })
        let missing = try await missingByDisk()
        for record in records {
            let status = answers[record.id]
            let away = reasons[record.place] ?? "it is not served"
            disks.append(
                StoreDiskStatus(
                    record: record,
                    path: paths[record.place] ?? "",
                    isServed: status?.isUsable ?? false,
                    reason: status.map(\.reason) ?? (placed.contains(record.id) ? away : Self.isOut + away),
                    capacity: status?.capacity ?? 0,
                    room: status?.room ?? 0,
                    liveBytes: status?.liveBytes ?? 0,
                    deadBytes: status?.deadBytes ?? 0,
                    shardCount: status?.shardCount ?? 0,
                    missingShards: missing[record.id] ?? 0,
                    hasPlaces: placed.contains(record.id)
                )
            )
        }
        let served = Set(disks.filter(\.isServed).map(\.record.id))
        let usable = map.map { group in (group.members.count { served.contains($0) }, group.scheme) }
        let statistics = try await metadata.statistics()
        let reach = try await reach(of: map.map { $0 }, served: served)
        return StoreStatus(
            disks: disks.sorted { $0.record.slot.slotOrder < $1.record.slot.slotOrder },
            statistics: statistics,
            damage: metadata.damage,
            isCounted: inventory.isDone,
            reach: reach,
            unreadable: try await names(of: reach.unreadable),
            groupCount: map.count,
            degradedGroups: usable.count { $0.0 < $0.1.shardCount && $0.0 >= $0.1.degradedQuorum },
            unwritableGroups: usable.count { $0.0 < $0.1.degradedQuorum },
            repair: repairer.progress,
            repairRates: repairer.budget.rates,
            repairMakesWay: repairer.isSparing,
            blobsWithoutSpare: try await blobsWithoutSpare(),
            repack: repacker.progress,
            orphans: orphans.report,
            verification: verifier.report,
            journal: journal.report,
            incarnation: journal.incarnation,
            scheme: blobs.view.standardScheme
        )
    }

    private func blobsWithoutSpare() async throws(StorageError) -> Int {
        try await metadata.missingBlobs(spares: 0...0, after: nil, limit: Self.countedMissing).count
    }

    private func missingByDisk() async throws(StorageError) -> [DiskID: Int] {
        let groups = blobs.view.map.groups
        var counts: [DiskID: Int] = [:]
        for missing in try await metadata.missingShards(limit: Self.countedMissing) {
            guard let members = groups[missing.group]?.members, members.indices.contains(Int(missing.shard.index))
            else {
                continue
            }
            counts[members[Int(missing.shard.index)], default: 0] += 1
        }
        return counts
    }

    private static let isOut = "it holds nothing that is not elsewhere by now; "

    /// Of the disks whose nodes answer.
    private func statuses(of disks: [DiskID]) async -> [DiskID: DiskStatus] {
        let away = served.withLock { served in Set(disks.filter { served[$0]?.isAway ?? true }) }
        return await withTaskGroup(of: (DiskID, DiskStatus?).self) { group in
            for disk in disks where !away.contains(disk) {
                group.addTask { (disk, try? await self.blobs.nodes.status(disk)) }
            }
            return await group.reduce(into: [:]) { $0[$1.0] = $1.1 }
        }
    }

    /// Objects listed as unreadable at most; the number of their blobs says whether there are more.
    private static let unreadableLimit = 100

    /// What can be read now: with what is known to be missing, and with the disks that are served.
    private func reach(of groups: [ClusterMap.Group], served: Set<DiskID>) async throws(StorageError) -> StoreReach {
        var reach = StoreReach()
        var present: [GroupID: (holders: [DiskID], needed: Int)] = [:]
        for group in groups {
            // A place that is being moved has its shards at either end.
            let count = group.members.enumerated().count { index, disk in
                served.contains(disk) && (group.former[UInt8(index)].map(served.contains) ?? true)
            }
            reach.note(spares: count - group.scheme.dataCount)
            if count < group.scheme.dataCount { reach.unreadableGroups += 1 }
            present[group.id] = (group.members, group.scheme.dataCount)
        }
        // The fewest spares come first.
        let missing = try await metadata.missingShards(limit: Self.countedMissing)
        for (blob, shards) in Dictionary(grouping: missing, by: \.shard.blob).sorted(by: { $0.key < $1.key }) {
            guard let first = shards.first, let (holders, needed) = present[first.group] else { continue }
            let lost = Set(shards.map { Int($0.shard.index) })
            let good = holders.indices.count { !lost.contains($0) && served.contains(holders[$0]) }
            reach.note(spares: good - needed)
            if good < needed { reach.unreadable.append(blob) }
        }
        return reach
    }

    /// Groups and blobs that cannot be read, and may have a good shard on this disk.
    func needing(_ disk: DiskID) async throws(StorageError) -> Int {
        let groups = blobs.view.map.groups.values.filter {
            $0.members.contains(disk) || $0.former.values.contains(disk)
        }
        let usable = served.withLock { served in Set(served.filter { !$0.value.isAway }.map(\.key)) }
        let reach = try await reach(of: groups, served: usable)
        let members = Dictionary(groups.map { ($0.id, $0.members) }) { first, _ in first }
        var needing = reach.unreadableGroups
        for blob in reach.unreadable {
            guard let record = try await metadata.blob(blob),
                let index = members[record.group]?.firstIndex(of: disk).map({ UInt8($0) })
            else { continue }
            needing += record.missing.contains(index) ? 0 : 1
        }
        return needing
    }

    private func names(of blobs: [BlobID]) async throws(StorageError) -> [(bucket: String, key: String)] {
        var names: [(bucket: String, key: String)] = []
        for blob in blobs {
            for owner in try await metadata.owners(of: blob)
            where !names.contains(where: { $0 == (owner.bucket, owner.key) }) {
                guard names.count < Self.unreadableLimit else { return names }
                names.append((owner.bucket, owner.key))
            }
        }
        return names
    }
}

extension String {
    /// For sorting `disk-2` before `disk-10`: shorter names first, then by bytes.
    fileprivate var slotOrder: SlotOrder { SlotOrder(length: utf8.count, text: self) }
}

private struct SlotOrder: Comparable {
    var length: Int
    var text: String

    static func < (left: Self, right: Self) -> Bool { (left.length, left.text) < (right.length, right.text) }
}
