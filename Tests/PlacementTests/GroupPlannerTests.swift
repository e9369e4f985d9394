import ObjectModel
import Placement
import Testing

@Suite struct GroupPlannerTests {
    private func disks(sites: Int, nodes: Int, each: Int) -> [PlacementDisk] {
        var result: [PlacementDisk] = []
        for site in 0..<sites {
            for node in 0..<nodes {
                for disk in 0..<each {
                    let number = UInt64(result.count + 1)
                    _ = disk
                    result.append(
                        PlacementDisk(
                            id: DiskID(Identifier128(high: number &* 0xD6E8_FEB8_6659_FD93, low: number)),
                            site: SiteName("site-\(site)"),
                            node: NodeName("node-\(site)-\(node)")
                        )
                    )
                }
            }
        }
        return result
    }

    @Test(
        "Every group names k+m distinct disks and obeys the spread rule",
        arguments: [(1, 1, 6), (3, 2, 2), (3, 3, 4)]
    )
    func spread(sites: Int, nodes: Int, each: Int) throws {
        let scheme = try #require(Scheme(dataCount: 4, parityCount: 2))
        let all = disks(sites: sites, nodes: nodes, each: each)
        let byID = Dictionary(uniqueKeysWithValues: all.map { ($0.id, $0) })
        let planner = try #require(GroupPlanner(scheme: scheme, disks: all))
        let perSite = (scheme.shardCount + sites - 1) / sites
        let perNode = (perSite + nodes - 1) / nodes
        for number in 0..<200 {
            let members = planner.members(of: GroupID(UInt32(number)))
            #expect(members.count == 6)
            #expect(Set(members).count == 6)
            let bySite = Dictionary(grouping: members, by: { byID[$0]?.site })
            #expect(bySite.values.allSatisfy { $0.count <= perSite })
            let byNode = Dictionary(grouping: members, by: { byID[$0]?.node })
            #expect(byNode.values.allSatisfy { $0.count <= perNode })
        }
    }

    @Test("Too few disks give no planner")
    func tooFew() throws {
        let scheme = try #require(Scheme(dataCount: 4, parityCount: 2))
        #expect(GroupPlanner(scheme: scheme, disks: disks(sites: 1, nodes: 1, each: 5)) == nil)
    }

    @Test("Each disk holds each shard index about equally often")
    func balance() throws {
        let scheme = try #require(Scheme(dataCount: 4, parityCount: 2))
        let all = disks(sites: 1, nodes: 1, each: 6)
        let planner = try #require(GroupPlanner(scheme: scheme, disks: all))
        var first: [DiskID: Int] = [:]
        for number in 0..<6_000 { first[planner.members(of: GroupID(UInt32(number)))[0], default: 0] += 1 }
        #expect(first.count == 6)
        #expect(first.values.allSatisfy { abs($0 - 1_000) < 150 })
    }

    @Test("A disk taken away moves only groups that held it")
    func movement() throws {
        let scheme = try #require(Scheme(dataCount: 4, parityCount: 2))
        let all = disks(sites: 1, nodes: 1, each: 12)
        let before = try #require(GroupPlanner(scheme: scheme, disks: all))
        let after = try #require(GroupPlanner(scheme: scheme, disks: Array(all.dropLast())))
        let gone = all[11].id
        for number in 0..<500 {
            let group = GroupID(UInt32(number))
            let members = before.members(of: group)
            if !members.contains(gone) { #expect(after.members(of: group) == members) }
        }
    }

    @Test(
        "A new store is even: each disk holds what its weight says, to a place or two",
        arguments: ["rs-4-2", "rs-6-6", "rs-2-1", "rs-9-6"],
        [(1, 1, 18), (3, 3, 2), (3, 1, 6), (2, 3, 4), (5, 2, 2)]
    )
    func even(name: String, shape: (sites: Int, nodes: Int, each: Int)) throws {
        let scheme = try #require(Scheme(name: name))
        let all = disks(sites: shape.sites, nodes: shape.nodes, each: shape.each)
        let planner = try #require(GroupPlanner(scheme: scheme, disks: all))
        let groups = planner.groups(from: 7)
        #expect(groups.map(\.id.number) == Array(7..<7 + UInt32(planner.groupCount)))
        var places: [DiskID: Int] = [:]
        for disk in groups.flatMap(\.members) { places[disk, default: 0] += 1 }
        let share = Double(groups.count * scheme.shardCount) / Double(all.count)
        for disk in all {
            #expect(abs(Double(places[disk.id] ?? 0) - share) < 2, "\(places[disk.id] ?? 0) of \(share)")
        }
        // Even, and yet not a few sets of disks over and over: what one loses, many rebuild.
        let partners = all.map { disk in
            Set(groups.filter { $0.members.contains(disk.id) }.flatMap(\.members)).count - 1
        }
        let others = all.count - (shape.sites > 1 ? shape.each * shape.nodes : 1)
        #expect(partners.allSatisfy { $0 >= min(others, 3 * scheme.shardCount / 2) }, "\(partners)")
    }

    @Test("Larger disks get more groups of a new store, as far as the rule lets them")
    func weighted() throws {
        let scheme = try #require(Scheme(name: "rs-2-1"))
        var all = disks(sites: 1, nodes: 1, each: 8)
        for index in 0..<2 { all[index].weight = 3 }
        let groups = try #require(GroupPlanner(scheme: scheme, disks: all)).groups(from: 0)
        for disk in all {
            let share = Double(groups.count * 3) * disk.weight / 12
            let places = Double(groups.count { $0.members.contains(disk.id) })
            #expect(abs(places - share) < 2, "\(places) of \(share)")
        }
    }

    @Test("Four shards on three nodes of a site leave none of them without one")
    func evenNodes() throws {
        let scheme = try #require(Scheme(name: "rs-6-6"))
        let all = disks(sites: 3, nodes: 3, each: 2)
        let planner = try #require(GroupPlanner(scheme: scheme, disks: all))
        let byID = Dictionary(uniqueKeysWithValues: all.map { ($0.id, $0.node) })
        for number in 0..<UInt32(200) {
            let nodes = Set(planner.members(of: GroupID(number)).compactMap { byID[$0] })
            #expect(nodes.count == 9)
        }
    }
}
