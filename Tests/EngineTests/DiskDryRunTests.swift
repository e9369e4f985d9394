import BlobStorage
import Coordination
import DiskFormat
import Metadata
import ObjectModel
import Placement
import TestKit
import Testing

/// What adding, replacing and retiring a disk would come to: true, and without anything done.
@Suite("Disks are added, replaced and retired on paper")
struct DiskDryRunTests {
    private static let node = NodeName("node-1")
    private static let rate = 30_000_000

    private static func filled(disks: Int) async throws -> StoreHarness {
        let store = try await StoreHarness.open(disks: disks)
        for size in [0, 900, 70_000, 3 << 20, 9 << 20] { try await store.put("k\(size)", Content.random(size)) }
        return store
    }

    private static func replacement(
        _ store: StoreHarness,
        slot: Int = 0,
        isForced: Bool = false
    ) async throws -> DiskLossPlan {
        let name = StoreHarness.name(slot)
        return try await store.store.planReplacement(
            inSlot: name,
            of: node,
            isForced: isForced,
            bytesPerSecond: rate
        )
    }

    private static func retirement(_ store: StoreHarness, slot: Int = 0) async throws -> DiskLossPlan {
        let name = StoreHarness.name(slot)
        return try await store.store.planRetirement(inSlot: name, of: node, isForced: false, bytesPerSecond: rate)
    }

    /// Where everything is placed, and what is in use.
    private static func picture(_ store: StoreHarness) async throws -> ([DiskRecord], [GroupRecord], missing: Int) {
        let metadata = try store.store.metadata
        return (
            try await metadata.disks(), try await metadata.groups().sorted { $0.id < $1.id },
            try await metadata.missingShardCount()
        )
    }

    private static func isUnchanged(
        _ store: StoreHarness,
        since before: ([DiskRecord], [GroupRecord], missing: Int)
    ) async throws -> Bool {
        let now = try await picture(store)
        return now.0 == before.0 && now.1 == before.1 && now.missing == before.missing
    }

