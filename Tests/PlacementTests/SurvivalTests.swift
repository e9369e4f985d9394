import ObjectModel
import Placement
import TestKit
import Testing

@Suite("What a layout survives")
struct SurvivalTests {
    @Test(
        "Stores as they are founded survive what their schemes are chosen for",
        arguments: [
            // rs-4-2 on one server: any two disks, no node.
            (4, 2, [[6]], 2, 0, 0, 2, -4),
            // rs-6-6 on three sites with three nodes of two disks: a site and two disks more.
            (6, 6, [[2, 2, 2], [2, 2, 2], [2, 2, 2]], 6, 3, 1, 6, 2),
            // rs-4-2 on three sites: a site, and then nothing more.
            (4, 2, [[2], [2], [2]], 2, 1, 1, 2, 0),
            // rs-2-4 on six sites of a disk: four of them.
            (2, 4, [[1], [1], [1], [1], [1], [1]], 4, 4, 4, 4, 3),
        ] as [(Int, Int, [[Int]], Int, Int, Int, Int, Int)]
    )
    func founded(
        data: Int,
        parity: Int,
        sites: [[Int]],
        disks: Int,
        nodes: Int,
        lostSites: Int,
        spares: Int,
        without: Int
    ) throws {
        let scheme = try #require(Scheme(dataCount: data, parityCount: parity))
        let layout = try #require(LayoutHarness.founded(scheme, sites))
        let survival = try #require(Survival(layout))
        #expect(survival.disks == disks)
        #expect(survival.nodes == nodes)
        #expect(survival.sites == lostSites)
        #expect(survival.spares == spares)
        #expect(survival.sparesWithoutSite == without)
        #expect(survival.isReadable)
        #expect(layout.groupsAgainstTheRule.isEmpty)
    }

