package import ObjectModel

/// A disk as placement sees it.
package struct PlacementDisk: Hashable, Sendable {
    package var id: DiskID
    package var site: SiteName
    package var node: NodeName
    /// Relative share of data it should hold, usually its capacity; above zero.
    package var weight: Double

    package init(id: DiskID, site: SiteName, node: NodeName, weight: Double = 1) {
        self.id = id
        self.site = site
        self.node = node
        self.weight = weight
    }
}

/// How many shards of one blob a site and a node may hold, so that losing one loses as few as possible.
///
/// A disk never holds two. The shards are divided as evenly as the sites allow; within a site likewise over its nodes.
package struct SpreadRule: Hashable, Sendable {
    package var perSite: Int
    /// By site: the most shards on one node there.
    package var perNode: [SiteName: Int]

    /// The tightest rule that `shardCount` shards can obey on these disks; nil when there are too few disks.
    package init?(shardCount: Int, disks: [PlacementDisk]) {
        let bySite = Dictionary(grouping: disks, by: \.site)
        guard
            let perSite = Self.smallestShare(shardCount, capacities: bySite.mapValues(\.count).values.sorted())
        else { return nil }
        self.perSite = perSite
        perNode = bySite.mapValues { members in
            let nodes = Dictionary(grouping: members, by: \.node).mapValues(\.count).values.sorted()
            let wanted = min(perSite, members.count)
            return Self.smallestShare(wanted, capacities: nodes) ?? wanted
        }
    }

    /// The smallest limit per domain with which domains of these capacities hold `count` in all.
    private static func smallestShare(_ count: Int, capacities: [Int]) -> Int? {
        guard capacities.reduce(0, +) >= count, let largest = capacities.last else { return nil }
        return (1...max(1, largest)).first { limit in capacities.reduce(0) { $0 + min($1, limit) } >= count }
    }
}
