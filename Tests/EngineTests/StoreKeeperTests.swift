import Coordination
import DiskFormat
import JournalStorage
import Metadata
import ObjectInterface
import ObjectModel
import StorageNode
import Synchronization
import SystemInterface
import TestKit
import Testing

/// Which disks keep the journal while a store grows and its disks come and go.
@Suite("The journal's keepers in a store")
struct StoreKeeperTests {
    private static func nodes(of store: StoreHarness) async throws -> Set<String> {
        let keepers = try store.store.journal.report.keepers
        return Set(try await store.store.metadata.disks().filter { keepers.contains($0.id) }.map(\.node.name))
    }

    /// A store of one node with four disks, and of two more nodes with a disk each that has just been added.
    private static func grown() async throws -> StoreHarness {
        let store = try await StoreHarness.open(scheme: "rs-2-1", disks: 4) { configuration in
            for slot in configuration.slots.indices.dropFirst(4) {
                configuration.slots[slot].node = NodeName("node-\(slot - 2)")
            }
        }
        try await store.put("object", Content.random(90_000))
        store.addSlot()
        store.addSlot()
        try await store.close()
        try await store.start()
        for node in ["node-2", "node-3"] { _ = try await store.store.addDisks(of: NodeName(node)) }
        return store
    }

    /// Found by reading: keepers were chosen once, and stayed on one node for good when there were three.
    @Test("keepers that stand together move apart, one by one, and then stay where they are")
    func spread() async throws {
        let store = try await Self.grown()
        #expect(try await Self.nodes(of: store) == ["node-1"])
        try await store.wait {
            try await store.store.mendKeepers()
            return try await Self.nodes(of: store) == ["node-1", "node-2", "node-3"]
        }
        let settled = try store.store.journal.report.keepers
        #expect(settled.keepers.count == 3)
        for _ in 0..<3 { try await store.store.mendKeepers() }
        #expect(try store.store.journal.report.keepers == settled)
        // Any one of the three nodes may go once all have everything, and the log that a former keeper still has
        // misleads nobody.
        try await store.put("later", Content.random(1_000))
        try await store.wait {
            let members = try store.store.journal.report.members
            return members.count == 3 && members.allSatisfy { $0.standing(isServed: true) == .current }
        }
        store.disk(4).isGone = true
        try await store.crash()
        #expect(try await store.holds("object", Content.random(90_000)))
        #expect(try await store.holds("later", Content.random(1_000)))
        store.disk(4).isGone = false
        try await store.close()
    }

