package import DiskFormat
package import ObjectInterface
import Synchronization

extension JournaledMetadataStore {
    package func position() async throws(MetadataError) -> JournalPosition {
        try await noting { [backend] () async throws(MetadataError) in
            try await backend.read { (tables) throws(MetadataError) in
                guard try tables.get(.meta, MetadataState.importKey) == nil else { throw .importing }
                return try MetadataView(tables: tables).state().position
            }
        }
    }

    /// Runs `work`, and has what it fails with counted as what any read meets.
    private func noting<Value>(
        _ work: () async throws(MetadataError) -> Value
    ) async throws(MetadataError) -> Value {
        do throws(MetadataError) {
            return try await work()
        } catch {
            await queue.note(error)
            throw error
        }
    }

    package func incarnation() async throws(StorageError) -> UInt32 {
        try await read { (view) throws(MetadataError) in try view.state().incarnation }
    }

    package func beginIncarnation(_ incarnation: UInt32) async throws(StorageError) {
        try await change(isVital: true) { (change) throws(MetadataError) in try change.beginIncarnation(incarnation) }
    }

    package func grantedLeases() async throws(StorageError) -> GrantedLeases {
        try await read { (view) throws(MetadataError) in try view.grantedLeases(view.state()) }
    }

    package func keeperSet() async throws(StorageError) -> KeeperSet? {
        try await read { (view) throws(MetadataError) in try view.keepers() }
    }

    package func recordKeeperSetChange(_ keepers: KeeperSetChange) async throws(StorageError) {
        try await change(isVital: true) { (change) throws(MetadataError) in try change.recordKeeperSetChange(keepers) }
    }

    package func checkpoints() async throws(StorageError) -> [CheckpointRecord] {
        try await read { (view) throws(MetadataError) in try view.checkpoints() }
    }

    package func putCheckpoints(_ transaction: CheckpointTransaction) async throws(StorageError) {
        try await change(isVital: true) { (change) throws(MetadataError) in
            try change.putCheckpoints(evaluating: transaction)
        }
    }

    // MARK: Replay

    package func apply(_ records: [JournalRecord]) async throws(MetadataError) {
        try await direct { (tables) throws(MetadataError) in
            let transaction = try MetadataTransaction(tables)
            for record in records { try transaction.replay(record) }
            try transaction.finish()
        }
    }

    package func makeDurable() async throws(MetadataError) {
        do throws(MetadataError) {
            try await alone { [backend] () async throws(MetadataError) in try await backend.makeDurable() }
        } catch {
            // After a flush that failed the next may succeed without what this one had: only a new start helps.
            if case .refused = error { throw error }
            queue.stop(StorageError(.unavailable, "the metadata stopped (\(error)); restart the coordinator"))
            throw error
        }
    }

    /// A transaction that no journal record is made of. What readers kept goes.
    func direct(_ body: @escaping MetadataBody<Void>) async throws(MetadataError) {
        try await alone { [backend, cache] () async throws(MetadataError) in
            try await backend.begin(body)
            cache.willCommit(.all)
            defer { cache.didCommit() }
            try await backend.commit()
        }
    }

    /// Runs `work` between the transactions of the commit queue.
    private func alone(_ work: @escaping @Sendable () async throws(MetadataError) -> Void) async throws(MetadataError) {
        let failure = Mutex<MetadataError?>(nil)
        do {
            try await queue.alone {
                do throws(MetadataError) {
                    try await work()
                } catch {
                    failure.withLock { $0 = error }
                }
            }
        } catch {
            throw .refused(error)
        }
        if let error = failure.withLock({ $0 }) {
            await queue.note(error)
            throw error
        }
    }

    // MARK: Export and import

    package func snapshot() async throws(MetadataError) -> any MetadataSnapshot {
        try await noting { [backend, queue] () async throws(MetadataError) in
            let rows = try await backend.snapshot()
            let position = try await rows.read { (tables) throws(MetadataError) in
                try MetadataView(tables: tables).state().position
            }
            return ExportSnapshot(rows: rows, position: position) { await queue.note($0) }
        }
    }

    package func beginImport() async throws(MetadataError) {
        try await direct { (tables) throws(MetadataError) in
            try tables.removeAll()
            try tables.put(.meta, MetadataState.importKey, [])
        }
    }

    package func importRows(_ bytes: [UInt8]) async throws(MetadataError) {
        try await direct { (tables) throws(MetadataError) in try ExportCoding.importRows(bytes, into: tables) }
    }

    package func finishImport() async throws(MetadataError) {
        try await direct { (tables) throws(MetadataError) in
            guard try tables.get(.meta, MetadataState.key) != nil else { throw .corrupt("an import without state") }
            try tables.remove(.meta, MetadataState.importKey)
        }
    }
}
