internal import BlobStorage
package import Metadata
package import ObjectInterface
internal import ObjectModel
package import ObjectStorage
internal import Placement
import Synchronization
package import SystemInterface

/// Rewrites what lives of blobs that are mostly dead, several of them into one new blob (DESIGN §4).
///
/// The old blobs die in the transaction that moves their last owner, and go as all dead blobs do: the garbage collector
/// waits for their readers, compaction wins their room back. Whatever a crash interrupts leaves a blob of an ended
/// lease that no metadata names, an orphan.
package final class Repacker: Sendable {
    /// A blob with a smaller share of live bytes is rewritten.
    package static let share = 0.5
    /// How long a blob must have been sparse: who deletes much, deletes more, and then there is less to move.
    package static let grace = Duration.seconds(60)
    /// How often sparse blobs are looked for.
    package static let interval = Duration.seconds(5)
    /// Sparse blobs looked at in one go, the emptiest first.
    package static let candidateLimit = 4_096
    /// Owners of a new blob at most, unless one source alone has more: as many as a pack has objects.
    package static let ownerLimit = 64
    /// Sources of a new blob at most: each is read in full.
    package static let sourceLimit = 64
    /// New blobs of one pass at most, so that the next pass sees what has become emptier still.
    package static let passLimit = 64
    /// How long a blob that could not be rewritten is left alone: repair may bring it back.
    package static let pause = Duration.seconds(600)

    private struct State {
        var progress = RepackProgress()
        /// When each candidate was first seen to be sparse.
        var sparseSince: [BlobID: MonotonicTime] = [:]
        /// Until when each blob that failed is left alone.
        var pausedUntil: [BlobID: MonotonicTime] = [:]
    }

    private let metadata: any MetadataStore
    private let objects: ObjectStore
    private let time: any TimeSource
    package let trouble: WorkTrouble
    private let grace: Duration
    private let state = Mutex(State())

    package init(
        metadata: any MetadataStore,
        objects: ObjectStore,
        time: any TimeSource,
        grace: Duration = Repacker.grace
    ) {
        self.metadata = metadata
        self.objects = objects
        self.time = time
        trouble = WorkTrouble(time: time)
        self.grace = grace
    }

    package var progress: RepackProgress { state.withLock { $0.progress } }

    package func run() async {
        while !Task.isCancelled {
            // What fails for all blobs (no room, too few disks) is tried again after the interval.
            await trouble.noting { try await pass() }
            try? await time.sleep(for: Self.interval)
        }
    }

    /// Rewrites what has been sparse for long enough, at most `passLimit` new blobs.
    package func pass() async throws(StorageError) {
        let candidates = try await candidates()
        defer { state.withLock { $0.progress.isActive = false } }
        var failure: StorageError?
        var left = Self.passLimit
        for (scheme, usages) in byScheme(candidates) {
            do throws(StorageError) {
                for batch in batches(usages, of: scheme).prefix(left) where !Task.isCancelled {
                    state.withLock { $0.progress.isActive = true }
                    left -= 1
                    try await repack(batch)
                }
            } catch {
                // A scheme whose groups take nothing now must not keep the others from getting room back.
                failure = failure ?? error
            }
        }
        if let failure { throw failure }
    }

    /// A blob has one scheme, which its bytes keep: each is rewritten with others of its own.
    private func byScheme(_ candidates: [BlobUsage]) -> [(scheme: Scheme, usages: [BlobUsage])] {
        let groups = objects.blobs.view.map.groups
        let sorted = Dictionary(grouping: candidates) { groups[$0.blob.group]?.scheme }
        return objects.blobs.view.schemes.compactMap { scheme in sorted[scheme].map { (scheme, $0) } }
    }

    // MARK: Choosing

    /// The sparse blobs that are due, the emptiest first.
    private func candidates() async throws(StorageError) -> [BlobUsage] {
        let now = time.monotonic
        let paused = state.withLock { state in
            state.pausedUntil = state.pausedUntil.filter { $0.value > now }
            state.progress.waiting = state.pausedUntil.count
            return Set(state.pausedUntil.keys)
        }
        // Those that are paused must not hide the ones behind them.
        let sparse = try await metadata.sparseBlobs(share: Self.share, limit: Self.candidateLimit + paused.count)
        let grace = isShortOfRoom ? .zero : grace
        return state.withLock { state in
            let known = state.sparseSince
            state.sparseSince = [:]
            return sparse.filter { usage in
                let since = known[usage.blob.id] ?? now
                state.sparseSince[usage.blob.id] = since
                return !paused.contains(usage.blob.id) && now.duration(since: since) >= grace
            }
        }
    }

    /// Whether the next PUT would be refused for want of room: then nothing is waited for.
    private var isShortOfRoom: Bool {
        objects.blobs.view.schemes.contains { scheme in
            do throws(BlobError) {
                let now = time.monotonic
                _ = try objects.blobs.view.chooseGroup(scheme: scheme, shardLength: scheme.cellSize, at: now)
                return false
            } catch {
                return error == .full
            }
        }
    }

    /// Puts blobs together whose live bytes fit into one stripe, as a pack is; what lives of a large one stays by
    /// itself.
    private func batches(_ candidates: [BlobUsage], of scheme: Scheme) -> [[BlobID]] {
        let capacity = scheme.dataCount * scheme.cellSize
        var batches: [[BlobID]] = []
        var batch: [BlobID] = []
        var (bytes, owners) = (0, 0)
        for usage in candidates {
            if usage.liveBytes > capacity {
                batches.append([usage.blob.id])
                continue
            }
            if bytes + usage.liveBytes > capacity || owners + usage.references > Self.ownerLimit
                || batch.count >= Self.sourceLimit, !batch.isEmpty
            {
                batches.append(batch)
                (batch, bytes, owners) = ([], 0, 0)
            }
            batch.append(usage.blob.id)
            bytes += usage.liveBytes
            owners += usage.references
        }
        return batch.isEmpty ? batches : batches + [batch]
    }

    // MARK: Rewriting

    /// A blob that cannot be read takes no others with it: they are rewritten one by one then.
    private func repack(_ batch: [BlobID]) async throws(StorageError) {
        do throws(StorageError) {
            try await rewrite(batch)
        } catch {
            guard error.code == .unreadable || error.code == .internalFailure else { throw error }
            guard batch.count > 1 else { return pause(batch) }
            for blob in batch where !Task.isCancelled { try await repack([blob]) }
        }
    }

    private func rewrite(_ batch: [BlobID]) async throws(StorageError) {
        guard let repack = try await objects.repack(batch) else { return pause(batch) }
        let (sources, length) = (repack.sources.count, repack.record.length)
        let outcome = try await objects.commit(repack)
        state.withLock { state in
            state.progress.blobsDone += sources
            state.progress.bytesDone += length
            state.progress.objectsMoved += outcome.moved
            state.progress.objectsChanged += outcome.refused
        }
    }

    private func pause(_ batch: [BlobID]) {
        let until = time.monotonic.advanced(by: Self.pause)
        state.withLock { state in
            for blob in batch { state.pausedUntil[blob] = until }
            state.progress.waiting = state.pausedUntil.count
        }
    }
}

/// What the repacker has done since the program started.
package struct RepackProgress: Hashable, Sendable {
    package var isActive = false
    /// Sparse blobs given up.
    package var blobsDone = 0
    /// Bytes written for what lived of them.
    package var bytesDone = 0
    /// Versions and parts that find their bytes elsewhere now.
    package var objectsMoved = 0
    /// Versions and parts that were overwritten or deleted while their bytes were rewritten.
    package var objectsChanged = 0
    /// Sparse blobs that could not be rewritten and are left alone for a while.
    package var waiting = 0

    package init() {}
}