    @Test("while a keeper is away none is exchanged for a better spread")
    func notWhileAway() async throws {
        let store = try await Self.grown()
        let before = try store.store.journal.report.keepers
        let records = try await store.store.metadata.disks()
        let slot = try #require(
            (0..<4).first { slot in
                records.contains { $0.slot == StoreHarness.name(slot) && before.contains($0.id) }
            }
        )
        store.disk(slot).isGone = true
        try await store.store.watchDisks()
        for _ in 0..<3 { try await store.store.mendKeepers() }
        #expect(try store.store.journal.report.keepers == before)
        store.disk(slot).isGone = false
        try await store.close()
    }

    /// Found by reading: the disk never left, and nobody said why.
    @Test("an emptied disk that keeps the journal waits for one that can take it over, says so, and then leaves")
    func drainedKeeper() async throws {
        let store = try await StoreHarness.open(scheme: "rs-1-2", disks: 6)
        let keepers = try store.store.journal.report.keepers
        let records = try await store.store.metadata.disks()
        let drained = try #require(records.first { keepers.contains($0.id) })
        let other = try #require(
            store.disks.indices.first { slot in
                records.contains { $0.slot == StoreHarness.name(slot) && !keepers.contains($0.id) }
            }
        )
        store.disk(other).isGone = true
        try await store.store.watchDisks()
        #expect(try await store.store.keepersWithoutStandIn().isEmpty)
        _ = try await store.store.beginMoves(.empty([drained.id]))
        #expect(try await store.store.keepersWithoutStandIn().map(\.id) == [drained.id])
        try await store.store.mendKeepers()
        #expect(try store.store.journal.report.keepers == keepers)
        store.disk(other).isGone = false
        try await store.running { try await store.wait { try await Self.isRetired(drained.id, in: store) } }
        #expect(try await store.store.keepersWithoutStandIn().isEmpty)
        #expect(try store.store.journal.report.keepers.keepers.count == 5)
        try await store.close()
    }

    @Test("an emptied disk leaves a journal that every other disk keeps already, where those ask for fewer keepers")
    func drainedOfAll() async throws {
        let store = try await StoreHarness.open(scheme: "rs-2-4", disks: 7)
        let keepers = try store.store.journal.report.keepers
        #expect(keepers.keepers.count == 7)
        let drained = try #require(keepers.keepers.first)
        _ = try await store.store.beginMoves(.empty([drained]))
        #expect(try await store.store.keepersWithoutStandIn().isEmpty)
        try await store.running { try await store.wait { try await Self.isRetired(drained, in: store) } }
        let left = try store.store.journal.report.keepers
        #expect(left.keepers == keepers.keepers.filter { $0 != drained })
        try await store.put("object", Content.random(1_000))
        try await store.close()
    }

    /// Found by reading: `cairn serve` forgot with the next start that one had been forced, and a coordinator that took
    /// over never knew; what the metadata lacks was garbage then.
    @Test(
        "a forced start is known, and what is not named is no garbage, until an operator accepts it",
        arguments: [2, 0]
    )
    func forced(lost: Int) async throws {
        let isForced = Atomic(false)
        let store = try await StoreHarness.open(scheme: "rs-2-2", disks: 4) {
            $0.forcesJournal = isForced.load(ordering: .relaxed)
        }
        let keepers = try store.store.journal.report.keepers
        let records = try await store.store.metadata.disks().filter { keepers.contains($0.id) }.prefix(lost)
        let slots = store.disks.indices.filter { slot in records.contains { $0.slot == StoreHarness.name(slot) } }
        for slot in slots { store.disk(slot).isGone = true }
        isForced.store(true, ordering: .relaxed)
        try await store.crash()
        for slot in slots { store.disk(slot).isGone = false }
        isForced.store(false, ordering: .relaxed)
        guard lost > 0 else {
            // The word was given, and was not needed.
            #expect(try await store.store.forcedStart() == nil)
            return try await store.close()
        }
        #expect(try await store.store.forcedStart()?.isAccepted == false)
        #expect(try await store.store.metadata.mayTellGarbage() == false)
        try await store.crash()
        #expect(try await store.store.forcedStart()?.isAccepted == false)
        #expect(try await store.store.acceptForcedStart())
        #expect(try await store.store.acceptForcedStart() == false)
        #expect(try await store.store.metadata.mayTellGarbage())
        try await store.crash()
        #expect(try await store.store.forcedStart()?.isAccepted == true)
        try await store.close()
    }

    /// Found by reading: it had no client, and got none when its log had been opened again.
    @Test("a keeper whose log could not be opened at the start is fed once it can be")
    func openedLater() async throws {
        let store = try await StoreHarness.open()
        try await store.put("object", Content.random(1_000))
        let keepers = try store.store.journal.report.keepers
        let records = try await store.store.metadata.disks().filter { keepers.contains($0.id) }
        let slot = try #require(
            store.disks.indices.first { slot in records.contains { $0.slot == StoreHarness.name(slot) } }
        )
        try await store.close()
        store.disk(slot).inject(DiskFault(.list, pathPrefix: "journal"))
        try await store.start()
        #expect(try store.store.journal.report.members.contains { !$0.isWhole })
        try await store.store.mendKeepers()
        try await store.wait {
            try store.store.journal.report.members.allSatisfy { $0.standing(isServed: true) == .current }
        }
        #expect(try store.store.journal.report.keepers == keepers)
        try await store.close()
    }

    /// Found by reading: the same disk was tried for ever, and the one that was to be relieved stayed.
    @Test("a disk that has no room for the journal is passed over for another")
    func cannotJoin() async throws {
        let store = try await StoreHarness.open(scheme: "rs-1-1", disks: 5) {
            $0.keeper = KeeperLog.Configuration(fileLength: 64 << 10)
            $0.journal = JournalConfiguration(patience: .seconds(1))
        }
        for number in 0..<40 { try await store.put("filler-\(number)", Content.random(100)) }
        let before = try store.store.journal.report.keepers
        #expect(before.keepers.count == 3)
        let records = try await store.store.metadata.disks()
        let isFirst = Atomic(true)
        for slot in store.disks.indices
        where records.contains(where: { $0.slot == StoreHarness.name(slot) && !before.contains($0.id) }) {
            let disk = store.disk(slot)
            // Of the first that is tried: its log is opened, and there is no room for a second file.
            disk.setLatency { operation, path, _ in
                guard operation == .rename, path.hasPrefix("journal") else { return }
                guard isFirst.exchange(false, ordering: .relaxed) else { return }
                disk.inject(DiskFault(.allocate, pathPrefix: "journal/new", times: .max, code: .full))
            }
        }
        let drained = try #require(records.first { before.contains($0.id) })
        _ = try await store.store.beginMoves(.empty([drained.id]))
        try await store.wait {
            try await store.store.mendKeepers()
            return try !store.store.journal.report.keepers.contains(drained.id)
        }
        #expect(try store.store.journal.report.keepers.keepers.count == 3)
        let wasTried = !isFirst.load(ordering: .relaxed)
        #expect(wasTried)
        try await store.close()
    }

    private static func slots(
        of store: StoreHarness,
        where condition: (DiskRecord) -> Bool
    ) async throws -> [Int] {
        let records = try await store.store.metadata.disks().filter(condition)
        return store.disks.indices.filter { slot in records.contains { $0.slot == StoreHarness.name(slot) } }
    }

    private static func makeFile(_ name: String, length: Int, on disk: MemoryDisk) async throws {
        let files = disk.mount()
        let file = try await files.open(name, .createNew)
        try await file.truncate(to: length)
        try await file.sync()
        try await files.syncDirectory(RelativePath.root)
    }

    /// Found by hand: a store had one keeper less for good, and nothing said so.
    @Test("a file where the folder of the journal should be is moved aside, and its disk keeps the journal")
    func strayFile() async throws {
        let store = try await StoreHarness.open(scheme: "rs-2-1", disks: 4)
        try await store.put("object", Content.random(1_000))
        let before = try store.store.journal.report.keepers
        #expect(before.keepers.count == 3)
        let former = try #require(try await Self.slots(of: store) { before.contains($0.id) }.first)
        let other = try #require(try await Self.slots(of: store) { !before.contains($0.id) }.first)
        try await store.close()
        try await RecoveryHarness.removeJournal(store.disk(former))
        for slot in [former, other] {
            try await Self.makeFile("journal", length: 5, on: store.disk(slot))
            try await Self.makeFile("journal.aside-1", length: 3, on: store.disk(slot))
            store.disk(slot).restart()
        }
        try await store.start()
        try await store.wait {
            try await store.store.mendKeepers()
            let report = try store.store.journal.report
            return report.keepers.keepers.count == 3
                && report.members.allSatisfy { $0.standing(isServed: true) == .current }
        }
        let keepers = try store.store.journal.report.keepers
        let moved = try await Self.slots(of: store) { keepers.contains($0.id) }.filter { [former, other].contains($0) }
        #expect(!moved.isEmpty)
        for slot in moved {
            let files = store.disk(slot).mount()
            #expect(try await files.status("journal")?.isDirectory == true)
            #expect(try await files.status("journal.aside-1")?.length == 3)
            #expect(try await files.status("journal.aside-2")?.length == 5)
        }
        #expect(try await store.holds("object", Content.random(1_000)))
        try await store.close()
    }

    /// Found by hand: why a disk could not join was told by nothing.
    @Test("where no disk can open a log for the place that is free, one of them is named with the reason")
    func noneCanJoin() async throws {
        let store = try await StoreHarness.open(scheme: "rs-2-1", disks: 4)
        let before = try store.store.journal.report.keepers
        let former = try #require(try await Self.slots(of: store) { before.contains($0.id) }.first)
        let other = try #require(try await Self.slots(of: store) { !before.contains($0.id) }.first)
        try await store.close()
        try await RecoveryHarness.removeJournal(store.disk(former))
        for slot in [former, other] {
            store.disk(slot).restart()
            store.disk(slot).inject(DiskFault(.createDirectory, pathPrefix: "journal", times: .max))
        }
        try await store.start()
        let told = StoreEventTests.Told()
        try store.store.events.observe(told.note)
        for _ in 0..<4 { try await store.store.mendKeepers() }
        #expect(try store.store.journal.report.keepers.keepers.count == 2)
        let reasons = told.take().compactMap { if case .keepersUnchanged(let reason) = $0 { reason } else { nil } }
        let reason = try #require(reasons.first)
        #expect(reasons.count == 1, "once, and not with each try")
        let names = [former, other].map { "site-1/node-1/\(StoreHarness.name($0)) cannot keep the journal (" }
        #expect(names.contains { reason.hasPrefix($0) })
        let troubles = await (try store.store).troubles()
        #expect(troubles.map(\.work) == [.keepers] && troubles.map(\.reason) == [reason])

        for slot in [former, other] { store.disk(slot).clearFaults() }
        try await store.wait {
            try await store.store.mendKeepers()
            return try store.store.journal.report.keepers.keepers.count == 3
        }
        #expect(await (try store.store).troubles().isEmpty)
        try await store.close()
    }

    private static func isRetired(_ disk: DiskID, in store: StoreHarness) async throws -> Bool {
        try await store.store.metadata.disks().contains { $0.id == disk && $0.state == .retired }
    }
}
