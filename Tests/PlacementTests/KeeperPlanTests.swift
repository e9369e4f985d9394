import ObjectModel
import Placement
import TestKit
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

    /// What a set of keepers bears of what a scheme promises, by taking away the worst: the disks that may go beside a
    /// whole site, -1 where not even that may, and the disks that may go wherever they are.
    private func borne(_ bySite: [Int], _ scheme: Scheme, _ rule: SpreadRule) -> (besideSite: Int, disks: Int) {
        let count = bySite.reduce(0, +)
        let majority = count / 2 + 1
        let any = (0...scheme.parityCount).last { count - $0 >= majority } ?? -1
        guard bySite.count >= 3, rule.perSite <= scheme.parityCount else { return (0, any) }
        let left = count - (bySite.max() ?? 0)
        let beside = (0...scheme.parityCount - rule.perSite).last { left - $0 >= majority } ?? -1
        return (beside, any)
    }

    /// Found by a plan for a small third site: six, six and two disks had five keepers, of which any two may go, where
    /// thirteen bear the loss of any six disks, or of a site.
    @Test("On any sites no other keepers bear more of the promise, and none of them fewer as much")
    func everyLayout() throws {
        for name in ["rs-2-1", "rs-2-2", "rs-4-2", "rs-3-3", "rs-2-4", "rs-6-6"] {
            let scheme = try #require(Scheme(name: name))
            for layout in layouts(upTo: 6, sites: 3) + layouts(upTo: 3, sites: 4) + layouts(upTo: 5, sites: 2) {
                let all = LayoutHarness.disks(layout.map { [$0] }).values.sorted { $0.id < $1.id }
                guard let rule = SpreadRule(shardCount: scheme.shardCount, disks: all) else { continue }
                let plan = KeeperPlan(scheme: scheme, disks: all)
                let members = all.filter { Set(plan.members).contains($0.id) }
                let chosen = Dictionary(grouping: members, by: \.site).mapValues(\.count)
                let sites = Set(all.map(\.site)).sorted { $0.name < $1.name }
                let own = borne(sites.map { chosen[$0, default: 0] }, scheme, rule)
                #expect(plan.count % 2 == 1 && members.count == plan.count)
                var (isBest, isFewest) = (true, true)
                for other in sets(layout) where other.reduce(0, +) % 2 == 1 {
                    let bears = borne(other, scheme, rule)
                    isBest = isBest && bears <= own
                    isFewest = isFewest && (bears < own || other.reduce(0, +) >= plan.count)
                }
                #expect(isBest && isFewest, "\(name) on \(layout): \(chosen)")
                let promised = rule.perSite <= scheme.parityCount ? scheme.parityCount - rule.perSite : 0
                let isWhole = own.disks == scheme.parityCount && (layout.count < 3 || own.besideSite == promised)
                #expect((plan.needed == plan.count) == isWhole, "\(name) on \(layout)")
            }
        }
        let scheme = try #require(Scheme(name: "rs-6-6"))
        let all = LayoutHarness.disks([[6], [6], [2]]).values.sorted { $0.id < $1.id }
        #expect(KeeperPlan(scheme: scheme, disks: all).count == 13)
    }

    /// Sites with one to `most` disks each, in falling order.
    private func layouts(upTo most: Int, sites: Int) -> [[Int]] {
        sites == 0
            ? [[]]
            : (1...most).flatMap { first in layouts(upTo: first, sites: sites - 1).map { [first] + $0 } }
    }

    /// How many keepers each site may have, in every way.
    private func sets(_ layout: [Int]) -> [[Int]] {
        guard let first = layout.first else { return [[]] }
        return sets(Array(layout.dropFirst())).flatMap { rest in (0...first).map { [$0] + rest } }
    }

    private func squares(_ disks: [PlacementDisk], _ keepers: [DiskID]) -> (Int, Int) {
        let members = disks.filter { keepers.contains($0.id) }
        return (
            Dictionary(grouping: members, by: \.site).values.reduce(0) { $0 + $1.count * $1.count },
            Dictionary(grouping: members, by: \.node).values.reduce(0) { $0 + $1.count * $1.count }
        )
    }

    @Test("Whatever the keepers are, exchanges even them out as the first choice would have, and then there are none")
    func exchanges() throws {
        var generator = SplitMix64(seed: 3)
        for _ in 0..<300 {
            let sites = (0..<Int.random(in: 1...4, using: &generator)).map { _ in
                (0..<Int.random(in: 1...3, using: &generator)).map { _ in Int.random(in: 1...4, using: &generator) }
            }
            let all = LayoutHarness.disks(sites).values.sorted { $0.id < $1.id }
            let parity = Int.random(in: 1...5, using: &generator)
            let plan = KeeperPlan(scheme: try #require(Scheme(dataCount: 2, parityCount: parity)), disks: all)
            var keepers = Array(all.map(\.id).shuffled(using: &generator).prefix(plan.count))
            var last = squares(all, keepers)
            while let exchange = plan.exchange(in: keepers, among: { _ in true }) {
                #expect(keepers.contains(exchange.leaving) && !keepers.contains(exchange.joining))
                keepers.removeAll { $0 == exchange.leaving }
                keepers.append(exchange.joining)
                try #require(squares(all, keepers) < last)
                last = squares(all, keepers)
            }
            #expect(last.0 == squares(all, plan.members).0)
            #expect(last <= squares(all, plan.members))
            #expect(Set(plan.settled(from: [])) == Set(plan.members) || squares(all, plan.members) > last)
            #expect(plan.settled(from: keepers) == keepers)
        }
    }

    @Test("A keeper goes only to a disk that may take it, and only where that is better")
    func noExchange() throws {
        let scheme = try #require(Scheme(name: "rs-2-1"))
        let all = LayoutHarness.disks([[2], [2], [2]]).values.sorted { $0.id < $1.id }
        let plan = KeeperPlan(scheme: scheme, disks: all)
        let together = [0, 1, 2].map(LayoutHarness.disk)
        let exchange = try #require(plan.exchange(in: together, among: { _ in true }))
        #expect(together.prefix(2).contains(exchange.leaving))
        #expect([4, 5].map(LayoutHarness.disk).contains(exchange.joining))
        #expect(plan.exchange(in: together, among: { $0 == LayoutHarness.disk(3) }) == nil)
        #expect(plan.exchange(in: [0, 2, 4].map(LayoutHarness.disk), among: { _ in true }) == nil)
        // A keeper on a disk that is being emptied is another's matter.
        #expect(plan.exchange(in: [LayoutHarness.disk(9)], among: { _ in true }) == nil)
    }
}
