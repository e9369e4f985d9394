package import ObjectModel
package import Placement

/// When enough calls have succeeded. For a write to be acknowledged in full (DESIGN §4): enough shards are durable and,
/// where the group's sites allow it, k + 1 of them outside every single site, so that no loss of a site loses what was
/// just acknowledged.
package struct Quorum: Sendable {
    /// Shards that must be durable, wherever.
    package let count: Int
    /// By shard: the number of its site. Empty where sites do not matter.
    private let sites: [Int]
    /// Shards that must be durable outside the site that has most of them.
    private let outside: Int

    /// So many, wherever they are.
    package init(count: Int) {
        self.count = count
        sites = []
        outside = 0
    }

    /// Of a group whose disks stand where `disks` says; one that is not among them is at no known site.
    package init(_ group: ClusterMap.Group, disks: [DiskID: PlacementDisk]) {
        count = group.scheme.writeQuorum
        var numbers: [SiteName: Int] = [:]
        let sites = group.members.map { member -> Int in
            guard let site = disks[member]?.site else { return -1 }
            return numbers[site]
                ?? {
                    numbers[site] = numbers.count
                    return numbers.count - 1
                }()
        }
        let largest = Dictionary(grouping: sites, by: { $0 }).values.map(\.count).max() ?? 0
        let isSiteSafe =
            !sites.contains(-1) && numbers.count > 1
            && group.members.count - largest >= group.scheme.degradedQuorum
        self.sites = isSiteSafe ? sites : []
        outside = isSiteSafe ? group.scheme.degradedQuorum : 0
    }

    /// What a write may settle for when a disk does not answer in time, rather than wait for it: as many shards, and k
    /// outside every single site, so that still no loss of a site loses what was just acknowledged. Nil where sites do
    /// not matter.
    package var withoutSpare: Quorum? {
        sites.isEmpty ? nil : Quorum(count: count, sites: sites, outside: outside - 1)
    }

    private init(count: Int, sites: [Int], outside: Int) {
        self.count = count
        self.sites = sites
        self.outside = outside
    }

    /// `isDurable` by shard.
    package func isMet(_ isDurable: (Int) -> Bool, of shards: Int) -> Bool {
        let durable = (0..<shards).filter(isDurable)
        guard durable.count >= count else { return false }
        guard !sites.isEmpty else { return true }
        var bySite: [Int: Int] = [:]
        for shard in durable { bySite[sites[shard], default: 0] += 1 }
        return durable.count - (bySite.values.max() ?? 0) >= outside
    }
}
