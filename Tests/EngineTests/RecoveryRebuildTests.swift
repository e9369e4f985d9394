import ClusterProtocol
import Coordination
import DiskFormat
import JournalStorage
import LinuxSystem
import Metadata
import ObjectInterface
import ObjectModel
import Recovery
import StorageNode
import Synchronization
import SystemInterface
import TestKit
import Testing

@Suite("Metadata rebuilt from the disks")
struct RecoveryRebuildTests {
    static func rebuild(
        _ disks: [(path: String, disk: MemoryDisk)],
        into database: MemoryMetadataDatabase,
        isForced: Bool = false
    ) async throws -> MetadataRebuild.Report {
        // The locks of an earlier rebuild of the same disks.
        for (_, disk) in disks { disk.restart() }
        return try await MetadataRebuild(disks: RecoveryHarness.sources(disks), isForced: isForced).run(
            time: LinuxTime(),
            random: SeededRandom(seed: 3)
        ) { JournaledMetadataStore.inMemory(database, journal: $0) }
    }

    /// The upload that an object was made by.
    private static func upload(of key: String, _ harness: RecoveryHarness) async throws -> UploadID? {
        try await harness.store.store.metadata.version(bucket: RecoveryHarness.bucket, key: key)?.version.madeBy
    }

    /// Whether the store serves everything from a database.
    private static func serves(_ harness: RecoveryHarness, _ database: MemoryMetadataDatabase) async throws -> Bool {
        try await harness.store.crash(database: database)
        for (key, bytes) in harness.current {
            guard try await harness.store.holds(key, bytes) else { return false }
        }
        return try await Set(harness.store.keys()) == Set(harness.current.keys)
    }

    @Test("four of six disks give a database that serves everything; a second rebuild does nothing")
    func fromFour() async throws {
        let harness = try await RecoveryHarness.fill()
        let upload = try await Self.upload(of: "parts", harness)
        #expect(upload != nil)
        try await harness.store.close()
        let database = MemoryMetadataDatabase()
        let first = try await Self.rebuild(harness.disks(without: [0, 5]), into: database)
        #expect(!first.replay.wasUpToDate)
        #expect(first.statistics.versions == harness.current.count)
        let second = try await Self.rebuild(harness.disks(without: [1, 2]), into: database)
        #expect(second.replay.wasUpToDate)
        #expect(second.replay.records == 0)
        #expect(try await Self.serves(harness, database))
        #expect(try await Self.upload(of: "parts", harness) == upload)
    }

    @Test("from a checkpoint and the tail behind it, also over an old or a broken-off database")
    func checkpoint() async throws {
        var harness = try await RecoveryHarness.fill()
        let old = harness.store.database.copy()
        try await harness.put("before", Content.random(3_000))
        let store = try harness.store.store
        try await Checkpointer(
            metadata: store.metadata,
            journal: store.journal,
            objects: store.objects,
            time: LinuxTime()
        ).take()
        let base = store.journal.report.base
        try await harness.store.wait {
            for (_, disk) in store.hosted {
                if let state = try await disk.journal?.state(), state.base != base { return false }
            }
            return true
        }
        try await harness.put("behind", Content.random(2_000))
        try await harness.store.close()
        let broken = MemoryMetadataDatabase()
        try await JournaledMetadataStore.inMemory(broken, journal: ReadOnlyJournal()).beginImport()
        for database in [MemoryMetadataDatabase(), old, broken] {
            let report = try await Self.rebuild(harness.disks(without: [0, 1]), into: database)
            #expect(report.replay.checkpoint?.sequence == base.sequence)
            #expect(report.statistics.versions == harness.current.count)
        }
        let salvaged = try await RecoveryHarness.salvage(harness.disks(without: [2, 3]))
        #expect(try await harness.wrong(in: salvaged) == [])
        #expect(try await Self.serves(harness, old))
    }

