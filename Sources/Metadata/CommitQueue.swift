internal import DiskFormat
internal import ObjectInterface
internal import ObjectModel
import Synchronization
internal import SystemInterface

/// A change that waits for its turn.
struct PendingChange: Sendable {
    /// Work that runs alone instead: between the transactions of what came before and after it.
    var alone: (@Sendable () async -> Void)?
    /// Evaluates and applies it; throws only when the whole transaction must go. A refusal is kept for `finish`.
    var perform: @Sendable (MetadataTransaction) throws(MetadataError) -> Void
    /// Tells the caller: nil when its change is durable and visible (or was refused), else what became of all.
    var finish: @Sendable (StorageError?) -> Void
}

/// Group commit: one writer takes what waits, in order, into one database transaction, makes its records durable on the
/// journal's keepers, commits, and only then tells the callers (DESIGN §7).
final class CommitQueue: Sendable {
    /// Changes that may wait; more are answered with `.busy`. At a thousand a second this is ten seconds of work.
    static let capacity = 10_000
    /// Changes of one transaction: bounds the time until the first of them is answered.
    static let batchLength = 512
    /// Bytes of records after which a transaction takes no more changes: a journal batch stays small.
    static let batchBytes = 4 << 20

    private struct State {
        var waiting: [PendingChange] = []
        var isRunning = false
        /// Set once: nothing is accepted any more.
        var stopped: StorageError?
    }

    private let state = Mutex(State())
    private let filled = Mutex<Set<GroupID>>([])
    private let backend: any MetadataBackend
    private let journal: any JournalWriter
    private let cache: ReadCache
    private let damage: MetadataDamage
    private let executor: (any TaskExecutor)?
    private let buggify: Buggify

    /// `executor`: where the writer goes on after each wait; nil is the global executor.
    init(
        backend: any MetadataBackend,
        journal: any JournalWriter,
        cache: ReadCache,
        damage: MetadataDamage,
        executor: (any TaskExecutor)?,
        buggify: Buggify = .never
    ) {
        self.executor = executor
        self.buggify = buggify
        self.backend = backend
        self.journal = journal
        self.cache = cache
        self.damage = damage
    }

    /// Why the store no longer answers, if so.
    var stopped: StorageError? { state.withLock(\.stopped) }

    var waiting: Int { state.withLock(\.waiting.count) }

    /// Groups that blobs were added to, or were about to be.
    var filledGroups: Set<GroupID> { filled.withLock { $0 } }

    /// See `JournalWriter.shortage`.
    var shortage: StorageError? { journal.shortage }

    /// Takes a change; its `finish` is called exactly once, here or later.
    func submit(_ change: PendingChange) {
        let (refusal, starts) = state.withLock { state -> (StorageError?, Bool) in
            if let stopped = state.stopped { return (stopped, false) }
            guard state.waiting.count < Self.capacity else {
                return (StorageError(.busy, "Too many changes wait for the metadata: try again."), false)
            }
            state.waiting.append(change)
            defer { state.isRunning = true }
            return (nil, !state.isRunning)
        }
        if let refusal { return change.finish(refusal) }
        if starts { Task.immediate(executorPreference: executor) { await self.run() } }
    }

    /// Stops the store: what waits is told so, and what comes.
    func stop(_ error: StorageError) {
        let waiting = state.withLock { state in
            state.stopped = state.stopped ?? error
            defer { state.waiting = [] }
            return state.waiting
        }
        for change in waiting { change.finish(error) }
    }

    /// What a read or a transaction met. A file that is no database any more stops the store as a commit that failed
    /// does: what is read would be missing, and changes be decided on rows that nobody can look up. Where pages of it
    /// are bad, what is sound is still answered and changed.
    func note(_ error: MetadataError) async {
        damage.note(error)
        switch error {
        case .broken: break
        case .corrupt: guard await backend.isFileBroken() else { return }
        default: return
        }
        stop(StorageError(.unavailable, "the metadata stopped (\(error))"))
    }

    /// Runs `work` when no transaction is open, and returns behind it.
    func alone(_ work: @escaping @Sendable () async -> Void) async throws(StorageError) {
        let refusal: StorageError? = await withCheckedContinuation { continuation in
            submit(PendingChange(alone: work, perform: { _ in }, finish: { continuation.resume(returning: $0) }))
        }
        if let refusal { throw refusal }
    }

    /// Until nothing waits.
    private func run() async {
        while true {
            let batch = state.withLock { state -> [PendingChange] in
                let most = buggify.strikes(.changeAlone) ? 1 : Self.batchLength
                var count = min(state.waiting.count, most)
                if let place = state.waiting.prefix(count).firstIndex(where: { $0.alone != nil }) {
                    count = max(1, place)
                }
                guard count > 0 else {
                    state.isRunning = false
                    return []
                }
                defer { state.waiting.removeFirst(count) }
                return Array(state.waiting.prefix(count))
            }
            guard let first = batch.first else { return }
            if let alone = first.alone {
                await alone()
                first.finish(nil)
            } else {
                await write(batch)
            }
        }
    }

    /// What the transaction of a batch left to be done.
    private struct Evaluated: Sendable {
        /// Changes evaluated; the rest of the batch did not fit.
        var count: Int
        var records: [JournalRecord]
        var touched: TouchedRows
        var filled: Set<GroupID>
    }

    private func write(_ batch: [PendingChange]) async {
        let evaluated: Evaluated
        do throws(MetadataError) {
            evaluated = try await backend.begin { (tables) throws(MetadataError) in try Self.evaluate(batch, tables) }
        } catch {
            // Rolled back, and nothing was sent: none of them has happened.
            await note(error)
            for change in batch { change.finish(error.storageError) }
            return
        }
        if evaluated.count < batch.count {
            state.withLock { $0.waiting.insert(contentsOf: batch[evaluated.count...], at: 0) }
        }
        // Before anybody can see it, and also when it comes to nothing.
        filled.withLock { $0.formUnion(evaluated.filled) }
        let failure = await settle(evaluated)
        for change in batch.prefix(evaluated.count) { change.finish(failure) }
    }

    private static func evaluate(
        _ batch: [PendingChange],
        _ tables: any MetadataTables
    ) throws(MetadataError) -> Evaluated {
        let transaction = try MetadataTransaction(tables)
        var count = 0
        for change in batch {
            try change.perform(transaction)
            count += 1
            if transaction.recordBytes >= batchBytes { break }
        }
        if !transaction.records.isEmpty { try transaction.finish() }
        return Evaluated(
            count: count,
            records: transaction.records,
            touched: transaction.touched,
            filled: transaction.filled
        )
    }

    /// Journal, then commit. nil, or what to tell everyone in the transaction.
    private func settle(_ evaluated: Evaluated) async -> StorageError? {
        do {
            guard !evaluated.records.isEmpty else {
                try await backend.rollback()
                return nil
            }
            try await journal.append(evaluated.records)
            cache.willCommit(evaluated.touched)
            defer { cache.didCommit() }
            if buggify.strikes(.commitFails) { throw MetadataError.failed("the database failed, in a simulation") }
            try await backend.commit()
            return nil
        } catch {
            // The keepers may hold the records or not: the next start finds out. Until then nobody may see or change
            // anything, since the order of what follows would not be theirs.
            try? await backend.rollback()
            let reason = "the metadata stopped (\(error)); restart the coordinator"
            stop(StorageError(.unavailable, reason))
            return StorageError(.unknownOutcome, "The change may or may not have been carried out: \(reason).")
        }
    }
}
