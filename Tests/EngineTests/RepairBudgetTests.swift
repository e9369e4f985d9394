import BlobStorage
import Coordination
import ObjectModel
import Synchronization
import SystemInterface
import TestKit
import Testing

@Suite("What repair may take of disks and lines")
struct RepairBudgetTests {
    private static let disks = (1...3).map { DiskID(Identifier128(high: 5, low: $0)) }
    private let time = ManualTime()

    private static func load(_ bytes: [Int], crossing: Int = 0) -> RepairLoad {
        RepairLoad(disks: Dictionary(uniqueKeysWithValues: zip(disks, bytes)), crossing: crossing)
    }

    /// Pays one load after the other, and says in which second each was let in.
    private func pay(_ loads: [RepairLoad], _ budget: RepairBudget, isSparing: Bool = true) async -> [UInt64] {
        let done = Mutex<[UInt64]>([])
        let task = Task {
            for load in loads {
                guard await budget.pay(for: load, isSparing: { isSparing }) else { return }
                done.withLock { $0.append(time.monotonic.nanoseconds / 1_000_000_000) }
            }
            time.advance(by: .seconds(3_600))
        }
        // Each step is as long as the longest wait between two looks.
        while time.monotonic.nanoseconds < 3_600_000_000_000 {
            if time.sleeperCount > 0 { time.advance(by: .milliseconds(100)) }
            await Task.yield()
        }
        await task.value
        return done.withLock { $0 }
    }

    @Test("a disk is asked for no more than its rate; the one that was asked for most decides")
    func diskRate() async {
        let budget = RepairBudget(rates: RepairRates(disk: 1_000), time: time)
        let loads = [[2_000, 1_000], [0, 1_000, 1_000], [1_000], [0, 0, 500]].map { Self.load($0) }
        #expect(await pay(loads, budget) == [0, 1, 2, 2])
    }

    @Test("with nobody in the way disks are asked for all they can, and what they did then is not owed later")
    func unheld() async {
        let budget = RepairBudget(rates: RepairRates(disk: 1_000), time: time)
        let load = Self.load([100_000])
        #expect(await pay([load, load, load], budget, isSparing: false) == [0, 0, 0])
        #expect(await budget.pay(for: load, isSparing: { true }))
    }

    @Test("lines between sites have a rate of their own, that always holds")
    func lines() async {
        let budget = RepairBudget(rates: RepairRates(disk: 1_000_000, wan: 1_000), time: time)
        let loads = [3_000, 0, 1_000, 1].map { Self.load([1], crossing: $0) }
        #expect(await pay(loads, budget, isSparing: false) == [0, 0, 3, 4])
    }

    @Test("a new rate holds for what waits already")
    func change() async {
        let budget = RepairBudget(rates: RepairRates(disk: 1), time: time)
        #expect(await budget.pay(for: Self.load([1_000_000]), isSparing: { true }))
        let waiting = Task { await budget.pay(for: Self.load([1]), isSparing: { true }) }
        await time.waitForSleepers()
        budget.set(RepairRates(disk: 1_000_000))
        time.advance(by: .seconds(1))
        #expect(await waiting.value)
    }

    @Test("who waits is let in in order, and at once when nobody is in the way any more")
    func sparingEnds() async {
        let budget = RepairBudget(rates: RepairRates(disk: 1_000), time: time)
        #expect(await budget.pay(for: Self.load([9_000]), isSparing: { true }))
        let isSparing = Mutex(true)
        let waiting = Task { await budget.pay(for: Self.load([1_000]), isSparing: { isSparing.withLock { $0 } }) }
        await time.waitForSleepers()
        isSparing.withLock { $0 = false }
        time.advance(by: .seconds(1))
        #expect(await waiting.value)
        // What it had been charged was taken back.
        #expect(await pay([Self.load([1])], budget) == [9])
    }

    @Test("who is to make way, or is cancelled, is let go without being charged")
    func makingWay() async {
        let budget = RepairBudget(rates: RepairRates(disk: 1_000), time: time)
        #expect(await budget.pay(for: Self.load([1_000]), isSparing: { true }))
        let goesOn = Mutex(true)
        let waiting = Task {
            await budget.pay(for: Self.load([5_000]), isSparing: { true }, while: { goesOn.withLock { $0 } })
        }
        await time.waitForSleepers()
        goesOn.withLock { $0 = false }
        time.advance(by: .seconds(1))
        #expect(await waiting.value == false)
        let cancelled = Task { await budget.pay(for: Self.load([1]), isSparing: { true }) }
        cancelled.cancel()
        _ = await cancelled.value
        #expect(await budget.pay(for: Self.load([1_000]), isSparing: { true }))
    }
}
