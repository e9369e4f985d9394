import GRDB
import GRDBSQLite
internal import ObjectInterface
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
    /// `.corrupt` or `.broken` when the file is damaged or not a database: the keepers and checkpoints have
    /// everything, and `cairn metadata rebuild` makes it anew. One process at a time; the caller holds the lock of the
    /// data folder.
    /// `executor`: where the writer goes on after each wait; nil is the global executor. `reserve`: what sees to the
    /// room of its file system; nil when nothing does.
    package static func openSQLite(
        path: String,
        options: SQLiteOptions = SQLiteOptions(),
        journal: any JournalWriter,
        executor: (any TaskExecutor)? = nil,
        reserve: DatabaseReserve? = nil
    ) async throws(MetadataError) -> JournaledMetadataStore {
        await reserve?.prepare()
        return JournaledMetadataStore(
            backend: try await SQLiteBackend.open(path, options, reserve),
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
    private let reserve: DatabaseReserve?
    private let isLooking = Atomic(false)
    /// Pages written when the room was looked at last.
    private let lookedAt = Atomic<Int>(0)
    /// Bytes of the log that were in use then; 0 while there is room.
    private let logInUse = Atomic<Int>(0)

    /// Bytes by which the database file grows, so that most checkpoints on a full file system need no room.
    private static let growthLength: Int32 = 4 << 20
    /// Pages after which a commit also checkpoints: 16 MiB.
    private static let checkpointPages = 4_096
    /// Pages written to the log after which the room is looked at: 4 MiB; 512 KiB while there is too little, where what
    /// is set aside for the log may be short, too.
    private static let lookPages = 1_024
    private static let shortLookPages = 128

    private init(
        _ path: String,
        _ options: SQLiteOptions,
        _ writer: DatabaseQueue,
        _ readers: [DatabaseQueue],
        _ reserve: DatabaseReserve?
    ) {
        self.reserve = reserve
        self.path = path
        self.options = options
        self.writer = writer
        self.readers = readers
    }

    static func open(
        _ path: String,
        _ options: SQLiteOptions,
        _ reserve: DatabaseReserve?
    ) async throws(MetadataError) -> SQLiteBackend {
        let writer = try connect(path, options, isReader: false)
        try await perform(writer) { database in
            if options.checksIntegrity { try check(database) }
            try SQLiteTables.createAll(database)
        }
        var readers: [DatabaseQueue] = []
        for _ in 0..<options.readers { readers.append(try connect(path, options, isReader: true)) }
        let backend = SQLiteBackend(path, options, writer, readers, reserve)
        await backend.lookAtRoom()
        return backend
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
        let written = try await Self.perform(writer) { database in
            try SQLiteTables(database).control(.commit)
            return Self.pagesWritten(database)
        }
        let patience = shortage == nil ? Self.lookPages : Self.shortLookPages
        guard abs(written - lookedAt.load(ordering: .relaxed)) >= patience else { return }
        lookedAt.store(written, ordering: .relaxed)
        await lookAtRoom()
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

    /// Compares the file at the path with the open one; true as well when there is none.
    func isFileGone() async -> Bool {
        let answer = try? await Self.perform(writer) { database in
            var hasMoved: Int32 = 0
            let code = sqlite3_file_control(database.sqliteConnection, "main", SQLITE_FCNTL_HAS_MOVED, &hasMoved)
            return code == SQLITE_OK && hasMoved != 0
        }
        return answer ?? false
    }

    func isFileBroken() async -> Bool {
        let answer = try? await Self.perform(writer) { database in SQLiteFile(database)?.isBroken ?? false }
        return answer ?? false
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

// What is asked of the reserve.
extension SQLiteBackend {
    var shortage: StorageError? { reserve?.shortage }

    /// Who comes while somebody looks takes what was seen before.
    func lookAtRoom() async {
        guard let reserve, !isLooking.exchange(true, ordering: .acquiring) else { return }
        defer { isLooking.store(false, ordering: .releasing) }
        guard let (pages, unused) = try? await Self.perform(writer, Self.pageBytes) else { return }
        await reserve.settle(pages: pages, unused: unused, log: logInUse.load(ordering: .relaxed))
        guard reserve.shortage != nil else { return logInUse.store(0, ordering: .relaxed) }
        // At once, before others take what was given up for it. What readers keep in the log needs room there.
        guard let log = try? await Self.perform(writer, Self.checkpoint) else { return }
        logInUse.store(log, ordering: .relaxed)
        await reserve.settle(pages: pages, unused: unused, log: log)
    }

    /// Bytes of all pages, those in the log alone too, and of those among them that hold nothing.
    private static func pageBytes(_ database: Database) throws -> (all: Int, unused: Int) {
        let size = try Int.fetchOne(database, sql: "PRAGMA page_size") ?? 0
        let all = try Int.fetchOne(database, sql: "PRAGMA page_count") ?? 0
        let unused = try Int.fetchOne(database, sql: "PRAGMA freelist_count") ?? 0
        return (all * size, unused * size)
    }

    /// Of each page in the log (https://www.sqlite.org/fileformat2.html#wal_file_format).
    private static let frameHeaderLength = 24

    /// Carries over what it can, and says how long the log is, in bytes. Fails within a transaction.
    private static func checkpoint(_ database: Database) throws -> Int {
        let size = try Int.fetchOne(database, sql: "PRAGMA page_size") ?? 0
        var frames: Int32 = 0
        let code = sqlite3_wal_checkpoint_v2(database.sqliteConnection, nil, SQLITE_CHECKPOINT_PASSIVE, &frames, nil)
        guard code == SQLITE_OK else { throw MetadataError(sqliteCode: code, message: "checkpoint") }
        return max(0, Int(frames)) * (size + frameHeaderLength)
    }

    /// Pages that this connection has written to the log since it was opened; begins anew after 2^31.
    private static func pagesWritten(_ database: Database) -> Int {
        var (now, highest): (Int32, Int32) = (0, 0)
        sqlite3_db_status(database.sqliteConnection, SQLITE_DBSTATUS_CACHE_WRITE, &now, &highest, 0)
        return Int(now)
    }
}
