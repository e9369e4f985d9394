package import ObjectModel

/// Where a store's shards lie, as questions about losses need it: at one moment, and without the blobs themselves.
package struct StoreLayout: Hashable, Sendable {
    package var groups: [ClusterMap.Group]
    /// Members of groups that are not in here count as lost.
    package var disks: [DiskID: PlacementDisk]
    /// Blobs that lack shards though the disks are there: what repair still has to put back.
    package var damaged: [ShardLayout]
    /// Schemes of which no group holds a blob: nothing that is stored is lost with them.
    package var unused: Set<Scheme>
    /// Schemes that no class has any more: nothing new is written in their groups.
    package var closed: Set<Scheme>

    package init(
        groups: [ClusterMap.Group],
        disks: [DiskID: PlacementDisk],
        damaged: [ShardLayout] = [],
        unused: Set<Scheme> = [],
        closed: Set<Scheme> = []
    ) {
        self.groups = groups
        self.disks = disks
        self.damaged = damaged
        self.unused = unused
        self.closed = closed
    }

    /// All kinds of blobs: those that are whole on the disks of each group, and those that lack shards.
    var layouts: [ShardLayout] {
        groups.filter { !unused.contains($0.scheme) }.map { ShardLayout(group: $0) } + damaged
    }

    /// The disks that hold a shard of such a blob, one for each shard, once `lost` are gone.
    func holders(of layout: ShardLayout, without lost: Set<DiskID>) -> [PlacementDisk] {
        layout.group.members.enumerated().compactMap { index, member in
            guard !lost.contains(member), !layout.missing.contains(UInt8(clamping: index)) else { return nil }
            return disks[member]
        }
    }

    /// Groups whose shards lie closer together than the disks would allow: a site or a node holds more of them than
    /// the tightest rule says, so that losing it costs more than it must.
    package var groupsAgainstTheRule: [ClusterMap.Group] {
        var rules: [Int: SpreadRule] = [:]
        let all = Array(disks.values)
        return groups.filter { group in
            let count = group.scheme.shardCount
            guard let rule = rules[count] ?? SpreadRule(shardCount: count, disks: all) else { return false }
            rules[count] = rule
            let holders = holders(of: ShardLayout(group: group), without: [])
            let sites = Dictionary(grouping: holders, by: \.site).mapValues(\.count)
            let nodes = Dictionary(grouping: holders, by: NodePlace.init).mapValues(\.count)
            return sites.contains { $0.value > rule.perSite }
                || nodes.contains { $0.value > rule.perNode[$0.key.site, default: 1] }
        }
    }
}

/// The blobs of a group that lack the same shards.
package struct ShardLayout: Hashable, Sendable {
    package var group: ClusterMap.Group
    /// By index, the shards that are not on their disks.
    package var missing: Set<UInt8>

    package init(group: ClusterMap.Group, missing: Set<UInt8> = []) {
        self.group = group
        self.missing = missing
    }
}

/// A node where it stands: names are asked to be unique, and a loss must not be understated where they are not.
struct NodePlace: Hashable {
    var site: SiteName
    var node: NodeName

    init(_ disk: PlacementDisk) {
        site = disk.site
        node = disk.node
    }
}