    @Test("too few keepers are refused unless forced; a database ahead of the disks always is")
    func refusals() async throws {
        var harness = try await RecoveryHarness.fill()
        let before = harness.disks()
        try await harness.put("more", Content.random(100))
        try await harness.store.close()
        let ahead = harness.store.database.copy()
        await #expect(throws: RecoveryError.self) { try await Self.rebuild(before, into: ahead, isForced: true) }
        let database = MemoryMetadataDatabase()
        let keeperless = harness.disks()
        for (_, disk) in keeperless.dropFirst(2) { try await RecoveryHarness.removeJournal(disk) }
        await #expect(throws: RecoveryError.self) { try await Self.rebuild(keeperless, into: database) }
        let forced = try await Self.rebuild(keeperless, into: database, isForced: true)
        #expect(forced.replay.mayMissTail)
        for (_, disk) in keeperless { try await RecoveryHarness.removeJournal(disk) }
        await #expect(throws: RecoveryError.self) {
            try await Self.rebuild(keeperless, into: MemoryMetadataDatabase(), isForced: true)
        }
    }

    /// Found by hand: the journal of one store was written into the database of another, which then was neither's.
    @Test("another store's database is left as it is, by a rebuild and by a start")
    func foreign() async throws {
        let harness = try await RecoveryHarness.fill()
        try await harness.store.close()
        let other = try await StoreHarness.open(seed: 99)
        let rows = try await other.store.metadata.statistics()
        try await other.close()
        let database = other.database.copy()
        await #expect(throws: RecoveryError.self) { try await Self.rebuild(harness.disks(), into: database) }
        await #expect(throws: RecoveryError.self) {
            try await Self.rebuild(harness.disks(), into: database, isForced: true)
        }
        do {
            try await harness.store.crash(database: database)
            Issue.record("it starts")
        } catch let error as StoreStartError {
            guard case .foreignDatabase = error else { throw error }
            #expect(error.description.contains("cairn metadata rebuild"))
        }
        try await other.crash(database: database)
        #expect(try await other.store.metadata.statistics() == rows)
        try await other.close()
    }

    /// Found by hand: the start advised a rebuild, and that to move the database aside, which had the only record of
    /// what was acknowledged last.
    @Test("a database newer than every journal is to be kept: neither a start nor a rebuild advises to make it anew")
    func newerThanJournals() async throws {
        let store = try await StoreHarness.open()
        try await store.put("early", Content.random(3_000))
        try await store.close()
        let old = store.disks.map { $0.copy() }
        try await store.start()
        for number in 0..<8 { try await store.put("late-\(number)", Content.random(3_000)) }
        try await store.close()
        let (new, database) = (store.disks.map { $0.copy() }, store.database.copy())
        for (slot, disk) in old.enumerated() { store.putBack(disk.copy(), slot) }
        let refused = try await Self.startError { try await store.crash(database: database) }
        let advice = try #require(refused?.description)
        #expect(advice.contains("newer than every") && advice.contains("keep a copy"))
        #expect(!advice.contains("metadata rebuild"))
        let disks = old.enumerated().map { (path: StoreHarness.name($0.offset), disk: $0.element.copy()) }
        do {
            _ = try await Self.rebuild(disks, into: database.copy())
            Issue.record("it was rebuilt")
        } catch let error as RecoveryError {
            #expect(error.description.contains("newer than every") && error.description.contains("Keep a copy"))
        }
        for (slot, disk) in new.enumerated() { store.putBack(disk, slot) }
        try await store.crash(database: database)
        #expect(try await store.holds("late-7", Content.random(3_000)))
        try await store.close()
    }

    private static func startError(_ start: () async throws -> Void) async throws -> StoreStartError? {
        do {
            try await start()
            return nil
        } catch let error as StoreStartError {
            return error
        }
    }

    /// Found by hand: with a disk lost beside it, more disks were asked for, or that disk was to be replaced.
    @Test(
        "a start without the database names the rebuild, also where a disk cannot be used or opened",
        arguments: [false, true],
        [false, true]
    )
    func lostBesideADisk(isKnown: Bool, isThere: Bool) async throws {
        let wasFounded = Atomic(false)
        let store = try await StoreHarness.open {
            $0.wasFounded = wasFounded.load(ordering: .relaxed)
        }
        try await store.put("object", Content.random(90_000))
        try await store.close()
        let database = store.database.copy()
        wasFounded.store(isKnown, ordering: .relaxed)
        if isThere {
            store.disk(0).inject(DiskFault(.list, pathPrefix: "segments", times: .max))
        } else {
            store.disk(0).isGone = true
        }
        let error = try await Self.startError { try await store.crash(database: MemoryMetadataDatabase()) }
        guard case .databaseLost = error else {
            Issue.record("\(error.map(\.description) ?? "it starts")")
            return
        }
        store.disk(0).clearFaults()
        store.disk(0).isGone = false
        try await store.crash(database: database)
        #expect(try await store.holds("object", Content.random(90_000)))
        #expect(try store.store.absentSlots.isEmpty)
        try await store.close()
    }

    @Test("a founding that was cut off goes on with the disks that it had formatted, and not without one of them")
    func cutFounding() async throws {
        let scheme = try #require(Scheme(name: "rs-4-2"))
        let store = StoreHarness(scheme: scheme)
        store.disk(5).inject(DiskFault(.createDirectory, pathPrefix: "segments"))
        #expect(try await Self.startError { try await store.start() } != nil)
        for disk in store.disks { disk.restart() }
        store.disk(0).inject(DiskFault(.list, pathPrefix: "segments", times: .max))
        let error = try await Self.startError { try await store.start() }
        guard case .disk(let slot, _) = error else {
            Issue.record("\(error.map(\.description) ?? "it starts")")
            return
        }
        #expect(slot == "disk-1")
        for disk in store.disks { disk.restart() }
        store.disk(0).clearFaults()
        try await store.start()
        #expect(try await store.store.metadata.disks().count == 6)
        try await store.close()
    }

    @Test("refused while a server has the disks open")
    func locked() async throws {
        let store = try await StoreHarness.open()
        let sources = store.disks.map { DiskSource(path: "d", files: $0.mount()) }
        await #expect(throws: RecoveryError.self) {
            try await MetadataRebuild(disks: sources).run(time: LinuxTime(), random: SeededRandom(seed: 1)) {
                JournaledMetadataStore.inMemory(journal: $0)
            }
        }
    }
}
