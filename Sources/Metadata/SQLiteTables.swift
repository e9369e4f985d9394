import GRDB
import GRDBSQLite

/// The tables as SQLite keeps them: one WITHOUT ROWID table each, `key` and `row` as BLOBs, which compare by bytes.
///
/// Statements are prepared once per connection and driven by SQLite's own calls: a point read is one bind, one step
/// and one copy. Confined to its connection's queue, and to one call on it.
final class SQLiteTables: MetadataTables {
    private enum Kind: Int, CaseIterable { case get, put, remove, scan, scanBelow }

    private let database: Database
    private var statements: [Statement?]

    init(_ database: Database) {
        self.database = database
        statements = Array(repeating: nil, count: (Self.highestTable + 1) * Kind.allCases.count)
    }

    private static let highestTable = MetadataTable.allCases.reduce(0) { max($0, Int($1.rawValue)) }

    /// Quoted, since some names are words of SQL.
    private static func name(_ table: MetadataTable) -> String { "\"\(table)\"" }

    /// Of the file: from 1 on each row ends with its checksum.
    private static let version = 1

    /// Makes the tables that are not there, and brings those of a version before to this one.
    static func createAll(_ database: Database) throws {
        let found = try Int.fetchOne(database, sql: "PRAGMA user_version") ?? 0
        guard found <= version else {
            throw MetadataError.unsupported("its database is of version \(found), and this one knows \(version)")
        }
        for table in MetadataTable.allCases {
            let columns = "(key BLOB PRIMARY KEY, row BLOB NOT NULL)"
            try database.execute(sql: "CREATE TABLE IF NOT EXISTS \(name(table)) \(columns) WITHOUT ROWID")
        }
        if found < version { try sealAll(database) }
    }

    /// Rows that get their checksums in one go.
    private static let sealedAtOnce = 1_000

    /// Each row gets its checksum, in one transaction: as many bytes of log as there are rows.
    private static func sealAll(_ database: Database) throws {
        let tables = SQLiteTables(database)
        try tables.control(.beginWrite)
        do {
            for table in MetadataTable.allCases {
                var place: RowKey? = []
                while let start = place {
                    let rows = try tables.unsealed(table, from: start, limit: sealedAtOnce)
                    for (key, row) in rows { try tables.put(table, key, row) }
                    place = rows.count == sealedAtOnce ? rows.last?.key.next : nil
                }
            }
            try database.execute(sql: "PRAGMA user_version = \(version)")
            try tables.control(.commit)
        } catch {
            try? tables.control(.rollback)
            throw error
        }
    }

    /// Rows as the file has them.
    private func unsealed(
        _ table: MetadataTable,
        from start: RowKey,
        limit: Int
    ) throws(MetadataError) -> [(key: RowKey, row: [UInt8])] {
        try run(.scan, table, start) { (statement) throws(MetadataError) in
            var rows: [(key: RowKey, row: [UInt8])] = []
            while rows.count < limit, try step(statement) {
                rows.append((Self.column(statement, 0), Self.column(statement, 1)))
            }
            return rows
        }
    }

    func get(_ table: MetadataTable, _ key: RowKey) throws(MetadataError) -> [UInt8]? {
        try run(.get, table, key) { (statement) throws(MetadataError) in
            guard try step(statement) else { return nil }
            return try RowSeal.open(table, key, Self.column(statement, 0))
        }
    }

    func put(_ table: MetadataTable, _ key: RowKey, _ row: [UInt8]) throws(MetadataError) {
        let sealed = RowSeal.seal(table, key, row)
        try run(.put, table, key, sealed) { (statement) throws(MetadataError) in _ = try step(statement) }
    }

    func remove(_ table: MetadataTable, _ key: RowKey) throws(MetadataError) {
        try run(.remove, table, key) { (statement) throws(MetadataError) in _ = try step(statement) }
    }

    func scan(
        _ table: MetadataTable,
        from start: RowKey,
        below end: RowKey?,
        _ visit: (RowKey, [UInt8]) throws(MetadataError) -> Bool
    ) throws(MetadataError) {
        try run(end == nil ? .scan : .scanBelow, table, start, end) { (statement) throws(MetadataError) in
            while try step(statement) {
                let key = Self.column(statement, 0)
                guard try visit(key, RowSeal.open(table, key, Self.column(statement, 1))) else { return }
            }
        }
    }

    func removeAll() throws(MetadataError) {
        do {
            for table in MetadataTable.allCases { try database.execute(sql: "DELETE FROM \(Self.name(table))") }
        } catch {
            throw MetadataError(sqlite: error)
        }
    }

    // MARK: Statements

    /// Begins or ends a transaction by a statement prepared once: GRDB would parse it anew for each read.
    func control(_ statement: Control) throws(MetadataError) {
        let prepared: Statement
        do {
            prepared = try database.cachedStatement(sql: statement.rawValue)
        } catch {
            throw MetadataError(sqlite: error)
        }
        defer { sqlite3_reset(prepared.sqliteStatement) }
        _ = try step(prepared.sqliteStatement)
    }

    enum Control: String {
        case beginRead = "BEGIN DEFERRED TRANSACTION"
        case beginWrite = "BEGIN IMMEDIATE TRANSACTION"
        case commit = "COMMIT TRANSACTION"
        case rollback = "ROLLBACK TRANSACTION"
    }

