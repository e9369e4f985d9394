import GRDB
import GRDBSQLite
import Synchronization

/// How a SQLite store is kept.
package struct SQLiteOptions: Sendable {
    /// What is flushed at a commit (https://www.sqlite.org/pragma.html#pragma_synchronous).
    package enum Synchronous: String, Sendable {
        /// The log at a checkpoint only: a power cut may lose the last commits, never the order of what is left.
        /// Enough here, since the journal's keepers have them and every start replays (Docs/Decisions/0002).
        case normal = "NORMAL"
        /// The log at every commit.
        case full = "FULL"
    }

    package var synchronous: Synchronous
    /// Connections for reads; each is a thread while it works.
    package var readers: Int
    /// KiB of pages that each connection keeps.
    package var cacheKilobytes: Int
    /// Whether `quick_check` walks the whole file at the start, which takes time in proportion to it.
    package var checksIntegrity: Bool

    package init(
        synchronous: Synchronous = .normal,
        readers: Int = 2,
        cacheKilobytes: Int = 8 << 10,
        checksIntegrity: Bool = true
    ) {
        self.synchronous = synchronous
        self.readers = max(1, readers)
        self.cacheKilobytes = cacheKilobytes
        self.checksIntegrity = checksIntegrity
    }
}

extension JournaledMetadataStore {
    /// Opens or makes the database at `path`. Before it serves, `apply` must have brought it to the keepers' end.
    ///
    /// `.corrupt` when the file is damaged or not a database: the keepers and checkpoints have everything, and
    /// `cairn metadata rebuild` makes it anew. One process at a time; the caller holds the lock of the data folder.
    /// `executor`: where the writer goes on after each wait; nil is the global executor.
    package static func openSQLite(
        path: String,
        options: SQLiteOptions = SQLiteOptions(),
        journal: any JournalWriter,
        executor: (any TaskExecutor)? = nil
    ) async throws(MetadataError) -> JournaledMetadataStore {
        JournaledMetadataStore(
            backend: try await SQLiteBackend.open(path, options),
            journal: journal,
            executor: executor
        )
    }
}

/// Rows in a SQLite database in WAL mode.
///
/// One connection writes, and it alone checkpoints: the system's SQLite may be in the range of the WAL-reset bug
/// (3.7.0 to 3.51.2), which needs two. The readers are opened read-only, which cannot checkpoint, not even as the last
/// to close: that takes a write lock on the database file. Each connection works on a queue of its own, so that
/// SQLite's waiting holds no thread of the cooperative pool.
final class SQLiteBackend: MetadataBackend {
    private let path: String
    private let options: SQLiteOptions
    private let writer: DatabaseQueue
    private let readers: [DatabaseQueue]
    private let turn = Atomic<Int>(0)

    /// Bytes by which the database file grows, so that most checkpoints on a full file system need no room.
    private static let growthLength: Int32 = 4 << 20
    /// Pages after which a commit also checkpoints: 16 MiB.
    private static let checkpointPages = 4_096

    private init(_ path: String, _ options: SQLiteOptions, _ writer: DatabaseQueue, _ readers: [DatabaseQueue]) {
        self.path = path
        self.options = options
        self.writer = writer
        self.readers = readers
    }

    static func open(_ path: String, _ options: SQLiteOptions) async throws(MetadataError) -> SQLiteBackend {
        let writer = try connect(path, options, isReader: false)
        try await perform(writer) { database in
            if options.checksIntegrity { try check(database) }
            try SQLiteTables.createAll(database)
        }
        var readers: [DatabaseQueue] = []
        for _ in 0..<options.readers { readers.append(try connect(path, options, isReader: true)) }
        return SQLiteBackend(path, options, writer, readers)
    }

    private static func connect(
        _ path: String,
        _ options: SQLiteOptions,
        isReader: Bool
    ) throws(MetadataError) -> DatabaseQueue {
        var configuration = Configuration()
        configuration.readonly = isReader
        configuration.allowsUnsafeTransactions = true
        configuration.foreignKeysEnabled = false
        configuration.journalMode = isReader ? .default : .wal
        configuration.busyMode = .timeout(5)
        configuration.prepareDatabase { database in
            try database.execute(sql: "PRAGMA cache_size = -\(options.cacheKilobytes)")
            guard !isReader else { return }
            try database.execute(sql: "PRAGMA synchronous = \(options.synchronous.rawValue)")
            try database.execute(sql: "PRAGMA wal_autocheckpoint = \(checkpointPages)")
            var growth = growthLength
            sqlite3_file_control(database.sqliteConnection, "main", SQLITE_FCNTL_CHUNK_SIZE, &growth)
        }
        do {
            return try DatabaseQueue(path: path, configuration: configuration)
        } catch {
            throw MetadataError(sqlite: error)
        }
    }

