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

    private static func empty(_ files: String...) throws {
        for file in files {
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
            try Self.empty(path, path + "-wal")
            await #expect(throws: StorageError.self) { _ = try await store.checkRows(from: .first, limit: 1_000) }
            try await Self.expectStopped(store)
        }
    }

    @Test("so does a log that is emptied: the next start replays what was in it")
    func emptiedLog() async throws {
        try await Self.withStore { store, path in
            try Self.empty(path + "-wal")
            await #expect(throws: StorageError.self) { _ = try await store.checkRows(from: .first, limit: 1_000) }
            try await Self.expectStopped(store)
        }
    }

    @Test("so does the walk of a checkpoint")
    func emptiedUnderSnapshot() async throws {
        try await Self.withStore { store, path in
            let snapshot = try await store.snapshot()
            try Self.empty(path, path + "-wal")
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
