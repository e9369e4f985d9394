import Metadata
import ObjectInterface
import ObjectModel
import Testing

/// What simulations take for the metadata's files: they believe that a power cut leaves what this says.
@Suite("The database in memory")
struct MemoryDatabaseTests {
    private let database = MemoryMetadataDatabase()

    private func store() -> JournaledMetadataStore { .inMemory(database, journal: FakeJournal()) }

    private func names(_ database: MemoryMetadataDatabase) async throws -> [String] {
        let store = JournaledMetadataStore.inMemory(database, journal: FakeJournal())
        return try await store.buckets(owner: nil).map(\.name).sorted()
    }

    @Test("a power cut takes it back to the copy, and without one to nothing")
    func unflushed() async throws {
        let store = store()
        try await store.beginIncarnation(1)
        try await store.createBucket(Sample.bucket("a"))
        let copy = database.copy()
        try await store.createBucket(Sample.bucket("b"))
        #expect(try await names(database.copy()) == ["a", "b"])
        #expect(try await names(database.fallingBack(to: copy)) == ["a"])
        #expect(try await names(database.fallingBack(to: nil)).isEmpty)
        #expect(try await names(database) == ["a", "b"], "only the copy falls back")
    }

    @Test("never further than the last flush, now or at the next power cut")
    func flushed() async throws {
        let store = store()
        try await store.beginIncarnation(1)
        try await store.createBucket(Sample.bucket("a"))
        let before = database.copy()
        try await store.createBucket(Sample.bucket("b"))
        try await store.makeDurable()
        let after = database.copy()
        try await store.createBucket(Sample.bucket("c"))
        let newest = database.copy()
        try await store.createBucket(Sample.bucket("d"))
        for older in [nil, before, after] { #expect(try await names(database.fallingBack(to: older)) == ["a", "b"]) }
        let left = database.fallingBack(to: newest)
        #expect(try await names(left) == ["a", "b", "c"])
        // What was there at the start after it has lain on the disk.
        #expect(try await names(left.fallingBack(to: nil)) == ["a", "b", "c"])
    }
}
