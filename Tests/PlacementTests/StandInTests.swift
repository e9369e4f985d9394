import ObjectModel
import Placement
import TestKit
import Testing

/// The disk that takes the place of one that is lost, in each of its groups.
@Suite("Stand-ins for lost disks")
struct StandInTests {
    private static func disks(sites: Int, nodes: Int, each: Int) -> [PlacementDisk] {
        (0..<sites * nodes * each).map { number in
            let (site, node) = (number / (nodes * each), number / each)
            return PlacementDisk(
                id: DiskID(Identifier128(high: UInt64(number + 1) &* 0xD6E8_FEB8_6659_FD93, low: UInt64(number))),
                site: SiteName("site-\(site)"),
                node: NodeName("node-\(node)")
            )
        }
    }

    private static func scheme() throws -> Scheme { try #require(Scheme(name: "rs-4-2")) }

    /// The most members that share a site, and a node.
    private static func spread(_ members: [DiskID], _ disks: [PlacementDisk]) -> (site: Int, node: Int) {
        let there = disks.filter { members.contains($0.id) }
        let sites = Dictionary(grouping: there, by: \.site).values.map(\.count)
        let nodes = Dictionary(grouping: there, by: \.node).values.map(\.count)
        return (sites.max() ?? 0, nodes.max() ?? 0)
    }

    @Test("the rule holds with it, whichever disk was lost", arguments: [(1, 1, 8), (1, 4, 3), (3, 2, 2), (3, 3, 4)])
    func rule(sites: Int, nodes: Int, each: Int) throws {
        let all = Self.disks(sites: sites, nodes: nodes, each: each)
        let before = try #require(GroupPlanner(scheme: Self.scheme(), disks: all))
        var found = 0
        for number in 0..<60 {
            let group = GroupID(UInt32(number))
            let members = before.members(of: group)
            for lost in members {
                let left = all.filter { $0.id != lost }
                let planner = try #require(GroupPlanner(scheme: Self.scheme(), disks: left))
                let rule = try #require(SpreadRule(shardCount: 6, disks: left))
                guard let standIn = planner.standIn(for: lost, in: group, of: members) else { continue }
                found += 1
                #expect(!members.contains(standIn) && left.contains { $0.id == standIn })
                let after = members.map { $0 == lost ? standIn : $0 }
                let spread = Self.spread(after, left)
                #expect(spread.site <= rule.perSite)
                #expect(spread.node <= (rule.perNode.values.max() ?? 0))
                for disk in left where after.contains(disk.id) {
                    let same = left.filter { $0.node == disk.node && after.contains($0.id) }
                    #expect(same.count <= rule.perNode[disk.site, default: 1])
                }
            }
        }
        // With disks to spare there is one for nearly all: three sites of equal disks always have one.
        #expect(found == 60 * 6)
    }

    @Test("there is none where all disks are members, or only those are left with which the rule would break")
    func none() throws {
        let six = Self.disks(sites: 1, nodes: 1, each: 6)
        let whole = try #require(GroupPlanner(scheme: Self.scheme(), disks: six))
        let members = whole.members(of: GroupID(1))
        #expect(whole.standIn(for: members[0], in: GroupID(1), of: members) == nil)
        // Two a site are allowed while there are three sites; the third has no disk to spare.
        let sites = Self.disks(sites: 3, nodes: 1, each: 4).filter { $0.id.value.low < 10 }
        let planner = try #require(GroupPlanner(scheme: Self.scheme(), disks: sites))
        let spread = planner.members(of: GroupID(1))
        let lost = try #require(sites.first { $0.site == SiteName("site-2") && spread.contains($0.id) })
        #expect(sites.count == 10 && Self.spread(spread, sites).site == 2)
        #expect(planner.standIn(for: lost.id, in: GroupID(1), of: spread) == nil)
        // A site that has others to spare gives one of its own.
        let other = try #require(sites.first { $0.site == SiteName("site-0") && spread.contains($0.id) })
        let standIn = try #require(planner.standIn(for: other.id, in: GroupID(1), of: spread))
        #expect(sites.first { $0.id == standIn }?.site == SiteName("site-0"))
    }

    @Test("one member changes and no other, and it is the one that a new plan would take")
    func movement() throws {
        let all = Self.disks(sites: 1, nodes: 1, each: 12)
        let before = try #require(GroupPlanner(scheme: Self.scheme(), disks: all))
        for number in 0..<100 {
            let group = GroupID(UInt32(number))
            let members = before.members(of: group)
            let lost = members[number % 6]
            let after = try #require(GroupPlanner(scheme: Self.scheme(), disks: all.filter { $0.id != lost }))
            let standIn = try #require(after.standIn(for: lost, in: group, of: members))
            // Without sites and nodes in the way, the best disks that are left are the group planned anew.
            #expect(Set(after.members(of: group)) == Set(members).subtracting([lost]).union([standIn]))
            // Whoever still has the lost disk on its list finds the same one.
            #expect(before.standIn(for: lost, in: group, of: members) == standIn)
        }
    }

    @Test("the work is spread over all disks that are left")
    func balance() throws {
        let all = Self.disks(sites: 1, nodes: 1, each: 12)
        let before = try #require(GroupPlanner(scheme: Self.scheme(), disks: all))
        let lost = all[3].id
        let after = try #require(GroupPlanner(scheme: Self.scheme(), disks: all.filter { $0.id != lost }))
        var taken: [DiskID: Int] = [:]
        for number in 0..<2_000 {
            let members = before.members(of: GroupID(UInt32(number)))
            guard members.contains(lost) else { continue }
            let standIn = try #require(after.standIn(for: lost, in: GroupID(UInt32(number)), of: members))
            taken[standIn, default: 0] += 1
        }
        // About a thousand groups over eleven disks.
        #expect(taken.count == 11)
        #expect(taken.values.allSatisfy { (45...145).contains($0) })
    }
}
