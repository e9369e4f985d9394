internal import BlobStorage
package import Metadata
package import ObjectInterface
internal import ObjectModel
package import ObjectStorage
internal import Placement
import Synchronization
package import SystemInterface

/// Rewrites the objects of buckets into other classes, in the background (DESIGN §8).
///
/// What is to be rewritten is in the metadata, and what of it is done is told by the objects themselves: a restart
/// anywhere goes through the keys again and finds what is left. Bytes are copied as a repack does it: read in full and
/// proved, written, verified and read back, and then named by a transaction that requires the version unchanged, so
/// that an overwrite or delete wins. Until then the bytes of before count; after it they are dead, unless others name
/// them.
package final class ClassRewriter: Sendable {
    /// How often it is looked for rewrites.
    package static let interval = Duration.seconds(1)
    /// How long after a pass in which blobs could not be rewritten the next one begins: repair may bring them back.
    package static let pause = Duration.seconds(600)
    /// How long after a pass that failed as a whole (no room, too few disks) it goes on.
    package static let patience = Duration.seconds(10)
    /// Bytes a second of objects that are rewritten at most, unless the operator says otherwise.
    package static let defaultRate = 100 << 20
    /// Keys looked at in one go.
    private static let page = 1_000
    /// Labels of one transaction at most.
    private static let labelLimit = 256
    /// Blobs that could not be rewritten, of one pass at most: with more the pass ends there.
    private static let failureLimit = 10_000
    /// Buckets that are remembered as cancelled, for those who look on.
    private static let cancelledLimit = 1_000

    private struct State {
        /// By bucket.
        var works: [String: Work] = [:]
        /// Buckets whose last rewrite an operator has ended.
        var cancelled: Set<String> = []
    }

    /// What this program knows of one rewrite.
    private struct Work {
        var before: UInt64
        var progress = ClassRewriteProgress()
        /// The key that the pass has come to.
        var cursor = ""
        var failed: Set<BlobID> = []
        /// Versions that changed while their bytes were copied, in this pass.
        var changed = 0
        var notBefore: MonotonicTime?
    }

    private let metadata: any MetadataStore
    private let objects: ObjectStore
    private let time: any TimeSource
    private let state = Mutex(State())

    package init(metadata: any MetadataStore, objects: ObjectStore, time: any TimeSource) {
        self.metadata = metadata
        self.objects = objects
        self.time = time
    }

    /// Of a bucket's rewrite, since the program started; nil before it was taken up.
    package func progress(of rewrite: ClassRewrite) -> ClassRewriteProgress? {
        state.withLock { $0.works[rewrite.bucket] }
            .flatMap { $0.before == rewrite.before ? $0.progress.asOf(time.monotonic) : nil }
    }

    /// Buckets whose last rewrite was cancelled since the program started, of very many some.
    package var cancelled: Set<String> { state.withLock { $0.cancelled } }

    func note(_ bucket: String, isCancelled: Bool) {
        state.withLock { state in
            guard isCancelled else { return _ = state.cancelled.remove(bucket) }
            if state.cancelled.count >= Self.cancelledLimit { state.cancelled = [] }
            state.cancelled.insert(bucket)
        }
    }

    /// Rewrites until cancelled.
    package func run() async {
        while !Task.isCancelled {
            await pass()
            try? await time.sleep(for: Self.interval)
        }
    }

    /// Goes on with what is open, one bucket after another.
    package func pass() async {
        guard let open = try? await metadata.classRewrites() else { return }
        let now = time.monotonic
        let due = state.withLock { state -> [ClassRewrite] in
            var works: [String: Work] = [:]
            for rewrite in open {
                let known = state.works[rewrite.bucket]
                works[rewrite.bucket] = known?.before == rewrite.before ? known : Work(before: rewrite.before)
            }
            state.works = works
            return open.filter { rewrite in
                !rewrite.isPaused && works[rewrite.bucket]?.notBefore.map { $0 <= now } ?? true
            }
        }
        for rewrite in due where !Task.isCancelled { await carryOut(rewrite) }
    }

    // MARK: Counting

    /// Counts what versions lack to be in a class, without changing anything; for at most so long where that is given.
    package func survey(
        _ target: ClassTarget,
        atMost limit: Duration? = nil
    ) async throws(StorageError) -> ClassSurvey {
        let start = time.monotonic
        var survey = ClassSurvey()
        var cursor = ""
        while !Task.isCancelled {
            let page = try await page(of: target, after: cursor)
            for case .object(let summary) in page.entries {
                guard let detail = try await metadata.version(bucket: target.rewrite.bucket, key: summary.key) else {
                    continue
                }
                survey.count(objects.gap(of: detail, to: target), of: detail, to: target, objects.blobs.view)
            }
            guard page.isTruncated, let last = page.entries.last else { return survey }
            cursor = last.name
            if let limit, time.monotonic.duration(since: start) >= limit { break }
        }
        survey.isComplete = false
        return survey
    }

    private func page(of target: ClassTarget, after cursor: String) async throws(StorageError) -> ListPage {
        try await metadata.list(
            ListRequest(
                bucket: target.rewrite.bucket,
                prefix: target.rewrite.prefix,
                after: cursor,
                limit: Self.page
            )
        )
    }

    // MARK: One rewrite

    private func carryOut(_ rewrite: ClassRewrite) async {
        guard let scheme = objects.blobs.view.scheme(named: rewrite.storageClass) else {
            return note(rewrite) { $0.progress.problem = "class \(rewrite.storageClass) is not known" }
        }
        let target = ClassTarget(rewrite, scheme: scheme)
        do throws(StorageError) {
            if progress(of: rewrite)?.bytesLeft == nil {
                let survey = try await survey(target)
                note(rewrite) { $0.progress.begin(survey) }
            }
            guard try await scan(target) else { return }
            try await endPass(of: rewrite)
        } catch {
            let later = time.monotonic.advanced(by: Self.patience)
            note(rewrite) { work in
                work.progress.problem = error.message
                work.notBefore = later
            }
        }
    }

    private func note(_ rewrite: ClassRewrite, _ body: (inout Work) -> Void) {
        state.withLock { state in
            guard state.works[rewrite.bucket]?.before == rewrite.before else { return }
            if var work = state.works[rewrite.bucket] {
                body(&work)
                state.works[rewrite.bucket] = work
            }
        }
    }

    private func work(_ rewrite: ClassRewrite) -> Work {
        state.withLock { $0.works[rewrite.bucket] } ?? Work(before: rewrite.before)
    }

    /// All keys have been looked at: the rewrite is over when nothing was left behind. Else they are gone through once
    /// more, at once for what changed on the way, later for what could not be read.
    private func endPass(of rewrite: ClassRewrite) async throws(StorageError) {
        let work = work(rewrite)
        guard work.failed.isEmpty, work.changed == 0 else {
            let later = work.failed.isEmpty ? nil : time.monotonic.advanced(by: Self.pause)
            return note(rewrite) { work in
                work.cursor = ""
                work.failed = []
                work.changed = 0
                work.notBefore = later
                work.progress.bytesLeft = nil
            }
        }
        _ = try await metadata.endClassRewrite(rewrite.bucket, before: rewrite.before)
    }

    /// Goes through the keys from where the pass has come to; false when it is to stop before their end.
    private func scan(_ target: ClassTarget) async throws(StorageError) -> Bool {
        let rewrite = target.rewrite
        note(rewrite) { $0.progress.problem = "" }
        while true {
            let page = try await page(of: target, after: work(rewrite).cursor)
            var batch = Batch(capacity: target.scheme.dataCount * target.scheme.cellSize)
            for case .object(let summary) in page.entries {
                guard !Task.isCancelled, try await take(summary.key, into: &batch, target) else { return false }
            }
            guard try await flush(&batch, target) else { return false }
            guard page.isTruncated, let last = page.entries.last else { return true }
            note(rewrite) { $0.cursor = last.name }
        }
    }

    /// What is rewritten together: blobs whose bytes in question fit into one stripe, or one that has more.
    private struct Batch {
        let capacity: Int
        var blobs: [BlobID] = []
        var bytes = 0
        var owners = 0
        var labels: [MoveTransaction.Move] = []

        init(capacity: Int) { self.capacity = capacity }

        /// Whether so much more goes into it.
        func takes(bytes more: Int, owners others: Int) -> Bool {
            blobs.isEmpty
                || bytes + more <= capacity && owners + others <= Repacker.ownerLimit
                    && blobs.count < Repacker.sourceLimit
        }
    }

    private func take(_ key: String, into batch: inout Batch, _ target: ClassTarget) async throws(StorageError) -> Bool
    {
        guard let detail = try await metadata.version(bucket: target.rewrite.bucket, key: key) else { return true }
        switch objects.gap(of: detail, to: target) {
        case .none: return true
        case .label(let move):
            batch.labels.append(move)
            return batch.labels.count < Self.labelLimit ? true : try await flush(&batch, target)
        case .blobs(let ids, _):
            for id in ids where !batch.blobs.contains(id) && !work(target.rewrite).failed.contains(id) {
                let usage = try await objects.usage(of: id, by: target)
                if !batch.takes(bytes: usage.bytes, owners: usage.owners) {
                    guard try await flush(&batch, target) else { return false }
                }
                batch.blobs.append(id)
                batch.bytes += usage.bytes
                batch.owners += usage.owners
            }
            return true
        }
    }

    // MARK: Rewriting

    /// Rewrites what was gathered; false when the operator has paused or cancelled it meanwhile.
    private func flush(_ batch: inout Batch, _ target: ClassTarget) async throws(StorageError) -> Bool {
        let (blobs, labels, bytes) = (batch.blobs, batch.labels, batch.bytes)
        batch = Batch(capacity: batch.capacity)
        guard !blobs.isEmpty || !labels.isEmpty else { return true }
        let rewrite = target.rewrite
        let open = try await metadata.classRewrites()
        guard open.contains(rewrite) else { return false }
        let start = time.monotonic
        if !labels.isEmpty {
            let changed = try await objects.relabel(labels)
            note(rewrite) { work in
                work.changed += changed
                work.progress.note(objects: labels.count - changed, bytes: 0, now: start)
            }
        }
        guard !blobs.isEmpty else { return true }
        try await rewriteBlobs(blobs, target, bytes: bytes)
        guard work(rewrite).failed.count < Self.failureLimit else { return false }
        await pace(bytes, rate: rewrite.rate, since: start)
        return true
    }

    /// A blob that cannot be read takes no others with it: they are rewritten one by one then.
    private func rewriteBlobs(_ ids: [BlobID], _ target: ClassTarget, bytes: Int) async throws(StorageError) {
        do throws(StorageError) {
            guard let repack = try await objects.repack(ids, into: target) else {
                return note(target.rewrite) { $0.changed += 1 }
            }
            let outcome = try await objects.commit(repack)
            let now = time.monotonic
            note(target.rewrite) { work in
                work.changed += outcome.refused
                work.progress.note(objects: outcome.labelled, bytes: outcome.moved > 0 ? bytes : 0, now: now)
                work.progress.objectsChanged += outcome.refused
            }
        } catch {
            guard error.code == .unreadable || error.code == .internalFailure else { throw error }
            guard ids.count > 1 else {
                return note(target.rewrite) { work in
                    work.failed.formUnion(ids)
                    work.progress.problem = "a blob could not be rewritten: \(error.message)"
                }
            }
            for id in ids where !Task.isCancelled {
                let usage = try await objects.usage(of: id, by: target)
                try await rewriteBlobs([id], target, bytes: usage.bytes)
            }
        }
    }

    private func pace(_ bytes: Int, rate: Int, since start: MonotonicTime) async {
        let allowed = Duration.milliseconds(Int64(Double(bytes) * 1_000 / Double(max(1, rate))))
        let rest = allowed - time.monotonic.duration(since: start)
        if rest > .zero { try? await time.sleep(for: rest) }
    }
}

