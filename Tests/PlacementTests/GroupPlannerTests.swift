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
}