    @Test("the disks that would be added are named, what moves to them is what moves then, and nothing is formatted")
    func added() async throws {
        let store = try await Self.filled(disks: 6)
        await #expect(throws: DiskChangeError.nothingToAdd("node-1")) {
            _ = try await store.store.planAddition(of: Self.node)
        }
        store.addSlot()
        store.addSlot()
        try await store.close()
        try await store.start()
        let before = try await Self.picture(store)
        let plan = try await store.store.planAddition(of: Self.node)
        #expect(plan.added.map(\.name) == ["site-1/node-1/disk-7", "site-1/node-1/disk-8"])
        #expect(plan.capacity > 0 && plan.moves.bytes > 0 && plan.moves.outlooks.map(\.isLower) == [false])
        #expect(plan.moves.moves.allSatisfy { move in plan.added.contains { $0.id == move.to } })
        #expect(try await store.store.planAddition(of: Self.node, slot: "disk-8").added.map(\.slot) == ["disk-8"])
        #expect(try await Self.isUnchanged(store, since: before))
        // They are still as empty as they were: both are added.
        #expect(try await store.store.addDisks(of: Self.node).count == 2)
        let moves = try await store.store.plan(.even)
        // Ties fall by the disks' ids, which are others now.
        let (told, found) = (plan.moves.bytes, moves.bytes)
        #expect(told <= 2 * found && found <= 2 * told)
        try await store.close()
    }

    @Test("a replacement: what the disk held, and one disk less meanwhile; it is not replaced")
    func replaced() async throws {
        let store = try await Self.filled(disks: 6)
        let groups = try await store.store.metadata.groups().count
        let held = try await store.store.groupBytes()
        let healthy = try await Self.replacement(store)
        #expect(healthy.refusal == .isHealthy("site-1/node-1/disk-1"))
        store.swapDisk(0)
        try await store.store.watchDisks()
        let before = try await Self.picture(store)
        let plan = try await Self.replacement(store)
        #expect(plan.refusal == nil && (plan.groupsMoved, plan.groupsLeft) == (groups, 0))
        // On six disks each has a shard of every blob.
        #expect(plan.rebuild.bytesToRebuild == held && healthy.rebuild.bytesToRebuild == held && held > 0)
        #expect(plan.rebuild.rebuildSeconds == 1 && plan.rebuild.riskMeanwhile > 0)
        #expect(plan.classes.map(\.name) == ["STANDARD"])
        #expect(plan.classes.map(\.meanwhile.disks) == [1] && plan.classes.map(\.then.disks) == [2])
        #expect(plan.journalThen?.disks == 2)
        #expect(try await Self.isUnchanged(store, since: before))
        // The slot is as empty as it was: it is taken.
        _ = try await store.store.replaceDisk(inSlot: StoreHarness.name(0), isForced: false)
        try await store.close()
    }

    @Test("a slot in which no new disk stands is told")
    func slotNotNew() async throws {
        let store = try await Self.filled(disks: 6)
        store.disk(0).isGone = true
        try await store.store.watchDisks()
        guard case .failed = try await Self.replacement(store).refusal else {
            Issue.record("nothing stands in the slot")
            return
        }
        await #expect(throws: DiskReplacementError.noSuchDisk("disk-9")) {
            _ = try await Self.replacement(store, slot: 8)
        }
        try await store.close()
    }

    @Test("a start says what stands in a slot in the place of a disk, and calls none new that holds something")
    func occupiedAtStart() async throws {
        let store = try await Self.filled(disks: 6)
        store.addSlot()
        store.swapDisk(0)
        try await store.close()
        for slot in [0, 6] { try await store.disk(slot).mount().createDirectory("patients") }
        try await store.start()
        let reasons = try store.store.absentSlots.filter { $0.reason.contains("which holds patients") }
        #expect(reasons.map(\.slot) == [StoreHarness.name(0), StoreHarness.name(6)])
        #expect(reasons.first?.reason.contains("disk replace site-1/node-1/disk-1") == true)
        #expect(reasons.last?.reason.contains("move it away and run `cairn admin disk add --node node-1`") == true)
        try await store.close()
    }

    @Test("a folder that holds something is refused on paper with the words of the command, which takes none beside it")
    func occupied() async throws {
        let store = try await Self.filled(disks: 6)
        store.swapDisk(0)
        try await store.disk(0).mount().createDirectory("patients")
        try await store.store.watchDisks()
        let words = DiskReplacementError.notEmpty("patients")
        #expect(try await Self.replacement(store).refusal == words)
        await #expect(throws: words) {
            _ = try await store.store.replaceDisk(inSlot: StoreHarness.name(0), isForced: false)
        }
        try await store.close()
    }

    @Test("the same of disks that would be added: none is, and the ones that are named are told")
    func occupiedBeside() async throws {
        let store = try await Self.filled(disks: 6)
        store.addSlot()
        store.addSlot()
        try await store.disk(7).mount().createDirectory("patients")
        try await store.close()
        try await store.start()
        let before = try await Self.picture(store)
        let words = DiskChangeError.notEmpty("node-1/disk-8", "patients")
        await #expect(throws: words) { _ = try await store.store.planAddition(of: Self.node) }
        await #expect(throws: words) { _ = try await store.store.addDisks(of: Self.node) }
        #expect(try await Self.isUnchanged(store, since: before))
        #expect(try await store.store.planAddition(of: Self.node, slot: "disk-7").added.map(\.slot) == ["disk-7"])
        #expect(try await store.store.addDisks(of: Self.node, slot: "disk-7").map(\.slot) == ["disk-7"])
        try await store.close()
    }

    @Test("a retirement: others stand in where some are left, and the disk keeps its places where none is")
    func retired() async throws {
        for disks in [6, 8] {
            let store = try await Self.filled(disks: disks)
            #expect(try await Self.retirement(store).refusal == .isHealthy("site-1/node-1/disk-1"))
            store.disk(0).isGone = true
            try await store.store.watchDisks()
            let before = try await Self.picture(store)
            let plan = try await Self.retirement(store)
            #expect(plan.refusal == nil && plan.classes.map(\.meanwhile.disks) == [1])
            #expect(try await Self.isUnchanged(store, since: before))
            let done = try await store.store.retireDisk(inSlot: StoreHarness.name(0), of: Self.node, isForced: false)
            #expect((plan.groupsMoved, plan.groupsLeft) == (done.groupsMoved, done.groupsLeft))
            #expect((plan.groupsLeft == 0) == (disks == 8))
            #expect((plan.rebuild.bytesToRebuild > 0) == (disks == 8))
            #expect(plan.classes.map(\.then.disks) == [disks == 8 ? 2 : 1])
            try await store.close()
        }
    }

    @Test("a disk without which something cannot be read is told, and what can be made anew no more")
    func needed() async throws {
        let store = try await Self.filled(disks: 6)
        let keepers = try store.store.journal.report.keepers.keepers
        let records = try await store.store.metadata.disks()
        // One that keeps the journal less: the store goes on with three of five keepers.
        let spare = try #require(records.first { !keepers.contains($0.id) })
        let slots = (0..<6).filter { StoreHarness.name($0) != spare.slot }.prefix(2)
        let away = slots + (0..<6).filter { StoreHarness.name($0) == spare.slot }
        for slot in away { store.disk(slot).isGone = true }
        try await store.store.watchDisks()
        let first = try #require(away.first)
        let plan = try await Self.replacement(store, slot: first)
        guard case .isNeeded = plan.refusal else {
            Issue.record("\(String(describing: plan.refusal))")
            return
        }
        #expect(plan.rebuild.bytesToRebuild == 0 && plan.rebuild.bytesBelowK > 0)
        #expect(plan.classes.map(\.meanwhile.spares) == [-1])
        guard case .isNeeded = try await Self.retirement(store, slot: first).refusal else {
            Issue.record("it may be retired")
            return
        }
        try await store.close()
    }
}

extension Store {
    /// Bytes that a disk of which every group has a place holds, by metadata.
    fileprivate func groupBytes() async throws -> Int {
        let plan = try await plan(.even)
        return plan.before.values.max() ?? 0
    }
}
