package import ObjectInterface
package import ObjectModel
import Synchronization
internal import SystemInterface

/// The metadata store: conditions and effects written once, on rows kept by SQLite or in memory.
///
/// A change goes through the commit queue: evaluated and applied in one transaction with others, its records durable on
/// the journal's keepers, committed, then answered. A read runs beside it on committed rows. When the journal or the
/// commit fails, or the database file turns out to be none, the store stops and answers everything with
/// `.unavailable`; it must be opened again, which replays the keepers' records.
package final class JournaledMetadataStore: ReplicatedMetadata {
    let backend: any MetadataBackend
    let queue: CommitQueue
    let cache = ReadCache()
    let damageFound = MetadataDamage()
    private let buggify: Buggify
    private let requestCount = Atomic<UInt64>(0)

    init(
        backend: any MetadataBackend,
        journal: any JournalWriter,
        executor: (any TaskExecutor)? = nil,
        buggify: Buggify = .never
    ) {
        self.backend = backend
        self.buggify = buggify
        queue = CommitQueue(
            backend: backend,
            journal: journal,
            cache: cache,
            damage: damageFound,
            executor: executor,
            buggify: buggify
        )
    }

    /// Changes that wait for the writer: a measure of load.
    package var waiting: Int { queue.waiting }

    package var stopped: StorageError? { queue.stopped }

    package var shortage: StorageError? { backend.shortage }

    package func lookAtRoom() async { await backend.lookAtRoom() }

    package var filledGroups: Set<GroupID> { queue.filledGroups }

    package var requests: UInt64 { requestCount.load(ordering: .relaxed) }

    func countRequest() { requestCount.add(1, ordering: .relaxed) }

    /// Stops for good: what waits and what comes is answered with `error`, as after a failure of the journal. A
    /// transaction that is already with the journal still ends as it ends.
    package func stop(_ error: StorageError) { queue.stop(error) }

    // MARK: Ways in

    /// Runs a change in its turn and returns when it is durable and visible.
    ///
    /// Throws `.full` when the journal is short of room, unless the change `isVital`: it wins room back, or is one of
    /// the few small ones that the store cannot do without, of leases, disks, groups and keepers. The same when the
    /// change `addsRows` and the database has no room for them.
    func change<Value: Sendable>(
        isVital: Bool = false,
        addsRows: Bool = false,
        _ body: @escaping @Sendable (MetadataTransaction) throws(MetadataError) -> Value
    ) async throws(StorageError) -> Value {
        if !isVital, let shortage = queue.shortage { throw shortage }
        if addsRows { try await expectRoom() }
        let outcome = OutcomeBox<Value>()
        let result: Result<Value, StorageError> = await withCheckedContinuation { continuation in
            queue.submit(
                PendingChange(alone: nil) { (transaction) throws(MetadataError) in
                    do throws(MetadataError) {
                        outcome.set(.success(try body(transaction)))
                    } catch .refused(let error) {
                        outcome.set(.failure(error))
                    }
                } finish: { failure in
                    if let failure {
                        continuation.resume(returning: .failure(failure))
                    } else {
                        continuation.resume(returning: outcome.take())
                    }
                }
            )
        }
        return try result.get()
    }

    /// Looks again before it refuses: room may have been made since.
    private func expectRoom() async throws(StorageError) {
        guard backend.shortage != nil else { return }
        await backend.lookAtRoom()
        if let shortage = backend.shortage { throw shortage }
    }

    /// Reads one moment of what is committed.
    func read<Value: Sendable>(
        _ body: @escaping @Sendable (MetadataView) throws(MetadataError) -> Value
    ) async throws(StorageError) -> Value {
        if let stopped = queue.stopped { throw stopped }
        do throws(MetadataError) {
            return try await backend.read { (tables) throws(MetadataError) in
                try body(MetadataView(tables: tables))
            }
        } catch {
            await queue.note(error)
            throw error.storageError
        }
    }

    // MARK: The hot reads

    func bucketRow(_ name: String) async throws(StorageError) -> BucketRow? {
        let key = RowKey.text(name)
        let (found, ticket) = cache.bucket(key)
        if let stopped = queue.stopped { throw stopped }
        if let found { return found }
        guard let row = try await read({ (view) throws(MetadataError) in try view.bucket(name) }) else { return nil }
        cache.put(row, key, ticket)
        return row
    }

    func existingBucket(_ name: String) async throws(StorageError) -> BucketRow {
        guard let row = try await bucketRow(name) else {
            throw StorageError(.noSuchBucket, "There is no bucket of this name.")
        }
        return row
    }

    package func bucket(_ name: String) async throws(StorageError) -> Bucket? {
        try await bucketRow(name)?.bucket
    }

    package func version(bucket: String, key: String) async throws(StorageError) -> VersionDetail? {
        countRequest()
        let cacheKey = ReadCache.key(bucket: bucket, key: key)
        let (found, ticket) = cache.version(cacheKey)
        if let stopped = queue.stopped { throw stopped }
        if let found, !buggify.strikes(.cacheForgets) { return found }
        // A bucket deleted and made again meanwhile was empty in between: the old number then finds nothing, rightly.
        let row = try await existingBucket(bucket)
        let detail = try await read { (view) throws(MetadataError) -> VersionDetail? in
            try view.detail(row, key: key)
        }
        if let detail { cache.put(detail, cacheKey, ticket) }
        return detail
    }
}
