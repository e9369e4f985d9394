import DiskFormat
import Metadata
import ObjectInterface
import ObjectModel
import Synchronization
import TestKit
import Testing

/// The order of DESIGN §7: evaluated, durable on the keepers, visible, answered.
@Suite("The commit pipeline")
struct JournalOrderTests {
    enum Kind: CaseIterable { case memory, sqlite }

    /// The number of the last version whose write was acknowledged.
    private final class Floor: Sendable {
        let number = Mutex<UInt64>(0)
    }

    /// Runs `body` with a way to open the same rows again.
    private func withRows(
        _ kind: Kind,
        _ body: ((FakeJournal) async throws -> JournaledMetadataStore) async throws -> Void
    ) async throws {
        try await withTemporaryDirectory { directory in
            let database = MemoryMetadataDatabase()
            try await body { journal in
                switch kind {
                case .memory: JournaledMetadataStore.inMemory(database, journal: journal)
                case .sqlite: try await .openSQLite(path: directory + "/m.sqlite", journal: journal)
                }
            }
        }
    }

    @Test("nothing is visible before the journal has it", arguments: Kind.allCases)
    func visibility(kind: Kind) async throws {
        try await withRows(kind) { open in
            let journal = FakeJournal()
            let store = try await open(journal)
            let lease = try await store.prepare()
            try await store.put(lease, 1, "old")
            journal.hold()
            async let write = store.put(lease, 2, "new")
            await journal.arrival()
            #expect(try await store.version(bucket: "b", key: "new") == nil)
            #expect(try await store.names().names == ["old"])
            #expect(try await store.statistics().versions == 1)
            journal.release()
            _ = try await write
            #expect(try await store.version(bucket: "b", key: "new") != nil)
            #expect(try await store.names().names == ["new", "old"])
        }
    }

