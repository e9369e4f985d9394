import Coordination
import Metadata
import ObjectModel
import SystemInterface
import TestKit
import Testing

@Suite("An operator's pause of repair")
struct RepairPauseTests {
    @Test("what has spares waits until it is over, also what clients read; what has none is repaired, and all is read")
    func holds() async throws {
        let store = try await StoreHarness.open()
        let before = try await store.putLacking("before", [1])
        let hold = try store.store.repairer.hold
        hold.begin()
        #expect(hold.pause == RepairPause())
        try await store.running {
            let spare = try await store.putLacking("spare", [0])
            #expect(try await store.holds("spare", Content.random(90_000)))
            try store.store.repairer.prefer(spare)
            let urgent = try await store.putLacking("urgent", [0, 5])
            try await store.wait { try await store.isWhole(urgent) }
            // Two looks at the list, and more.
            try await Task.sleep(for: .seconds(2.5))
            #expect(try await store.store.metadata.missingShardCount() == 2)
            #expect(try store.store.repairer.progress.waiting == 0, "nothing failed")
            hold.end()
            try await store.wait { try await store.store.metadata.missingShardCount() == 0 }
            #expect(try await store.isWhole(before))
        }
        try await store.close()
    }

    @Test("it holds also what had begun to wait for its rate, and ends by itself after its time")
    func midway() async throws {
        let store = try await StoreHarness.open { $0.repairRates = RepairRates(disk: 1) }
        for number in 0..<12 { _ = try await store.putLacking("other-\(number)", [1]) }
        let hold = try store.store.repairer.hold
        try await store.running {
            try await store.wait { try await store.store.metadata.missingShardCount() == 11 }
            hold.begin(for: .seconds(4))
            // Those that wait for their turn look now and then whether they still are to.
            try await Task.sleep(for: .seconds(0.5))
            try store.store.repairer.budget.set(RepairRates())
            try await Task.sleep(for: .seconds(1.5))
            #expect(try await store.store.metadata.missingShardCount() == 11)
            #expect(try !store.store.repairer.progress.isActive)
            #expect(hold.pause?.until != nil)
            try await store.wait { try await store.store.metadata.missingShardCount() == 0 }
            #expect(hold.pause == nil)
        }
        try await store.close()
    }

    @Test("it holds over a crash once it was answered; what cannot be kept or read is said, and repair goes on")
    func durable() async throws {
        let folder = MemoryDisk(device: 99)
        let store = try await StoreHarness.open { $0.stateFolder = folder.mount() }
        func crash() async throws {
            var generator = SplitMix64(seed: 3)
            folder.crash(using: &generator)
            try await store.crash()
        }
        let blob = try await store.putLacking("k", [1])
        try store.store.repairer.hold.begin()
        #expect(await (try store.store.repairer).hold.keep())
        try await crash()
        #expect(try store.store.repairer.hold.pause == RepairPause())
        await (try store.store.repairer).pass()
        #expect(try await !store.isWhole(blob))

        folder.inject(DiskFault(.write, pathPrefix: RepairHold.name))
        try store.store.repairer.hold.end()
        #expect(await !(try store.store.repairer).hold.keep(), "said durable, though it was not written")
        #expect(try await store.store.troubles().map(\.work) == [.repair])
        try await crash()
        #expect(try store.store.repairer.hold.pause != nil)

        folder.flip(RepairHold.name, offset: 3, mask: 1)
        try await crash()
        #expect(try store.store.repairer.hold.pause == nil)
        #expect(try store.store.repairer.hold.problem.contains("damaged"))
        await (try store.store.repairer).pass()
        #expect(try await store.isWhole(blob))
        try await store.close()
    }

    @Test("a pause is told with its length, and so is its end: by a word, or by itself, also while the store was down")
    func told() async throws {
        let folder = MemoryDisk(device: 99)
        let store = try await StoreHarness.open { $0.stateFolder = folder.mount() }
        let told = StoreEventTests.Told()
        func crash() async throws {
            var generator = SplitMix64(seed: 3)
            folder.crash(using: &generator)
            try await store.crash()
            try store.store.events.observe(told.note)
        }
        try store.store.events.observe(told.note)
        try store.store.pauseRepair(for: .seconds(7_200))
        await (try store.store).watchRepairPause()
        for _ in 0..<2 { try store.store.resumeRepair() }
        let words = told.take()
        #expect(words == [.repairPaused(seconds: 7_200), .repairResumed])
        #expect(words.first?.details.map(\.value) == ["7200 s"])
        try store.store.pauseRepair()
        await (try store.store).watchRepairPause()
        #expect(told.take() == [.repairPaused(seconds: nil)])

        try store.store.pauseRepair(for: .milliseconds(1))
        #expect(await (try store.store.repairer).hold.keep())
        try await crash()
        _ = told.take()
        try await Task.sleep(for: .milliseconds(20))
        for _ in 0..<2 { await (try store.store).watchRepairPause() }
        #expect(told.take() == [.repairPauseEnded])
        try await crash()
        await (try store.store).watchRepairPause()
        #expect(told.take().isEmpty, "its end was told before")
        try await store.close()
    }

    @Test("an operator's word comes back as it was kept, and nothing else")
    func word() {
        for pause in [nil, RepairPause(), RepairPause(until: WallTime(milliseconds: 1_800_000_000_000))] {
            let bytes = RepairPause.encode(pause)
            var read: RepairPause?
            #expect(RepairPause.decode(bytes, into: &read) && read == pause)
            for length in 0..<bytes.count { #expect(!RepairPause.decode(Array(bytes[..<length]), into: &read)) }
            for offset in bytes.indices {
                var changed = bytes
                changed[offset] ^= 1
                #expect(!RepairPause.decode(changed, into: &read))
            }
        }
    }
}
