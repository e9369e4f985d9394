package import ObjectModel
import Synchronization
package import SystemInterface

/// The rows of a memory store. Outlives the store, as a database file does, so that a test can open it again.
package final class MemoryMetadataDatabase: Sendable {
    private struct State {
        var rows: [MetadataTable: SortedRows] = [:]
        /// How often a flush has made all of it durable, with what it was then.
        var flushes = 0
        var flushed: [MetadataTable: SortedRows] = [:]
    }

    private let state: Mutex<State>

    package init() { state = Mutex(State()) }

    private init(_ state: State) { self.state = Mutex(state) }

    /// What is committed now, as a database of its own.
    package func copy() -> MemoryMetadataDatabase { MemoryMetadataDatabase(state.withLock { $0 }) }

    /// What a loss of power leaves when it takes all that came after `older`, a copy made before: never less than the
    /// last flush made durable.
    package func fallingBack(to older: MemoryMetadataDatabase?) -> MemoryMetadataDatabase {
        var left = state.withLock { $0 }
        let older = older?.state.withLock { $0 }
        left.rows = if let older, older.flushes == left.flushes { older.rows } else { left.flushed }
        left.flushed = left.rows
        return MemoryMetadataDatabase(left)
    }

    /// Whether what is committed now places the shard on the disk and counts it there: for who watches a simulation.
    package func counts(_ shard: ShardID, on disk: DiskID) -> Bool {
        let view = MetadataView(tables: MemoryTables(committed))
        guard let blob = try? view.blob(shard.blob)?.record(shard.blob), let group = try? view.group(blob.group) else {
            return false
        }
        let isMoving = blob.moving.contains(shard.index)
        return !blob.missing.contains(shard.index) && group.holder(of: shard.index, isMoving: isMoving) == disk
    }

    var committed: [MetadataTable: SortedRows] {
        get { state.withLock { $0.rows } }
        set { state.withLock { $0.rows = newValue } }
    }

    fileprivate func makeDurable() {
        state.withLock { state in
            state.flushes += 1
            state.flushed = state.rows
        }
    }
}

extension JournaledMetadataStore {
    /// A store in memory, for simulations: no thread, no file, the same steps for the same seed.
    package static func inMemory(
        _ database: MemoryMetadataDatabase = MemoryMetadataDatabase(),
        journal: any JournalWriter,
        buggify: Buggify = .never
    ) -> JournaledMetadataStore {
        JournaledMetadataStore(backend: MemoryBackend(database), journal: journal, buggify: buggify)
    }
}

/// Transactions on copies: a transaction's rows share all that it does not change with the committed ones.
final class MemoryBackend: MetadataBackend {
    private let database: MemoryMetadataDatabase
    private let working = Mutex<[MetadataTable: SortedRows]?>(nil)

    init(_ database: MemoryMetadataDatabase) { self.database = database }

    func read<Value: Sendable>(_ body: @escaping MetadataBody<Value>) async throws(MetadataError) -> Value {
        try body(MemoryTables(database.committed))
    }

    func begin<Value: Sendable>(_ body: @escaping MetadataBody<Value>) async throws(MetadataError) -> Value {
        let tables = MemoryTables(database.committed)
        let value = try body(tables)
        working.withLock { $0 = tables.rows }
        return value
    }

    func commit() async throws(MetadataError) {
        guard let rows = working.withLock({ $0.take() }) else { throw .failed("no transaction is open") }
        database.committed = rows
    }

    func rollback() async throws(MetadataError) { working.withLock { $0 = nil } }

    func makeDurable() async throws(MetadataError) { database.makeDurable() }

    func snapshot() async throws(MetadataError) -> any BackendSnapshot { MemorySnapshot(rows: database.committed) }
}

private struct MemorySnapshot: BackendSnapshot {
    let rows: [MetadataTable: SortedRows]

    func read<Value: Sendable>(_ body: @escaping MetadataBody<Value>) async throws(MetadataError) -> Value {
        try body(MemoryTables(rows))
    }
}

/// Rows of one transaction or read.
private final class MemoryTables: MetadataTables {
    private(set) var rows: [MetadataTable: SortedRows]

    init(_ rows: [MetadataTable: SortedRows]) { self.rows = rows }

    func get(_ table: MetadataTable, _ key: RowKey) throws(MetadataError) -> [UInt8]? { rows[table]?[key] }

    func put(_ table: MetadataTable, _ key: RowKey, _ row: [UInt8]) throws(MetadataError) {
        rows[table, default: SortedRows()].put(key, row)
    }

    func remove(_ table: MetadataTable, _ key: RowKey) throws(MetadataError) { rows[table]?.remove(key) }

    func scan(
        _ table: MetadataTable,
        from start: RowKey,
        below end: RowKey?,
        _ visit: (RowKey, [UInt8]) throws(MetadataError) -> Bool
    ) throws(MetadataError) {
        try rows[table]?.scan(from: start, below: end, visit)
    }

    func removeAll() throws(MetadataError) { rows = [:] }
}
