import Coordination
import LinuxSystem
import Metadata
import ObjectInterface
import ObjectModel
import ObjectStorage
import TestKit
import Testing

@Suite("Repack and a loss of power")
struct RepackCrashTests {
    private static func sparse() async throws -> RepackHarness {
        let harness = try await RepackHarness.open(count: 120)
        for number in 0..<120 where number % 6 != 0 { try await harness.delete(RepackHarness.key(number)) }
        return harness
    }

    /// What lies on the disks is what metadata names, and nothing else.
    private static func isClean(_ harness: RepackHarness) async throws -> Bool {
        try await harness.collectGarbage()
        let store = try harness.store.store
        let orphans = OrphanCollector(
            metadata: store.metadata,
            blobs: store.blobs,
            time: harness.store.time,
            quarantine: .zero
        ) { true }
        try await orphans.pass()
        try await orphans.pass()
        return try await harness.shardCount() == store.metadata.statistics().blobs * 6
    }

    @Test("between the writing and the move: the new blob is an orphan, the objects are where they were")
    func beforeMove() async throws {
        let harness = try await Self.sparse()
        let sparse = try await harness.sparseBlobs()
        let blob = try await harness.writeRepack().record.id
        try await harness.store.crash()
        #expect(try await harness.store.store.metadata.blob(blob) == nil)
        #expect(try await harness.sparseBlobs() == sparse)
        #expect(try await harness.wrongKeys().isEmpty)
        #expect(try await Self.isClean(harness))
        try await harness.repacker().pass()
        #expect(try await harness.sparseBlobs().isEmpty)
        #expect(try await harness.wrongKeys().isEmpty)
        try await harness.store.close()
    }

    @Test("between the move and the erasing: the objects have moved", arguments: [false, true])
    func afterMove(isDatabaseOlder: Bool) async throws {
        let harness = try await Self.sparse()
        // What the keepers hold beyond an older copy is replayed: the move is a journal record like any other.
        let copy = harness.store.database.copy()
        let repack = try await harness.writeRepack()
        var record = repack.record
        // Of a blob in the making only.
        record.groupEpoch = nil
        let outcome = try await harness.store.store.objects.commit(repack)
        #expect(outcome.moved >= 15)
        try await harness.store.crash(database: isDatabaseOlder ? copy : nil)
        #expect(try await harness.store.store.metadata.blob(record.id) == record)
        #expect(try await harness.wrongKeys().isEmpty)
        #expect(try await Self.isClean(harness))
        #expect(try await harness.sparseBlobs().isEmpty)
        #expect(try await harness.wrongKeys().isEmpty)
        try await harness.store.close()
    }

    @Test("at any moment, again and again", arguments: 1...2 as ClosedRange<UInt64>)
    func anyMoment(seed: UInt64) async throws {
        let harness = try await RepackHarness.open(seed: seed, count: 160)
        let store = harness.store
        for round in 0..<3 {
            for number in 0..<160 where number % 5 == round { try await harness.delete(RepackHarness.key(number)) }
            let repacker = try harness.repacker()
            let work = Task { try? await repacker.pass() }
            try await store.time.sleep(for: .microseconds(Int64(store.random() % 60_000)))
            try await store.crash()
            await work.value
            #expect(try await harness.wrongKeys().isEmpty, "round \(round)")
        }
        #expect(try await Self.isClean(harness))
        try await harness.repacker().pass()
        #expect(try await harness.sparseBlobs().isEmpty)
        try await harness.collectGarbage()
        #expect(try await harness.wrongKeys().isEmpty)
        try await store.close()
    }
}
