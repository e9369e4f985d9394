import ObjectModel
import Placement
import Testing

@Suite("What is survived until a lost disk is made good, and then")
struct RebuildOutlookTests {
    private let scheme = Scheme(dataCount: 4, parityCount: 2)

    private func store(_ sites: [[Int]]) throws -> LossPlan.Store {
        let scheme = try #require(scheme)
        let layout = try #require(LayoutHarness.founded(scheme, sites))
        return LossPlan.Store(
            layout: layout,
            liveBytes: layout.disks.mapValues { _ in 16_000_000 },
            keepers: LossPlan.Keepers(all: [], needed: 0)
        )
    }

    private func outlook(
        _ store: LossPlan.Store,
        losing disk: Int,
        _ standIns: [GroupID: DiskID]?
    ) throws -> RebuildOutlook {
        let scheme = try #require(scheme)
        return try #require(
            RebuildOutlook("STANDARD", scheme, of: store, losing: LayoutHarness.disk(disk), standIns: standIns)
        )
    }

    @Test("A disk that is replaced is one less meanwhile and none less then, also where it is away already")
    func replaced() throws {
        var store = try store([[6]])
        for away in [[], [2]] as [Set<Int>] {
            store.away = Set(away.map(LayoutHarness.disk))
            let outlook = try outlook(store, losing: 2, nil)
            #expect((outlook.meanwhile.disks, outlook.then.disks) == (1, 2))
        }
        // Another that is away stays so.
        store.away = [LayoutHarness.disk(0)]
        let outlook = try outlook(store, losing: 2, nil)
        #expect((outlook.meanwhile.disks, outlook.then.disks) == (0, 1))
    }

    @Test("Where others stand in, as much is survived then as before; a group without a stand-in keeps its gap")
    func retired() throws {
        let store = try store([[8]])
        let lost = LayoutHarness.disk(3)
        let groups = store.layout.groups.filter { $0.members.contains(lost) }
        var standIns: [GroupID: DiskID] = [:]
        for group in groups {
            standIns[group.id] = (0..<8).map(LayoutHarness.disk).first { !group.members.contains($0) }
        }
        #expect(try outlook(store, losing: 3, standIns).then.disks == 2)
        let first = try #require(groups.first)
        standIns[first.id] = nil
        let outlook = try outlook(store, losing: 3, standIns)
        #expect((outlook.meanwhile.disks, outlook.then.disks) == (1, 1))
    }

    @Test("Blobs that lack shards count until all is made anew, each by the k of its own class")
    func damaged() throws {
        var store = try store([[6]])
        let group = store.layout.groups[0]
        store.layout.damaged = [ShardLayout(group: group, missing: [0])]
        let lost = try #require((0..<6).first { LayoutHarness.disk($0) == group.members[1] })
        let outlook = try outlook(store, losing: lost, nil)
        #expect((outlook.meanwhile.spares, outlook.then.spares) == (0, 2))
        let other = try #require(Scheme(dataCount: 2, parityCount: 1))
        #expect(RebuildOutlook("COLD", other, of: store, losing: group.members[1], standIns: nil) == nil)
    }

    @Test("A new disk takes all that the old one held; bytes that were counted are what is told")
    func figures() throws {
        var store = try store([[24]])
        let lost = LayoutHarness.disk(0)
        let groups = store.layout.groups.filter { $0.members.contains(lost) }
        for group in store.layout.groups { store.bytesPerPlace[group.id] = 10_000_000 }
        let spread = LossPlan(store, losing: [lost], bytesPerSecond: 1_000_000)
        let replaced = LossPlan(store, losing: [lost], bytesPerSecond: 1_000_000, isReplaced: true)
        #expect(spread.bytesToRebuild == groups.count * 10_000_000 && replaced.bytesToRebuild == spread.bytesToRebuild)
        #expect(replaced.rebuildSeconds == groups.count * 10)
        #expect(try #require(spread.rebuildSeconds) < groups.count * 10)
    }
}