    @Test("Groups of a scheme in which nothing lies weaken nothing, but for what is damaged")
    func unused() throws {
        let (strong, weak) = (try #require(Scheme(name: "rs-4-2")), try #require(Scheme(name: "rs-5-1")))
        var layout = try #require(LayoutHarness.founded(strong, [[6]]))
        let before = try #require(Survival(layout))
        let group = try #require(layout.groups.first)
        let other = ClusterMap.Group(id: GroupID(9_999), epoch: 1, scheme: weak, members: group.members)
        layout.groups.append(other)
        #expect(Survival(layout)?.disks == 1)
        layout.unused = [weak]
        #expect(Survival(layout) == before)
        layout.damaged = [ShardLayout(group: other, missing: [0])]
        #expect(Survival(layout)?.disks == 0)
        layout.unused = [strong, weak]
        layout.damaged = []
        #expect(Survival(layout) == nil)
    }

    @Test("Every number is the largest for which no choice of losses costs a blob", arguments: 0..<150)
    func bruteForce(seed: Int) throws {
        var generator = SplitMix64(seed: UInt64(seed))
        guard let layout = LayoutHarness.random(&generator) else { return }
        let away = Bool.random(using: &generator) ? Set(layout.disks.keys.sorted().prefix(1)) : []
        let survival = try #require(Survival(layout, without: away))
        let all = layout.disks.values.filter { !away.contains($0.id) }
        let byNode = Dictionary(grouping: all, by: \.node).mapValues { Set($0.map(\.id)) }
        let bySite = Dictionary(grouping: all, by: \.site).mapValues { Set($0.map(\.id)) }
        #expect(survival.disks == bearable(layout, away, all.map { [$0.id] }))
        #expect(survival.nodes == bearable(layout, away, Array(byNode.values)))
        #expect(survival.sites == bearable(layout, away, Array(bySite.values)))
        #expect(survival.spares == spares(layout, away))
        #expect(survival.sparesWithoutSite == bySite.values.map { spares(layout, away.union($0)) }.min())
    }

    private func spares(_ layout: StoreLayout, _ lost: Set<DiskID>) -> Int {
        layout.groups.map { LayoutHarness.fewest(layout, of: $0, without: lost) - $0.scheme.dataCount }.min() ?? 0
    }

    /// The largest number of places of which every choice leaves each blob k shards; 0 when none does.
    private func bearable(_ layout: StoreLayout, _ away: Set<DiskID>, _ places: [Set<DiskID>]) -> Int {
        let sets = LayoutHarness.subsets(of: places)
        let deadly = sets.filter { spares(layout, $0.reduce(away) { $0.union($1) }) < 0 }.map(\.count).min()
        return max(0, (deadly ?? places.count + 1) - 1)
    }

    @Test("Outcomes are those of counting shards by hand, for every set of disks", arguments: 0..<60)
    func outcomes(seed: Int) {
        var generator = SplitMix64(seed: UInt64(seed) &+ 1_000)
        guard let layout = LayoutHarness.random(&generator) else { return }
        for lost in LayoutHarness.subsets(of: layout.disks.keys.sorted()) {
            let outcome = LossOutcome(layout, without: lost)
            let fewest = layout.groups.map { LayoutHarness.fewest(layout, of: $0, without: lost) }
            let scheme = layout.groups[0].scheme
            #expect(outcome.whole == fewest.count { $0 == scheme.shardCount })
            #expect(outcome.belowK == fewest.count { $0 < scheme.dataCount })
            #expect(outcome.whole + outcome.degraded + outcome.belowK == layout.groups.count)
            let usable = layout.groups.map { $0.members.count { !lost.contains($0) } }
            #expect(outcome.noWrites == usable.count { $0 < scheme.dataCount + 1 })
            #expect(outcome.fullWrites + outcome.degradedWrites + outcome.noWrites == layout.groups.count)
            #expect((outcome.writes == .refused) == (outcome.noWrites == outcome.total))
            if usable.contains(scheme.shardCount) { #expect(outcome.writes == .full) }
        }
    }

    @Test("A site-safe group takes writes in full only with k + 1 shards outside every site")
    func siteSafe() throws {
        let scheme = try #require(Scheme(dataCount: 6, parityCount: 6))
        let disks = LayoutHarness.disks([[4], [4], [4]])
        let group = LayoutHarness.group(0, scheme, Array(0..<12))
        let layout = StoreLayout(groups: [group], disks: disks)
        func writes(_ lost: [Int]) -> LossOutcome.Writes {
            LossOutcome(layout, without: Set(lost.map(LayoutHarness.disk))).writes
        }
        #expect(writes([]) == .full)
        // Ten left, of which six stand outside the site that has four.
        #expect(writes([0, 1]) == .degraded)
        #expect(writes([0]) == .full)
        // Nine, three at each site: six outside each.
        #expect(writes([0, 4, 8]) == .degraded)
        #expect(writes([0, 1, 2, 3]) == .degraded)
        #expect(writes([0, 1, 2, 3, 4]) == .degraded)
        #expect(writes([0, 1, 2, 3, 4, 5]) == .refused)
    }

    @Test("A full disk takes no write and is read all the same")
    func full() throws {
        let scheme = try #require(Scheme(dataCount: 4, parityCount: 2))
        let layout = try #require(LayoutHarness.founded(scheme, [[6]]))
        let full = Set([0, 1].map(LayoutHarness.disk))
        let outcome = LossOutcome(layout, without: [], full: full)
        #expect(outcome.whole == outcome.total && outcome.writes == .refused)
        #expect(LossOutcome(layout, without: [], full: [LayoutHarness.disk(0)]).writes == .full)
    }

    @Test("Of two schemes the one that refuses writes speaks for the store: a client may want just that")
    func schemes() throws {
        let wide = try #require(Scheme(dataCount: 6, parityCount: 2))
        let narrow = try #require(Scheme(dataCount: 2, parityCount: 2))
        let groups = [
            LayoutHarness.group(0, wide, Array(0..<8)), LayoutHarness.group(1, narrow, Array(8..<12)),
        ]
        let layout = StoreLayout(groups: groups, disks: LayoutHarness.disks([[12]]))
        let outcome = LossOutcome(layout, without: Set([0, 1].map(LayoutHarness.disk)))
        #expect(outcome.noWrites == 1 && outcome.fullWrites == 1)
        #expect(outcome.writes == .refused)
        #expect(LossOutcome(layout, without: Set([0, 8].map(LayoutHarness.disk))).writes == .full)

        // Of a class that was removed only what lies there counts.
        var closed = layout
        closed.closed = [wide]
        let left = LossOutcome(closed, without: Set([0, 1].map(LayoutHarness.disk)))
        #expect(left.noWrites == 0 && left.fullWrites == 1 && left.writes == .full)
        #expect(left.total == 2 && left.degraded == 1)
    }

    @Test("A group that holds more in a place than it must is found")
    func againstTheRule() throws {
        let scheme = try #require(Scheme(dataCount: 4, parityCount: 2))
        let disks = LayoutHarness.disks([[2, 2], [2, 2], [2, 2]])
        let good = LayoutHarness.group(0, scheme, [0, 2, 4, 6, 8, 10])
        let oneNode = LayoutHarness.group(1, scheme, [0, 1, 4, 6, 8, 10])
        let oneSite = LayoutHarness.group(2, scheme, [0, 2, 1, 6, 8, 10])
        let layout = StoreLayout(groups: [good, oneNode, oneSite], disks: disks)
        #expect(layout.groupsAgainstTheRule == [oneNode, oneSite])
    }

    @Test("Without groups there is nothing to say")
    func empty() { #expect(Survival(StoreLayout(groups: [], disks: [:])) == nil) }
}
