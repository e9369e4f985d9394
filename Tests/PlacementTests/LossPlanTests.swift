import ObjectModel
import Placement
import Testing

@Suite("What if disks were lost")
struct LossPlanTests {
    private let scheme = Scheme(dataCount: 4, parityCount: 2)

    private func store(_ sites: [[Int]], bytes: Int, keepers: ClosedRange<Int> = 0...4) throws -> LossPlan.Store {
        let scheme = try #require(scheme)
        let layout = try #require(LayoutHarness.founded(scheme, sites))
        return LossPlan.Store(
            layout: layout,
            liveBytes: layout.disks.mapValues { _ in bytes },
            keepers: LossPlan.Keepers(all: keepers.map(LayoutHarness.disk), needed: keepers.count / 2 + 1)
        )
    }

    private func disks(_ numbers: Int...) -> Set<DiskID> { Set(numbers.map(LayoutHarness.disk)) }

    @Test("One disk of six: everything readable, its bytes rebuilt on a new disk, writes in full")
    func oneDisk() throws {
        let store = try store([[6]], bytes: 16_000_000)
        let plan = LossPlan(store, losing: disks(2), bytesPerSecond: 1_000_000)
        #expect(plan.before.whole == 32 && plan.before.writes == .full)
        #expect(plan.after.degraded == 32 && plan.after.belowK == 0 && plan.after.writes == .full)
        #expect(plan.survival?.disks == 1)
        #expect(plan.bytesToRebuild == 16_000_000 && plan.bytesBelowK == 0)
        // Nobody is left to stand in: a new disk takes 16 MB at 1 MB/s; the five read four times that together.
        #expect(plan.groupsWithoutStandIn == 32)
        #expect(plan.rebuildSeconds == 16)
        #expect(plan.keepersLeft == 4 && plan.keepsMajority)
        #expect(plan.riskMeanwhile > 0 && plan.riskMeanwhile < 1e-6)
    }

    @Test("A new disk cannot be written faster than its rate, however many read for it")
    func newDisk() throws {
        let scheme = try #require(Scheme(dataCount: 2, parityCount: 4))
        let layout = try #require(LayoutHarness.founded(scheme, [[6]]))
        let store = LossPlan.Store(
            layout: layout,
            liveBytes: layout.disks.mapValues { _ in 16_000_000 },
            keepers: LossPlan.Keepers(all: [], needed: 0)
        )
        // The five left move three times 16 MB together, in ten seconds.
        #expect(LossPlan(store, losing: disks(0), bytesPerSecond: 1_000_000).rebuildSeconds == 16)
    }

    @Test("With disks to spare a loss is rebuilt on the others, the sooner the more there are")
    func declustered() throws {
        let store = try store([[24]], bytes: 1_600_000_000)
        let plan = LossPlan(store, losing: disks(0), bytesPerSecond: 1_000_000)
        #expect(plan.groupsWithoutStandIn == 0)
        #expect(plan.bytesToRebuild > 1_500_000_000 && plan.bytesToRebuild <= 1_600_000_000)
        let seconds = try #require(plan.rebuildSeconds)
        #expect(seconds < 1_600 / 2)
        let faster = LossPlan(store, losing: disks(0), bytesPerSecond: 10_000_000)
        #expect(try #require(faster.rebuildSeconds) <= seconds / 10 + 1)
        #expect(faster.riskMeanwhile < plan.riskMeanwhile)
    }

    @Test("Two disks of six leave reads without a spare, refuse writes, and keep the journal")
    func twoDisks() throws {
        let store = try store([[6]], bytes: 16_000_000)
        let plan = LossPlan(store, losing: disks(0, 1), bytesPerSecond: 1_000_000)
        #expect(plan.after.belowK == 0 && plan.after.writes == .refused)
        #expect(plan.survival?.spares == 0)
        #expect(plan.keepersLeft == 3 && plan.keepsMajority)
        let one = LossPlan(store, losing: disks(0), bytesPerSecond: 1_000_000)
        #expect(plan.riskMeanwhile > 100 * one.riskMeanwhile)
    }

    @Test("Three disks of six: below k, nothing to rebuild from, and the journal stops")
    func threeDisks() throws {
        let store = try store([[6]], bytes: 16_000_000)
        let plan = LossPlan(store, losing: disks(0, 1, 2), bytesPerSecond: 1_000_000)
        #expect(plan.after.belowK == 32 && plan.survival?.isReadable == false)
        #expect(plan.bytesToRebuild == 0 && plan.rebuildSeconds == nil)
        #expect(plan.bytesBelowK == 4 * 16_000_000)
        #expect(plan.keepersLeft == 2 && !plan.keepsMajority)
    }

    @Test("What is away already, silent, or not yet repaired, counts with what is asked about")
    func already() throws {
        var store = try store([[6]], bytes: 16_000_000)
        store.away = disks(5)
        store.keepers.silent = disks(0)
        let plan = LossPlan(store, losing: disks(4), bytesPerSecond: 1_000_000)
        #expect(plan.before.degraded == 32)
        #expect(plan.after.writes == .refused && plan.survival?.spares == 0)
        #expect(plan.keepersLeft == 3)
        let damaged = ShardLayout(group: store.layout.groups[3], missing: [0, 1])
        store.layout.damaged = [damaged]
        let members = damaged.group.members
        store.away = []
        let worse = LossPlan(store, losing: [members[2]], bytesPerSecond: 1_000_000)
        #expect(worse.after.belowK == 1 && worse.after.degraded == 31)
        // A shard that is missing on the very disk that is lost is not lost twice.
        let same = LossPlan(store, losing: [members[1]], bytesPerSecond: 1_000_000)
        #expect(same.after.belowK == 0)
    }
}
