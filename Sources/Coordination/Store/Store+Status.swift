internal import BlobStorage
internal import ClusterProtocol
internal import Metadata
package import ObjectInterface
internal import ObjectModel
internal import Placement
import Synchronization

extension Store {
    /// Missing shards that a status counts by disk, those of the blobs with the fewest spares first: a bound of the
    /// time that it takes.
    package static let countedMissing = 16_384

    package func status() async throws(StorageError) -> StoreStatus {
        // What happened to a disk a moment ago is told now, not a second later.
        await watchDisks()
        let records = try await metadata.disks().filter { $0.isInUse }
        let slots = slotSightings
        let answers = await statuses(of: records.map(\.id))
        let map = blobs.view.map
        // The fewest spares come first.
        let missing = try await metadata.missingShards(limit: Self.countedMissing)
        let picture = DiskPicture(
            of: records,
            members: members.withLock { $0 },
            slots: slots,
            map: map,
            missing: missing
        )
        let disks = picture.disks(answers)
        let unused = unusedDisks(beside: records)
        let statistics = try await metadata.statistics()
        let empty = unusedSchemes
        let served = Set(disks.filter(\.isServed).map(\.record.id))
        let writable = served.subtracting(disks.filter(\.hangs).map(\.record.id))
        let holding = map.groups.values.filter { !empty.contains($0.scheme) }
        let reach = StoreReach(of: holding, missing: missing, served: served)
        return StoreStatus(
            disks: disks,
            unused: unused,
            statistics: statistics,
            damage: metadata.damage,
            isCounted: inventory.isDone,
            reach: reach,
            unreadable: try await names(of: reach.unreadable),
            groups: GroupCounts(Self.groups(of: map, unused: empty), closed: map.closedSchemes, writable: writable),
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

    private var slotSightings: SlotSightings {
        let reasons = absent.withLock { $0 }
        let paths = paths.withLock { $0 }
        return SlotSightings(reasons: reasons, paths: paths, misplaced: misplaced.withLock { $0 })
    }

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

    /// What was seen in slots that no disk in use has.
    private func unusedDisks(beside records: [DiskRecord]) -> [UnusedDisk] {
        let inUse = Set(records.map(\.place))
        return unused.withLock { $0.values.flatMap { $0 } }.filter { !inUse.contains($0.place) }
            .sorted { $0.place < $1.place }
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
