import Foundation
import GRDBSQLite
import Metadata
import ObjectModel
import SystemInterface
import TestKit
import Testing

/// Found by hand: with one flipped bit in the database an object's GET gave the bytes of another, and with another all
/// shards of an object were erased as orphans. SQLite's own check saw neither.
@Suite("Flipped bits in the database file")
struct RowSealTests {
    /// All rows, as an export has them.
    private static func rows(_ store: JournaledMetadataStore) async throws -> [UInt8] {
        let snapshot = try await store.snapshot()
        var (bytes, cursor) = ([UInt8](), [UInt8]?.none)
        repeat {
            let range = try await snapshot.exportRows(from: cursor, limit: 1 << 20)
            bytes += range.bytes
            cursor = range.next
        } while cursor != nil
        return bytes
    }

    private static func check(_ store: JournaledMetadataStore) async throws {
        var place: RowPlace? = .first
        while let next = place { place = try await store.checkRows(from: next, limit: 50) }
    }

    private static func fill(_ path: String) async throws -> [UInt8] {
        let store = try await JournaledMetadataStore.openSQLite(path: path, journal: FakeJournal())
        let lease = try await store.prepare()
        for number in 0..<120 { _ = try await store.put(lease, UInt64(number), "key-\(number)") }
        for number in 0..<30 { _ = try await store.delete("key-\(number)") }
        try await check(store)
        #expect(store.damage == nil)
        return try await rows(store)
    }

    /// Writes the log into the file: in the log SQLite has checksums of its own.
    private static func fold(_ path: String) throws {
        try open(path) { database in
            try #require(sqlite3_exec(database, "PRAGMA wal_checkpoint(TRUNCATE)", nil, nil, nil) == SQLITE_OK)
            let log = try Data(contentsOf: URL(fileURLWithPath: path + "-wal"))
            try #require(log.isEmpty)
        }
    }

    /// What a whole look at a file says: damage, or the rows.
    private enum Look {
        case damage
        case rows([UInt8])
    }

    private static func look(_ path: String) async -> Look {
        guard let store = try? await JournaledMetadataStore.openSQLite(path: path, journal: FakeJournal()) else {
            return .damage
        }
        guard (try? await check(store)) != nil, store.damage == nil, let rows = try? await rows(store) else {
            return .damage
        }
        return .rows(rows)
    }

    @Test("wherever a bit is flipped, it is found, or nothing that is read has changed")
    func everyPage() async throws {
        try await withTemporaryDirectory { directory in
            let path = directory + "/m.sqlite"
            let whole = try await Self.fill(path)
            try Self.fold(path)
            let file = Array(try Data(contentsOf: URL(fileURLWithPath: path)))
            // Most of the file is room for more.
            let used = file.indices.filter { file[$0] != 0 }
            var generator = SplitMix64(seed: 11)
            var found = 0
            for number in 0..<400 {
                let copy = directory + "/\(number).sqlite"
                var bytes = file
                bytes[used[Int(generator.next() % UInt64(used.count))]] ^= 1 << UInt8(generator.next() % 8)
                try await Files.write(bytes, to: copy)
                switch await Self.look(copy) {
                case .damage: found += 1
                case .rows(let rows): #expect(rows == whole)
                }
            }
            #expect(found > 200, "\(found) of 400 flips were in rows")
        }
    }

    @Test("a database of before, whose rows have no checksums, gets them when it is opened")
    func older() async throws {
        try await withTemporaryDirectory { directory in
            let path = directory + "/m.sqlite"
            let whole = try await Self.fill(path)
            try Self.fold(path)
            try Self.strip(path)
            #expect(try Self.number("PRAGMA user_version", path) == 0)
            guard case .rows(let rows) = await Self.look(path) else {
                Issue.record("it does not open")
                return
            }
            #expect(rows == whole)
            #expect(try Self.number("PRAGMA user_version", path) == 1)
        }
    }

    /// As the versions before left it.
    private static func strip(_ path: String) throws {
        try open(path) { database in
            var tables: [String] = []
            var statement: OpaquePointer?
            sqlite3_prepare_v2(database, "SELECT name FROM sqlite_master WHERE type = 'table'", -1, &statement, nil)
            while sqlite3_step(statement) == SQLITE_ROW {
                tables.append(String(cString: sqlite3_column_text(statement, 0)))
            }
            sqlite3_finalize(statement)
            try #require(tables.count > 10)
            for table in tables {
                let cut = "UPDATE \"\(table)\" SET row = substr(row, 1, length(row) - 4)"
                try #require(sqlite3_exec(database, cut, nil, nil, nil) == SQLITE_OK)
            }
            try #require(sqlite3_exec(database, "PRAGMA user_version = 0", nil, nil, nil) == SQLITE_OK)
        }
    }

    private static func number(_ question: String, _ path: String) throws -> Int32 {
        try open(path) { database in
            var statement: OpaquePointer?
            defer { sqlite3_finalize(statement) }
            try #require(sqlite3_prepare_v2(database, question, -1, &statement, nil) == SQLITE_OK)
            try #require(sqlite3_step(statement) == SQLITE_ROW)
            return sqlite3_column_int(statement, 0)
        }
    }

    /// A connection beside the store's own code.
    private static func open<Value>(_ path: String, _ body: (OpaquePointer?) throws -> Value) throws -> Value {
        var database: OpaquePointer?
        defer { sqlite3_close(database) }
        try #require(sqlite3_open(path, &database) == SQLITE_OK)
        return try body(database)
    }
}
