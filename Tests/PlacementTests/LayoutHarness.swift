import ObjectModel
import Placement
import TestKit

/// Layouts for questions about losses.
enum LayoutHarness {
    static func disk(_ number: Int) -> DiskID { DiskID(Identifier128(high: 7, low: UInt64(number))) }

    /// Disks by site, node and number: `[[2, 1], [3]]` is a site of two nodes with two disks and one, and one of a node
    /// with three.
    static func disks(_ sites: [[Int]]) -> [DiskID: PlacementDisk] {
        var result: [DiskID: PlacementDisk] = [:]
        for (site, nodes) in sites.enumerated() {
            for (node, count) in nodes.enumerated() {
                for _ in 0..<count {
                    let id = disk(result.count)
                    result[id] = PlacementDisk(
                        id: id,
                        site: SiteName("site-\(site)"),
                        node: NodeName("node-\(site)-\(node)")
                    )
                }
            }
        }
        return result
    }

    static func group(_ number: Int, _ scheme: Scheme, _ members: [Int]) -> ClusterMap.Group {
        ClusterMap.Group(id: GroupID(UInt32(number)), epoch: 1, scheme: scheme, members: members.map(disk))
    }

    /// As a store is founded on these disks.
    static func founded(_ scheme: Scheme, _ sites: [[Int]]) -> StoreLayout? {
        let disks = disks(sites)
        guard let planner = GroupPlanner(scheme: scheme, disks: Array(disks.values)) else { return nil }
        return StoreLayout(groups: planner.groups(from: 0), disks: disks)
    }

    /// A small store with groups of any distinct members, whether or not they obey a rule, some of them with blobs that
    /// lack shards.
    static func random(_ generator: inout SplitMix64) -> StoreLayout? {
        let sites = (0..<Int.random(in: 1...3, using: &generator)).map { _ in
            (0..<Int.random(in: 1...2, using: &generator)).map { _ in Int.random(in: 1...3, using: &generator) }
        }
        let disks = disks(sites)
        let data = Int.random(in: 1...4, using: &generator)
        guard let scheme = Scheme(dataCount: data, parityCount: Int.random(in: 1...3, using: &generator)),
            disks.count >= scheme.shardCount, disks.count <= 9
        else { return nil }
        let groups = (0..<Int.random(in: 1...4, using: &generator)).map { number in
            group(
                number,
                scheme,
                Array((0..<disks.count).shuffled(using: &generator).prefix(scheme.shardCount))
            )
        }
        let damaged = groups.filter { _ in Bool.random(using: &generator) }.map { group in
            ShardLayout(group: group, missing: [UInt8.random(in: 0..<UInt8(scheme.shardCount), using: &generator)])
        }
        return StoreLayout(groups: groups, disks: disks, damaged: damaged)
    }

    /// Every set of `items`.
    static func subsets<Item: Hashable>(of items: [Item]) -> [Set<Item>] {
        (0..<(1 << items.count)).map { bits in
            Set(items.indices.filter { bits >> $0 & 1 == 1 }.map { items[$0] })
        }
    }

    /// Shards of the worst blob of each group, counted the plain way.
    static func fewest(_ layout: StoreLayout, of group: ClusterMap.Group, without lost: Set<DiskID>) -> Int {
        let kinds = [Set<UInt8>()] + layout.damaged.filter { $0.group == group }.map(\.missing)
        return kinds.map { missing in
            (0..<group.members.count).count { !missing.contains(UInt8($0)) && !lost.contains(group.members[$0]) }
        }.min() ?? 0
    }
}