    private func run<Value>(
        _ kind: Kind,
        _ table: MetadataTable,
        _ first: [UInt8],
        _ second: [UInt8]? = nil,
        _ body: (OpaquePointer) throws(MetadataError) -> Value
    ) throws(MetadataError) -> Value {
        let statement = try prepared(kind, table)
        // The bound bytes must stay where they are until the reset, so both are pinned around the whole run.
        return try first.withUnsafeBufferPointer { (first) throws(MetadataError) -> Value in
            try (second ?? []).withUnsafeBufferPointer { (bytes) throws(MetadataError) -> Value in
                defer {
                    sqlite3_reset(statement)
                    sqlite3_clear_bindings(statement)
                }
                try bind(statement, 1, first)
                if second != nil { try bind(statement, 2, bytes) }
                return try body(statement)
            }
        }
    }

    private func prepared(_ kind: Kind, _ table: MetadataTable) throws(MetadataError) -> OpaquePointer {
        let place = Int(table.rawValue) * Kind.allCases.count + kind.rawValue
        if let statement = statements[place] { return statement.sqliteStatement }
        do {
            let statement = try database.cachedStatement(sql: Self.sql[place])
            statements[place] = statement
            return statement.sqliteStatement
        } catch {
            throw MetadataError(sqlite: error)
        }
    }

    /// By table and kind: made once, since it is the key of the connection's statement cache.
    private static let sql: [String] = {
        var texts = Array(repeating: "", count: (highestTable + 1) * Kind.allCases.count)
        for table in MetadataTable.allCases {
            let place = Int(table.rawValue) * Kind.allCases.count
            let name = name(table)
            texts[place + Kind.get.rawValue] = "SELECT row FROM \(name) WHERE key = ?"
            texts[place + Kind.put.rawValue] =
                "INSERT INTO \(name) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET row = excluded.row"
            texts[place + Kind.remove.rawValue] = "DELETE FROM \(name) WHERE key = ?"
            texts[place + Kind.scan.rawValue] = "SELECT key, row FROM \(name) WHERE key >= ? ORDER BY key"
            texts[place + Kind.scanBelow.rawValue] =
                "SELECT key, row FROM \(name) WHERE key >= ? AND key < ? ORDER BY key"
        }
        return texts
    }()

    private func bind(
        _ statement: OpaquePointer,
        _ index: Int32,
        _ bytes: UnsafeBufferPointer<UInt8>
    ) throws(MetadataError) {
        // A null address would bind NULL: empty bytes are a blob of no length.
        let code: Int32
        if let address = bytes.baseAddress, !bytes.isEmpty {
            code = sqlite3_bind_blob64(statement, index, address, UInt64(bytes.count), nil)
        } else {
            code = sqlite3_bind_zeroblob(statement, index, 0)
        }
        guard code == SQLITE_OK else { throw failure(code) }
    }

    /// Whether there is a row.
    private func step(_ statement: OpaquePointer) throws(MetadataError) -> Bool {
        switch sqlite3_step(statement) {
        case SQLITE_ROW: return true
        case SQLITE_DONE: return false
        case let code: throw failure(code)
        }
    }

    private static func column(_ statement: OpaquePointer, _ index: Int32) -> [UInt8] {
        guard let address = sqlite3_column_blob(statement, index) else { return [] }
        return [UInt8](UnsafeRawBufferPointer(start: address, count: Int(sqlite3_column_bytes(statement, index))))
    }

    private func failure(_ code: Int32) -> MetadataError {
        MetadataError(sqliteCode: code, message: database.lastErrorMessage ?? "no message")
    }
}

extension MetadataError {
    /// What an error of SQLite means for the store; `code` may be an extended one
    /// (https://www.sqlite.org/rescode.html).
    init(sqliteCode code: Int32, message: String) {
        switch code & 0xFF {
        case SQLITE_CORRUPT: self = .corrupt("SQLite: \(message)")
        case SQLITE_NOTADB: self = .broken("SQLite: \(message)")
        case SQLITE_IOERR where code == Self.shortRead: self = .broken("SQLite \(code): \(message)")
        case SQLITE_IOERR where Self.damages.contains(code): self = .corrupt("SQLite \(code): \(message)")
        case SQLITE_FULL: self = .full
        case SQLITE_READONLY, SQLITE_PERM, SQLITE_CANTOPEN:
            self = .failed("SQLite \(code): \(message): \(Self.rightsAdvice)")
        default: self = .failed("SQLite \(code): \(message)")
        }
    }

    /// SQLITE_IOERR_SHORT_READ, which is no constant in Swift: the log is shorter than its index says.
    private static let shortRead = SQLITE_IOERR | 2 << 8
    /// SQLITE_IOERR_DATA and SQLITE_IOERR_CORRUPTFS: a checksum of the file, or of the file system, is wrong.
    private static let damages = [32, 33].map { SQLITE_IOERR | $0 << 8 }

    private static let rightsAdvice =
        "see that the database, its -wal and -shm and their folder may be read and written by the user that runs this, "
        + "and that the file system is not mounted read-only"

    init(sqlite error: any Error) {
        if let error = error as? MetadataError {
            self = error
        } else if let error = error as? DatabaseError {
            self.init(sqliteCode: error.extendedResultCode.rawValue, message: error.message ?? "no message")
        } else {
            self = .failed("\(error)")
        }
    }
}
