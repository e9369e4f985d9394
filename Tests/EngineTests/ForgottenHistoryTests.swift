import BlobStorage
import Coordination
import DiskFormat
import Metadata
import ObjectModel
import ObjectStorage
import Recovery
import ShardStorage
import StorageNode
import Synchronization
import SystemInterface
import TestKit
import Testing

/// A store whose metadata and keepers were all put back to an earlier moment, while other disks went on without them.
@Suite("A history that was forgotten")
struct ForgottenHistoryTests {
    /// What a snapshot of the machine holds.
    private struct Snapshot {
        let disks: [MemoryDisk]
        let database: MemoryMetadataDatabase

        init(of store: StoreHarness) {
            disks = store.disks.map { $0.copy() }
            database = store.database.copy()
        }
    }

    private static func open(scheme: String = "rs-4-2") async throws -> StoreHarness {
        try await StoreHarness.open(scheme: scheme) { $0.orphanQuarantine = .zero }
    }

    /// Ends the store, puts back the database and the disks with the journal, and starts it from there.
    private static func putBack(_ snapshot: Snapshot, in store: StoreHarness) async throws {
        let keepers = try store.store.journal.report.keepers
        let records = try await store.store.metadata.disks().filter { keepers.contains($0.id) }
        let slots = store.disks.indices.filter { slot in records.contains { $0.slot == StoreHarness.name(slot) } }
        #expect(slots.count < store.disks.count)
        try await store.close()
        for slot in slots { store.putBack(snapshot.disks[slot], slot) }
        try await store.crash(database: snapshot.database)
    }

    private static func restart(_ store: StoreHarness) async throws {
        try await store.close()
        try await store.start()
    }

    /// Starts until the metadata has seen a higher incarnation than the one that was forgotten: from then on nothing
    /// else tells what that wrote from garbage.
    private static func pass(_ forgotten: UInt32, _ store: StoreHarness) async throws {
        repeat { try await restart(store) } while try store.store.journal.incarnation <= forgotten
    }

    /// A look for orphans, with a journal that answers for the metadata.
    private static func look(_ store: StoreHarness) async throws -> Int {
        try await store.wait { try store.store.journal.isConfirmed }
        return try await store.store.orphans.pass()
    }

    private static func count(in store: StoreHarness, _ isMeant: (BlobID) -> Bool) throws -> Int {
        try store.store.hosted.reduce(0) { count, hosted in
            count + hosted.disk.shards.inventory(after: nil, limit: .max).count { isMeant($0.shard.blob) }
        }
    }

    /// Erases nothing and says why until an operator accepts the loss, and then erases it.
    private static func check(
        _ store: StoreHarness,
        forgotten: UInt32,
        isForgotten: (BlobID) -> Bool
    ) async throws {
        let left = try count(in: store, isForgotten)
        #expect(left > 0)
        let told = Mutex<[StoreEvent]>([])
        try store.store.events.observe { event in told.withLock { $0.append(event) } }
        for _ in 0..<3 { #expect(try await look(store) == 0) }
        #expect(try count(in: store, isForgotten) == left, "what a forgotten history wrote was erased")
        let noted = try #require(try await store.store.forcedStart())
        #expect(noted.forgotten == forgotten && !noted.isAccepted)
        #expect(told.withLock(\.self) == [.historyForgotten(incarnation: forgotten)])
        #expect(try await store.store.metadata.mayTellGarbage() == false)

        try await restart(store)
        for _ in 0..<3 { #expect(try await look(store) == 0) }
        #expect(try count(in: store, isForgotten) == left, "a restart forgot what was noted")
        #expect(try await store.store.acceptForcedStart())
        for _ in 0..<2 { _ = try await look(store) }
        #expect(try count(in: store, isForgotten) == 0, "accepted, and seen twice")
        try await restart(store)
        _ = try await look(store)
        #expect(try await store.store.forcedStart()?.isAccepted == true, "once accepted it is not told again")
        #expect(try await store.holds("before", Content.random(900_000)))
    }

    @Test(
        "what was written behind a later start is no garbage, until an operator accepts that it is lost",
        arguments: [false, true]
    )
    func laterStart(isPassed: Bool) async throws {
        let store = try await Self.open()
        try await store.put("before", Content.random(900_000))
        try await store.close()
        let snapshot = Snapshot(of: store)
        try await store.start()
        try await store.put("since", Content.random(900_000))
        let forgotten = try store.store.journal.incarnation
        try await Self.putBack(snapshot, in: store)
        if isPassed { try await Self.pass(forgotten, store) }
        try await Self.check(store, forgotten: forgotten) { $0.incarnation == forgotten }
        try await store.close()
    }

    @Test("nor is what was written without a start in between, under leases that were granted since")
    func laterLease() async throws {
        let store = try await Self.open()
        try await store.put("before", Content.random(900_000))
        let snapshot = Snapshot(of: store)
        let incarnation = try store.store.journal.incarnation
        try await store.store.objects.leases.rotate()
        let known = try await store.store.metadata.blobs(after: nil, limit: 100).map(\.id.writeLease).max()
        try await store.put("since", Content.random(900_000))
        try await Self.putBack(snapshot, in: store)
        try await Self.check(store, forgotten: incarnation) { blob in
            blob.incarnation == incarnation && known.map { blob.writeLease > $0 } ?? true
        }
        try await store.close()
    }

    @Test("salvage brings it out behind a start, all of it once it is noted, and nothing more when it is accepted")
    func salvage() async throws {
        let store = try await Self.open(scheme: "rs-2-1")
        try await store.put("before", Content.random(300_000))
        let snapshot = Snapshot(of: store)
        for number in 0..<16 { try await store.put("same-\(number)", Content.random(300_000)) }
        try await store.store.objects.leases.rotate()
        for number in 0..<16 { try await store.put("later-\(number)", Content.random(300_000)) }
        try await Self.putBack(snapshot, in: store)

        let first = try await Self.salvage(store)
        #expect(first.report.laterBlobs > 0 && !first.report.isWhole && first.report.text.contains("OLD: "))
        #expect(first.entry("before")?.file != nil)
        #expect(Self.unconfirmed(first) == ["later"], "under the lease of before it may be a broken-off upload")
        _ = try await Self.look(store)
        #expect(Self.unconfirmed(try await Self.salvage(store)) == ["later", "same"])
        #expect(try await store.store.acceptForcedStart())
        let last = try await Self.salvage(store)
        #expect(last.report.laterBlobs == 0 && Self.unconfirmed(last).isEmpty)
        try await store.close()
    }

    /// Of copies of the disks, between two lives of the store.
    private static func salvage(_ store: StoreHarness) async throws -> RecoveryHarness.Outcome {
        try await store.close()
        let disks = store.disks.indices.map { (StoreHarness.name($0), store.disk($0).copy()) }
        try await store.start()
        return try await RecoveryHarness.salvage(disks)
    }

    /// What the keys of unconfirmed objects begin with.
    private static func unconfirmed(_ outcome: RecoveryHarness.Outcome) -> Set<String> {
        let keys = outcome.entries.filter { $0.state == .unconfirmed }.map(\.key)
        return Set(keys.compactMap { $0.split(separator: "-").first.map(String.init) })
    }
}