    @Test("what comes while the journal works shares the next transaction", arguments: Kind.allCases)
    func grouping(kind: Kind) async throws {
        try await withRows(kind) { open in
            let journal = FakeJournal()
            let store = try await open(journal)
            let lease = try await store.prepare()
            journal.hold()
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { try await store.put(lease, 1, "first") }
                await journal.arrival()
                for index in 2...20 as ClosedRange<UInt64> {
                    // One of them fails on its own condition; it takes no other along.
                    let condition: WriteCondition = index == 9 ? .matches("none") : .none
                    group.addTask {
                        let code = await code { try await store.put(lease, index, "k\(index)", condition: condition) }
                        #expect(code == (index == 9 ? .noSuchKey : nil))
                    }
                }
                while store.waiting < 19 { await Task.yield() }
                journal.release()
                try await group.waitForAll()
            }
            #expect(journal.batches.last == 18)
            #expect(journal.records.map(\.position.sequence) == (1...UInt64(journal.records.count)).map { $0 })
            #expect(try await store.statistics().versions == 19)
        }
    }

    @Test(
        "a journal that fails stops the store; a start replays what the keepers have",
        arguments: Kind.allCases,
        [false, true]
    )
    func failure(kind: Kind, kept: Bool) async throws {
        try await withRows(kind) { open in
            let journal = FakeJournal()
            var lease = WriteLease(incarnation: 0, number: 0)
            do {
                let store = try await open(journal)
                lease = try await store.prepare()
                let stale = lease
                journal.fail(keeping: kept)
                #expect(await code { try await store.put(stale, 1, "k") } == .unknownOutcome)
                journal.recover()
                #expect(await code { try await store.put(stale, 2, "l") } == .unavailable)
                #expect(await code { _ = try await store.version(bucket: "b", key: "k") } == .unavailable)
                #expect(await code { _ = try await store.names() } == .unavailable)
            }
            let again = try await open(journal)
            try await again.apply(journal.records)
            #expect(try await again.version(bucket: "b", key: "k") == nil || kept)
            #expect(try await again.version(bucket: "b", key: "k") != nil || !kept)
            try await again.put(lease, 3, "m")
            #expect(journal.records.map(\.position.sequence) == (1...UInt64(journal.records.count)).map { $0 })
        }
    }

    @Test("replay is idempotent, and refuses gaps and other histories", arguments: Kind.allCases)
    func replay(kind: Kind) async throws {
        let source = FakeJournal()
        let original = JournaledMetadataStore.inMemory(journal: source)
        let lease = try await original.prepare()
        for index in 1...5 as ClosedRange<UInt64> { try await original.put(lease, index, "k\(index)") }
        let (none, keepers) = (KeeperSet(generation: 0, keepers: []), KeeperSet(generation: 1, keepers: Sample.disks))
        try await original.recordKeeperSetChange(KeeperSetChange(before: none, after: keepers))
        let records = source.records
        try await withRows(kind) { open in
            let store = try await open(FakeJournal())
            try await store.apply(Array(records.prefix(4)))
            try await store.apply(records)
            try await store.apply(records)
            #expect(try await store.position() == records.last?.position)
            #expect(try await store.statistics() == original.statistics())
            #expect(try await store.keeperSet() == keepers)
            guard var next = records.last else { return }
            next.position.sequence += 2
            await #expect(throws: MetadataError.self) { try await store.apply([next]) }
            next.position.sequence -= 2
            next.position.incarnation += 1
            await #expect(throws: MetadataError.self) { try await store.apply([next]) }
            next = JournalRecord(
                position: JournalPosition(incarnation: 1, sequence: next.position.sequence + 1),
                payload: [1, 9]
            )
            await #expect(throws: MetadataError.self) { try await store.apply([next]) }
            #expect(try await store.position() == records.last?.position)
        }
    }

    @Test("no read gives what an acknowledged change replaced, from the cache neither", arguments: Kind.allCases)
    func freshness(kind: Kind) async throws {
        try await withRows(kind) { open in
            let store = try await open(FakeJournal())
            let lease = try await store.prepare()
            let acknowledged = Floor()
            try await withThrowingTaskGroup(of: Void.self) { group in
                for _ in 0..<3 {
                    group.addTask {
                        while true {
                            let floor = acknowledged.number.withLock { $0 }
                            let found = try await store.version(bucket: "b", key: "k")?.version.number ?? 0
                            #expect(found >= floor)
                            if found < floor || Task.isCancelled { return }
                            await Task.yield()
                        }
                    }
                }
                for sequence in 1...300 as ClosedRange<UInt64> {
                    let blob = Sample.blob(lease, sequence)
                    let version = Sample.version("b", "k", [Sample.extent(blob)])
                    let outcome = try await store.commit(
                        WriteTransaction(lease: lease, blobs: [blob], writes: [.version(version, .none)])
                    )
                    let number = try outcome[0].get().number
                    acknowledged.number.withLock { $0 = number }
                    await Task.yield()
                }
                group.cancelAll()
                try await group.waitForAll()
            }
        }
    }

    @Test(
        "a journal short of room refuses what clients change, and lets in what brings room back",
        arguments: Kind.allCases
    )
    func shortage(kind: Kind) async throws {
        try await withRows(kind) { open in
            let journal = FakeJournal()
            let store = try await open(journal)
            let lease = try await store.prepare()
            try await store.put(lease, 1, "old")
            journal.shortage = StorageError(.full, "no room")
            let before = journal.records.count
            await expectFull { try await store.put(lease, 2, "new") }
            await expectFull { _ = try await store.delete(bucket: "b", [DeleteRequest(bucket: "b", key: "old")]) }
            #expect(journal.records.count == before)
            #expect(try await store.names().names == ["old"])
            _ = try await store.grantLease(holder: NodeName("node-1"))
            try await store.putCheckpoints(CheckpointTransaction(lease: lease, blobs: [], checkpoints: []))
            #expect(journal.records.count > before)
            // Nothing has stopped: with room again everything goes on.
            journal.shortage = nil
            try await store.put(lease, 2, "new")
            #expect(try await store.names().names == ["new", "old"])
        }
    }

    private func expectFull(_ body: () async throws -> Void) async {
        do {
            try await body()
            Issue.record("was let in")
        } catch {
            #expect((error as? StorageError)?.code == .full)
        }
    }

    @Test("one that cannot be opened is not called damaged: rights and mounts are named")
    func rights() async throws {
        try await withTemporaryDirectory { directory in
            let path = directory + "/missing/m.sqlite"
            do throws(MetadataError) {
                _ = try await JournaledMetadataStore.openSQLite(path: path, journal: FakeJournal())
                Issue.record("a database in no folder opened")
            } catch {
                #expect(error.description.contains("may be read and written by the user"))
                #expect(!error.description.contains("rebuild"))
            }
        }
    }

    @Test("a damaged database is told, and says what to do")
    func damage() async throws {
        try await withTemporaryDirectory { directory in
            let path = directory + "/m.sqlite"
            try await Files.write(Array("SQLite format 3\u{0}".utf8) + Array(repeating: 0x5A, count: 8_000), to: path)
            do throws(MetadataError) {
                _ = try await JournaledMetadataStore.openSQLite(path: path, journal: FakeJournal())
                Issue.record("a damaged database opened")
            } catch {
                switch error {
                case .broken, .corrupt: break
                default: throw error
                }
                #expect(error.description.contains("cairn metadata rebuild"))
            }
        }
    }
}
