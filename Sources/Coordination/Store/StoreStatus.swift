package import Metadata
package import ObjectModel
internal import Placement

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
