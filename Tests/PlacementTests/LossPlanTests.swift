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

    @Test("Losing disks that keep no journal stops no journal, and losing keepers does though all can be read")
    func keepersAlone() throws {
        let store = try store([[16]], bytes: 1_000_000, keepers: 0...4)
        let others = LossPlan(store, losing: disks(5, 6), bytesPerSecond: 1_000_000)
        #expect(others.keepersLeft == 5 && others.keepsMajority && !others.mayLoseChanges)
        #expect(others.journalSurvival?.disks == 2)
        let two = LossPlan(store, losing: disks(0, 1), bytesPerSecond: 1_000_000)
        #expect(two.keepsMajority && !two.mayLoseChanges && two.journalSurvival?.disks == 0)
        let three = LossPlan(store, losing: disks(0, 1, 2), bytesPerSecond: 1_000_000)
        #expect(!three.keepsMajority && three.mayLoseChanges && three.journalSurvival?.spares == -1)
    }

    @Test("Of an even number of keepers so many may go that the store stops, with every change on one that is left")
    func evenKeepers() throws {
        let store = try store([[16]], bytes: 1_000_000, keepers: 0...3)
        #expect(store.keepers.needed == 3)
        let two = LossPlan(store, losing: disks(0, 1), bytesPerSecond: 1_000_000)
        #expect(!two.keepsMajority && !two.mayLoseChanges)
        let three = LossPlan(store, losing: disks(0, 1, 2), bytesPerSecond: 1_000_000)
        #expect(!three.keepsMajority && three.mayLoseChanges)
    }

    @Test("With keepers away, the last changes are on the others alone: losing some stops the store and costs nothing")
    func keepersAway() throws {
        var store = try store([[16]], bytes: 1_000_000, keepers: 0...4)
        store.keepers.silent = disks(0)
        store.away = disks(1)
        let one = LossPlan(store, losing: disks(2), bytesPerSecond: 1_000_000)
        #expect(one.keepersLeft == 2 && !one.keepsMajority && !one.mayLoseChanges)
        #expect(LossPlan(store, losing: [], bytesPerSecond: 1_000_000).journalSurvival?.spares == 0)
        // Those that are left may be the ones that lack what was acknowledged.
        store.keepers.behind = disks(3, 4)
        #expect(LossPlan(store, losing: disks(2), bytesPerSecond: 1_000_000).mayLoseChanges)
        store.keepers.behind = disks(3)
        #expect(!LossPlan(store, losing: disks(2), bytesPerSecond: 1_000_000).mayLoseChanges)
        #expect(LossPlan(store, losing: disks(2, 3, 4), bytesPerSecond: 1_000_000).mayLoseChanges)
    }

    @Test("A journal whose keepers stand together survives less than one that is spread, wherever its shards are")
    func keepersTogether() throws {
        let scheme = try #require(Scheme(name: "rs-6-6"))
        let layout = try #require(LayoutHarness.founded(scheme, [[6], [6], [6]]))
        func survival(_ keepers: [Int]) throws -> Survival {
            let all = LossPlan.Keepers(all: keepers.map(LayoutHarness.disk), needed: keepers.count / 2 + 1)
            return try #require(Survival(all, on: layout.disks))
        }
        let spread = try survival([0, 1, 2, 6, 7, 12, 13])
        #expect(spread.disks == 3 && spread.sites == 1 && spread.sparesWithoutSite == 0)
        let together = try survival([0, 1, 2, 3, 4, 6, 12])
        #expect(together.disks == 3 && together.sites == 0 && together.sparesWithoutSite == -2)
        #expect(Survival(LossPlan.Keepers(all: [], needed: 1), on: layout.disks) == nil)
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
