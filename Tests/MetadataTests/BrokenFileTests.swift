import Foundation
import Metadata
import ObjectInterface
import TestKit
import Testing

/// Found by hand: with the database emptied under a running server each read failed, changes went on, and nothing said
/// that the store had to be stopped.
@Suite("A database file that goes while it is open")
struct BrokenFileTests {
    private static func withStore(_ body: (JournaledMetadataStore, String) async throws -> Void) async throws {
        try await withTemporaryDirectory { directory in
            let path = directory + "/m.sqlite"
            let store = try await JournaledMetadataStore.openSQLite(path: path, journal: FakeJournal())
            let lease = try await store.prepare()
            for number in 0..<120 { try await store.put(lease, UInt64(number), "key-\(number)") }
            try await body(store, path)
        }
    }

    private static func empty(_ path: String) throws {
        for file in [path, path + "-wal"] {
            let handle = try #require(FileHandle(forWritingAtPath: file))
            try handle.truncate(atOffset: 0)
        }
    }

    private static func expectStopped(_ store: JournaledMetadataStore) async throws {
        let stopped = try #require(store.stopped)
        #expect(stopped.code == .unavailable)
        #expect(stopped.message.contains("cairn metadata rebuild"))
        #expect(store.damage != nil)
        let refusal = await #expect(throws: StorageError.self) { try await store.createBucket(Sample.bucket("c")) }
        #expect(refusal?.code == .unavailable)
    }

    @Test("a read that meets it stops the store, which names the way out")
    func emptied() async throws {
        try await Self.withStore { store, path in
            try Self.empty(path)
            await #expect(throws: StorageError.self) { _ = try await store.checkRows(from: .first, limit: 1_000) }
            try await Self.expectStopped(store)
        }
    }

    @Test("bad pages are told of, and what is sound is still answered and changed")
    func badPages() async throws {
        try await withTemporaryDirectory { directory in
            let path = directory + "/m.sqlite"
            try await Self.fill(path)
            #expect(!FileManager.default.fileExists(atPath: path + "-wal"), "the last one to close it writes it out")
            try Self.spoilLastPages(path)
            let store = try await JournaledMetadataStore.openSQLite(path: path, journal: FakeJournal())
            await #expect(throws: StorageError.self) {
                var place: RowPlace? = .first
                while let from = place { place = try await store.checkRows(from: from, limit: 1_000) }
            }
            #expect(store.damage != nil && store.stopped == nil)
            #expect(try await store.bucket("b") != nil)
        }
    }

    private static func fill(_ path: String) async throws {
        let store = try await JournaledMetadataStore.openSQLite(path: path, journal: FakeJournal())
        let lease = try await store.prepare()
        for number in 0..<600 { try await store.put(lease, UInt64(number), "key-\(number)") }
    }

    /// A third of the pages: leaves, since the roots of tables are the first.
    private static func spoilLastPages(_ path: String) throws {
        let handle = try #require(FileHandle(forUpdatingAtPath: path))
        let header = try #require(try handle.read(upToCount: 100))
        let pages = header[28..<32].reduce(0) { $0 << 8 | Int($1) }
        for page in pages * 2 / 3..<pages {
            try handle.seek(toOffset: UInt64(page * 4_096))
            try handle.write(contentsOf: Data(repeating: 0xA5, count: 4_096))
        }
    }

    @Test("so does the walk of a checkpoint")
    func emptiedUnderSnapshot() async throws {
        try await Self.withStore { store, path in
            let snapshot = try await store.snapshot()
            try Self.empty(path)
            await #expect(throws: MetadataError.self) {
                var cursor: [UInt8]?
                repeat { cursor = try await snapshot.exportRows(from: cursor, limit: 1 << 10).next } while cursor != nil
            }
            try await Self.expectStopped(store)
        }
    }

    @Test("one that is removed is noticed, and no reason to stop")
    func removed() async throws {
        try await Self.withStore { store, path in
            #expect(await !store.isFileGone())
            #expect(store.damage == nil)
            try FileManager.default.moveItem(atPath: path, toPath: path + ".aside")
            #expect(await store.isFileGone())
            #expect(store.damage?.contains("removed or replaced") == true)
            #expect(store.stopped == nil)
            try await store.createBucket(Sample.bucket("c"))
            // Another file at its place is no better.
            try Data("another".utf8).write(to: URL(fileURLWithPath: path))
            #expect(await store.isFileGone())
            try FileManager.default.removeItem(atPath: path)
            try FileManager.default.moveItem(atPath: path + ".aside", toPath: path)
            #expect(await !store.isFileGone())
            #expect(store.damage == nil)
        }
    }
}