/// What objects lack to be in a class.
package struct ClassSurvey: Hashable, Sendable {
    /// Objects that are not in the class.
    package var objects = 0
    /// Bytes of them that lie in another scheme.
    package var bytes = 0
    /// What these take on the disks now, and will.
    package var bytesOnDisks = 0
    package var bytesOnDisksThen = 0
    /// Every object was looked at.
    package var isComplete = true

    package init() {}

    fileprivate mutating func count(
        _ gap: ClassGap,
        of detail: VersionDetail,
        to target: ClassTarget,
        _ view: ClusterView
    ) {
        switch gap {
        case .none: return
        case .label: objects += 1
        case .blobs(let ids, let count):
            objects += 1
            bytes += count
            for extent in detail.version.extents where ids.contains(extent.blob) {
                let scheme = detail.blobs[extent.blob].flatMap { view.group($0.group) }?.scheme
                bytesOnDisks += scheme.map { Self.shards(extent.length, $0) } ?? 0
                bytesOnDisksThen += Self.shards(extent.length, target.scheme)
            }
        }
    }

    private static func shards(_ bytes: Int, _ scheme: Scheme) -> Int {
        bytes / scheme.dataCount * scheme.shardCount
    }
}

/// How a rewrite into a class goes, since the program started.
package struct ClassRewriteProgress: Hashable, Sendable {
    /// What was counted to be left; nil while it is being counted.
    package var objectsLeft: Int?
    package var bytesLeft: Int?
    package var objectsDone = 0
    package var bytesDone = 0
    /// Versions that were overwritten, deleted or moved while their bytes were copied.
    package var objectsChanged = 0
    /// Why it does not go on as it should; empty while it does.
    package var problem = ""
    private var pace = WorkPace()

    package init() {}

    mutating func begin(_ survey: ClassSurvey) { (objectsLeft, bytesLeft) = (survey.objects, survey.bytes) }

    mutating func note(objects: Int, bytes: Int, now: MonotonicTime) {
        objectsDone += objects
        bytesDone += bytes
        objectsLeft = objectsLeft.map { max(0, $0 - objects) }
        bytesLeft = bytesLeft.map { max(0, $0 - bytes) }
        pace.note(bytes, now: now)
    }

    func asOf(_ now: MonotonicTime) -> Self {
        var progress = self
        progress.pace = pace.asOf(now)
        return progress
    }

    /// At the pace of late; nil while that is not known.
    package var secondsLeft: Int? {
        bytesLeft.flatMap { pace.secondsLeft(for: $0) }
    }
}