    private static func check(_ database: Database) throws {
        let answers = try String.fetchAll(database, sql: "PRAGMA quick_check(1)")
        guard answers == ["ok"] else { throw MetadataError.corrupt(answers.first ?? "quick_check says nothing") }
    }

    /// Runs on a connection's own queue. Unlike GRDB's async calls it takes no notice of the caller's cancellation: a
    /// transaction must not be cut in two by a client that goes away.
    private static func perform<Value: Sendable>(
        _ connection: DatabaseQueue,
        _ body: @escaping @Sendable (Database) throws -> Value
    ) async throws(MetadataError) -> Value {
        let result: Result<Value, MetadataError> = await withCheckedContinuation { continuation in
            connection.asyncWriteWithoutTransaction { database in
                do {
                    continuation.resume(returning: .success(try body(database)))
                } catch {
                    continuation.resume(returning: .failure(MetadataError(sqlite: error)))
                }
            }
        }
        return try result.get()
    }

    /// A read transaction, so that all statements see one moment.
    private static func consistent<Value>(
        _ database: Database,
        _ body: MetadataBody<Value>
    ) throws -> Value {
        let tables = SQLiteTables(database)
        try tables.control(.beginRead)
        defer { try? tables.control(.commit) }
        return try body(tables)
    }

    func read<Value: Sendable>(_ body: @escaping MetadataBody<Value>) async throws(MetadataError) -> Value {
        let index = turn.wrappingAdd(1, ordering: .relaxed).newValue & Int.max
        return try await Self.perform(readers[index % readers.count]) { try Self.consistent($0, body) }
    }

    func begin<Value: Sendable>(_ body: @escaping MetadataBody<Value>) async throws(MetadataError) -> Value {
        try await Self.perform(writer) { database in
            let tables = SQLiteTables(database)
            try tables.control(.beginWrite)
            do {
                return try body(tables)
            } catch {
                // SQLite rolls back by itself after some errors, and then refuses this.
                try? tables.control(.rollback)
                throw error
            }
        }
    }

    func commit() async throws(MetadataError) {
        try await Self.perform(writer) { try SQLiteTables($0).control(.commit) }
    }

    func rollback() async throws(MetadataError) {
        try await Self.perform(writer) { database in
            if database.isInsideTransaction { try SQLiteTables(database).control(.rollback) }
        }
    }

    /// One commit that flushes the log, and with it every commit before
    /// (https://www.sqlite.org/pragma.html#pragma_synchronous). A checkpoint would not do: it passes over what readers
    /// hold, and says so to nobody.
    func makeDurable() async throws(MetadataError) {
        let usual = options.synchronous
        try await Self.perform(writer) { database in
            let tables = SQLiteTables(database)
            try database.execute(sql: "PRAGMA synchronous = \(SQLiteOptions.Synchronous.full.rawValue)")
            defer { try? database.execute(sql: "PRAGMA synchronous = \(usual.rawValue)") }
            try tables.control(.beginWrite)
            do {
                // Without a changed page there is no flush, and a row written over its equal changes none.
                if let state = try tables.get(.meta, MetadataState.key) {
                    try tables.remove(.meta, MetadataState.key)
                    try tables.put(.meta, MetadataState.key, state)
                }
                try tables.control(.commit)
            } catch {
                try? tables.control(.rollback)
                throw error
            }
        }
    }

    func snapshot() async throws(MetadataError) -> any BackendSnapshot {
        let connection = try Self.connect(path, options, isReader: true)
        // The first read of the transaction is what fixes its moment.
        try await Self.perform(connection) { database in
            let tables = SQLiteTables(database)
            try tables.control(.beginRead)
            _ = try tables.get(.meta, MetadataState.key)
        }
        return SQLiteSnapshot(connection: connection)
    }

    /// A connection of its own with a read transaction that stays open. While it is, checkpoints leave the log as long
    /// as it is: an export that takes hours costs its length.
    private struct SQLiteSnapshot: BackendSnapshot {
        let connection: DatabaseQueue

        func read<Value: Sendable>(_ body: @escaping MetadataBody<Value>) async throws(MetadataError) -> Value {
            try await SQLiteBackend.perform(connection) { try body(SQLiteTables($0)) }
        }
    }
}
