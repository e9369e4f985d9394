internal import BlobStorage
internal import ClusterProtocol
internal import DiskFormat
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
    /// It was seen in another slot, or another disk in its own: neither is lost.
    package var isMisplaced: Bool

    /// It is read, and a write to it does not end: the reason says for how long.
    package var hangs: Bool { isServed && !reason.isEmpty }
}

/// Placement groups by the disks of theirs that take shards.
package struct GroupCounts: Hashable, Sendable {
    package var total = 0
    /// Every disk does.
    package var whole = 0
    /// Too few for any write.
    package var unwritable = 0
    /// Of schemes that no class has any more, by scheme: nothing is written there. They are among the others.
    package var closed: [Scheme: Int] = [:]

    init(_ groups: [ClusterMap.Group], closed: Set<Scheme>, writable: Set<DiskID>) {
        for group in groups {
            let usable = group.members.count { writable.contains($0) }
            total += 1
            if usable == group.members.count { whole += 1 }
            if closed.contains(group.scheme) {
                self.closed[group.scheme, default: 0] += 1
            } else if usable < group.scheme.degradedQuorum {
                unwritable += 1
            }
        }
    }
}

/// A picture of the store.
package struct StoreStatus: Sendable {
    package var disks: [StoreDiskStatus]
    /// What nodes were given beside them.
    package var unused: [UnusedDisk]
    package var statistics: MetadataStatistics
    /// What was found wrong with the metadata's rows; nil while nothing was.
    package var damage: String?
    /// Whether what the disks hold has been compared with the metadata since the start.
    package var isCounted: Bool
    /// What can be read now.
    package var reach: StoreReach
    /// Some of the objects of which a blob has fewer than k shards on disks that are served.
    package var unreadable: [(bucket: String, key: String)]
    package var groups: GroupCounts
    package var repair: RepairProgress
    package var repairRates: RepairRates
    /// Nil while it is not paused.
    package var repairPause: RepairPause?
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

    /// The journal's keepers, and how each is to be counted.
    package var keepers: [(disk: DiskID, standing: Journal.KeeperStanding)] {
        let served = Set(disks.filter(\.isServed).map(\.record.id))
        return journal.members.map { ($0.keeper, $0.standing(isServed: served.contains($0.keeper))) }
    }
}

extension StoreStatus {
    /// Bytes of a shard, in the mean of those on disks that answered: for what is told in shards and asked in bytes.
    package var meanShardBytes: Int {
        let shards = disks.reduce(0) { $0 + $1.shardCount }
        return shards > 0 ? disks.reduce(0) { $0 + $1.liveBytes } / shards : 0
    }
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
        let misplaced = misplaced.withLock { $0 }.filter { reasons[$0.key] != nil }
        let elsewhere = Dictionary(
            misplaced.sorted { $0.key < $1.key }.map { ($0.value, $0.key) },
            uniquingKeysWith: { first, _ in first }
        )
        var disks: [StoreDiskStatus] = []
        let answers = await statuses(of: records.map(\.id))
        let map = blobs.view.map
        let placed = Set(map.groups.values.flatMap { $0.members + Array($0.former.values) })
        // The fewest spares come first.
        let missing = try await metadata.missingShards(limit: Self.countedMissing)
        let missingByDisk = Self.byDisk(missing, in: map)
        for record in records {
            let status = answers[record.id]
            let isTaken = misplaced[record.place] != nil
            let found = isTaken ? nil : elsewhere[record.id].map { "it stands in slot \(name(of: $0, records))" }
            let away = found ?? reasons[record.place] ?? "it is not served"
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
                    missingShards: missingByDisk[record.id] ?? 0,
                    hasPlaces: placed.contains(record.id),
                    isMisplaced: isTaken || found != nil
                )
            )
        }
        let inUse = Set(records.map(\.place))
        let unused = unused.withLock { $0.values.flatMap { $0 } }.filter { !inUse.contains($0.place) }
        let served = Set(disks.filter(\.isServed).map(\.record.id))
        let statistics = try await metadata.statistics()
        let empty = unusedSchemes
        let writable = served.subtracting(disks.filter(\.hangs).map(\.record.id))
        let groups = GroupCounts(Self.groups(of: map, unused: empty), closed: map.closedSchemes, writable: writable)
        let holding = map.groups.values.filter { !empty.contains($0.scheme) }
        let reach = StoreReach(of: holding, missing: missing, served: served)
        return StoreStatus(
            disks: disks.sorted { $0.record.nameOrder.lexicographicallyPrecedes($1.record.nameOrder) },
            unused: unused.sorted { $0.place < $1.place },
            statistics: statistics,
            damage: metadata.damage,
            isCounted: inventory.isDone,
            reach: reach,
            unreadable: try await names(of: reach.unreadable),
            groups: groups,
            repair: repairer.progress,
            repairRates: repairer.budget.rates,
            repairPause: repairer.hold.pause,
            repairMakesWay: repairer.isSparing,
            blobsWithoutSpare: Set(missing.lazy.filter { $0.spares == 0 }.map(\.shard.blob)).count,
            repack: repacker.progress,
            orphans: orphans.report,
            verification: verifier.report,
            journal: journal.report,
            incarnation: journal.incarnation,
            scheme: blobs.view.standardScheme
        )
    }

    private static func byDisk(_ missing: [MissingShard], in map: ClusterMap) -> [DiskID: Int] {
        missing.reduce(into: [:]) { counts, missing in
            guard let members = map.groups[missing.group]?.members,
                members.indices.contains(Int(missing.shard.index))
            else { return }
            counts[members[Int(missing.shard.index)], default: 0] += 1
        }
    }

    /// As people name it; without its site where that is not known.
    private func name(of place: SlotPlace, _ records: [DiskRecord]) -> String {
        let site = members.withLock { $0[place.node]?.site } ?? records.first { $0.node == place.node }?.site
        return [site?.name, place.node.name, place.slot].compactMap(\.self).joined(separator: "/")
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

    private func names(of blobs: [BlobID]) async throws(StorageError) -> [(bucket: String, key: String)] {
        var names: [(bucket: String, key: String)] = []
        for blob in blobs.prefix(Self.unreadableLimit) {
            for owner in try await metadata.owners(of: blob)
            where !names.contains(where: { $0 == (owner.bucket, owner.key) }) {
                guard names.count < Self.unreadableLimit else { return names }
                names.append((owner.bucket, owner.key))
            }
        }
        return names
    }
}

extension DiskRecord {
    /// For sorting by site, node and slot.
    fileprivate var nameOrder: [NameOrder] { [site.name, node.name, slot].map(NameOrder.init) }
}

/// Puts `disk-2` before `disk-10`: shorter names first, then by bytes.
private struct NameOrder: Comparable {
    var length: Int
    var text: String

    init(_ text: String) { (length, self.text) = (text.utf8.count, text) }

    static func < (left: Self, right: Self) -> Bool { (left.length, left.text) < (right.length, right.text) }
}
