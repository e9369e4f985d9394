import ObjectModel
import Placement
import Testing

@Suite struct KeeperPlanTests {
    private func disks(sites: Int, each: Int) -> [PlacementDisk] {
        (0..<sites * each).map { number in
            PlacementDisk(
                id: DiskID(Identifier128(high: 1, low: UInt64(number))),
                site: SiteName("site-\(number / each)"),
                node: NodeName("node-\(number / 2)")
            )
        }
    }

    @Test("One site: 2m + 1 keepers, as far as there are disks", arguments: [(6, 5), (5, 5), (4, 3), (1, 1)])
    func oneSite(count: Int, keepers: Int) throws {
        let scheme = try #require(Scheme(dataCount: 4, parityCount: 2))
        let plan = KeeperPlan(scheme: scheme, disks: disks(sites: 1, each: count))
        #expect(plan.count == keepers)
        #expect(plan.members.count == keepers)
        #expect(Set(plan.members).count == keepers)
    }

    @Test("Three sites with rs-6-6: five keepers a site, so that a site and two disks may go")
    func threeSites() throws {
        let scheme = try #require(Scheme(dataCount: 6, parityCount: 6))
        let all = disks(sites: 3, each: 6)
        let members = KeeperPlan(scheme: scheme, disks: all).members
        #expect(members.count == 15)
        let bySite = Dictionary(grouping: all.filter { members.contains($0.id) }, by: \.site)
        #expect(bySite.values.map(\.count) == [5, 5, 5])
        // What is left without a site and two more disks is a majority.
        #expect(members.count - 5 - 2 >= members.count / 2 + 1)
    }

    /// Found by reading: on three sites the disks that may be lost wherever they are were not counted, and `rs-6-3` had
    /// three keepers of which two could not be lost.
    @Test(
        "On three sites and more: any m disks may go, or a site and what the shards bear besides",
        arguments: [
            ("rs-4-2", [2, 2, 2], 5), ("rs-6-3", [3, 3, 3], 7), ("rs-2-1", [1, 1, 1], 3), ("rs-8-4", [3, 3, 3, 3], 9),
            ("rs-4-2", [1, 1, 1, 1, 1, 1], 5), ("rs-6-6", [6, 6, 6], 15), ("rs-2-2", [1, 5, 5], 5),
        ]
    )
    func anyDisks(name: String, sites: [Int], keepers: Int) throws {
        let scheme = try #require(Scheme(name: name))
        let all = LayoutHarness.disks(sites.map { [$0] }).values.sorted { $0.id < $1.id }
        let rule = try #require(SpreadRule(shardCount: scheme.shardCount, disks: all))
        let plan = KeeperPlan(scheme: scheme, disks: all)
        #expect(plan.count == keepers && plan.needed == keepers)
        let members = plan.members
        let majority = members.count / 2 + 1
        #expect(members.count - scheme.parityCount >= majority)
        let largest = Dictionary(grouping: all.filter { members.contains($0.id) }, by: \.site).values.map(\.count).max()
        #expect(members.count - (largest ?? 0) - (scheme.parityCount - rule.perSite) >= majority)
    }
}
