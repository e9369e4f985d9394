package import BlobStorage
internal import ClusterProtocol
internal import JournalStorage
package import Metadata
internal import ObjectInterface
package import ObjectModel
internal import Placement
import Synchronization
package import SystemInterface

/// Puts missing shards back, several blobs at a time, in the order of `RepairQueue` and within a budget (DESIGN §8).
///
/// A shard counts as back only once it was read again and registered, with others, by a transaction that requires its
/// blob live and its group unchanged. Nothing is ever purged: a blob below k shards stays listed.
///
/// What is repaired does not wait for what has more spares: the list is looked at all the time, a blob that loses its
/// last spare takes a place of its own, pays for nothing, and holds the others to their budget. While an operator has
/// paused repair, only what has no spare is repaired.
package final class Repairer: Sendable {
    /// Blobs repaired side by side: enough to keep the disks of a small machine busy.
    package static let concurrency = 8
    /// Beside those, for blobs without spares.
    private static let urgentConcurrency = 4
    /// Blobs whose new shards are registered by one transaction: each costs a record on all keepers of the journal.
    private static let registered = 32
    /// How long a new shard waits for others until it is registered.
    private static let patience = Duration.milliseconds(500)
    /// How long no client may have asked for anything until repair takes what it can get: what lacks shards is in a
    /// hurry.
    private static let quiet = Duration.seconds(2)
    /// How often it is looked whether blobs have lost their last spares, and that some are in line.
    private static let look = Duration.seconds(1)
    /// Blobs taken from the list in one go.
    private static let page = 4_096
    /// Blobs looked at, at most, that lack more than those which the walk has come to.
    private static let aheadLimit = 512
    /// How often the list is looked at when nothing wakes the repairer.
    package static let interval = Duration.seconds(1)

    /// Of `noteSuspects`, at a time: the pass, its look ahead, and a command.
    private static let waitingCallers = 8

    private struct State {
        var progress = RepairProgress()
        var suspects: Set<ShardID> = []
        /// Where the walk through the list has come to; nil at its end.
        var walk: Walk? = .spare(nil)
        /// Blobs without spares that are being repaired.
        var urgent = 0
        /// Shards put back since the last time that none was missing; nil when they were too many to remember.
        var restored: Set<ShardID>? = []
        /// What had been done when the repair under way began; nil while none is, as far as the log tells.
        var begun: (shards: Int, bytes: Int)?
    }

    /// The list is walked through once a pass: first what can be repaired, then what is below k.
    private enum Walk {
        case spare(MissingBlob?)
        case below(MissingBlob?)

        /// Of any scheme; and those that are repaired in a pause, too.
        static let spares = 0...Scheme.maximumShardCount
        static let noSpares = 0...0
        static let belowSpares = -Scheme.maximumShardCount ... -1
    }

    private let metadata: any ReplicatedMetadata
    private let blobs: BlobStore
    private let time: any TimeSource
    private let queue = RepairQueue()
    private let activity: ClientActivity
    package let budget: RepairBudget
    package let hold: RepairHold
    private let state = Mutex(State())
    /// Suspects are looked at by one call at a time, so that whoever waits for that knows of all before.
    private let noting = CallGate(limit: Repairer.waitingCallers)
    private let wholeObserver = Mutex<(@Sendable (Set<ShardID>?) -> Void)?>(nil)
    private let events = Mutex<StoreEvents?>(nil)
    private let badShards = Mutex<BadShards?>(nil)

    /// `folder`: where an operator's pause is kept; without one a restart forgets it.
    package init(
        metadata: any ReplicatedMetadata,
        blobs: BlobStore,
        time: any TimeSource,
        budget: RepairBudget,
        folder: (any FileSystem)? = nil
    ) {
        self.metadata = metadata
        self.blobs = blobs
        self.time = time
        self.budget = budget
        hold = RepairHold(time: time, folder: folder)
        activity = ClientActivity(metadata: metadata, quiet: Self.quiet, time: time)
    }

    /// Called after a pass that put shards back and left none missing, with those put back since the last time (nil:
    /// many): time for an independent count.
    package func onWhole(_ observer: @escaping @Sendable (Set<ShardID>?) -> Void) {
        wholeObserver.withLock { $0 = observer }
    }

    /// Where the beginnings and ends of repairs are told, from here on.
    func report(to events: StoreEvents) { self.events.withLock { $0 = events } }

    /// Where shards that reads found bad are counted by disk, from here on.
    func report(to badShards: BadShards) { self.badShards.withLock { $0 = badShards } }

    package var progress: RepairProgress { state.withLock { $0.progress }.asOf(time.monotonic) }

    /// Shards that a read found bad wait here until they are noted in the metadata; more than this are dropped, because
    /// the next scrub finds them again.
    package static let suspectLimit = 65_536

    /// Takes note of a shard found lost or bad; cheap, from any task.
    package func suspect(_ shard: ShardID) {
        state.withLock { state in
            if state.suspects.count < Self.suspectLimit { state.suspects.insert(shard) }
        }
    }

    /// A client has read a blob that lacks a shard: it is repaired before others. Cheap, from any task. Nothing is
    /// noted while repair is paused: what has no spare is in line before it anyway.
    package func prefer(_ blob: BlobID) {
        if !isPaused { queue.ask(for: blob) }
    }

    private var isPaused: Bool { hold.pause != nil }

    /// Whether the rate of disks holds just now: clients ask for something, or blobs without spares need the disks.
    package var isSparing: Bool { activity.isBusy || queue.hasUrgent || state.withLock { $0.urgent > 0 } }

    /// Repairs until cancelled.
    package func run() async {
        while !Task.isCancelled {
            await pass()
            try? await time.sleep(for: Self.interval)
        }
    }

    /// Works until nothing that can be repaired now is missing.
    package func pass() async {
        let doneBefore = progress.shardsDone
        queue.begin()
        state.withLock { $0.walk = .spare(nil) }
        while !Task.isCancelled, await fillQueue(), !queue.isEmpty {
            state.withLock { $0.progress.isActive = true }
            await repairAll()
        }
        // Looked at now and then, so that it is known when the next pass begins.
        _ = activity.isBusy
        state.withLock { state in
            state.progress.isActive = false
            state.progress.waiting = queue.failures
        }
        await noteEnd(shardsBefore: doneBefore)
        if progress.shardsDone > doneBefore, (try? await metadata.missingShardCount()) == 0 {
            let restored = state.withLock { state in
                defer { state.restored = [] }
                return state.restored
            }
            wholeObserver.withLock { $0 }?(restored)
        }
    }

    // MARK: What is to be done

    /// Brings the queue up to date; false when the metadata cannot be read.
    private func fillQueue() async -> Bool {
        do {
            try await noteSuspects()
            var walk = state.withLock { $0.walk }
            while let place = walk, queue.isShort(of: Self.page / 2) {
                let (blobs, next) = try await page(at: place)
                queue.append(blobs)
                walk = next
            }
            state.withLock { $0.walk = walk }
            queue.setAhead(try await ahead(of: walk))
            return true
        } catch {
            return false
        }
    }

    /// Of the blobs that are repaired now, as long as there are shards enough.
    private var spares: ClosedRange<Int> { isPaused ? Walk.noSpares : Walk.spares }

    private func page(at place: Walk) async throws(StorageError) -> (blobs: [MissingBlob], next: Walk?) {
        switch place {
        case .spare(let last):
            let spares = spares
            // Paused on the way: what is left of the walk has more.
            if let last, last.spares > spares.upperBound { return ([], .below(nil)) }
            let blobs = try await metadata.missingBlobs(spares: spares, after: last, limit: Self.page)
            return (blobs, blobs.last.map { .spare($0) } ?? .below(nil))
        case .below(let last):
            let blobs = try await metadata.missingBlobs(spares: Walk.belowSpares, after: last, limit: Self.page)
            return (blobs, blobs.last.map { .below($0) })
        }
    }

    /// Blobs with fewer spares than those which the walk has come to, or without any.
    private func ahead(of walk: Walk?) async throws(StorageError) -> [MissingBlob] {
        var most = spares.upperBound
        if case .spare(let last) = walk { most = min(most, max(0, (last?.spares ?? 0) - 1)) }
        return try await metadata.missingBlobs(spares: 0...most, after: nil, limit: Self.aheadLimit)
    }

    private func keepLooking() async {
        while (try? await time.sleep(for: Self.look)) != nil { _ = await fillQueue() }
    }

    /// Notes the shards that reads have found bad by now, those that are still.
    func noteSuspects() async throws(StorageError) {
        guard await noting.enter() else { return }
        defer { noting.leave() }
        let suspects = state.withLock { state in
            defer { state.suspects = [] }
            return state.suspects.sorted()
        }
        guard !suspects.isEmpty else { return }
        // A read may have met a shard that moved or was erased meanwhile: only what is bad now is noted.
        var bad: [PlacedShard] = []
        for shard in suspects {
            guard case .at(let disk) = try await metadata.place(of: shard, in: blobs.view),
                await blobs.nodes.judge(shard, on: disk).isBad
            else { continue }
            bad.append(PlacedShard(shard, on: disk))
        }
        if !bad.isEmpty {
            await blobs.buggify.pause(.lookLate, time)
            try await metadata.markMissing(bad)
            await badShards.withLock { $0 }?.note(bad)
            for blob in Set(bad.map(\.shard.blob)).sorted() { prefer(blob) }
        }
    }

    // MARK: Work

    /// Repairs blobs side by side until none is in line.
    private func repairAll() async {
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await self.keepLooking() }
            await SideBySide(
                concurrency: self.concurrency,
                batch: Self.registered,
                patience: Self.patience,
                time: time,
                work: { await self.repair($0) },
                settle: { repaired in
                    let counting = await self.register(repaired)
                    for blob in repaired {
                        let isDone = blob.isWhole && counting.isSuperset(of: blob.new.map(\.shard))
                        self.queue.end(blob.blob, isDone ? .whole : .failed)
                    }
                }
            ).run(drawing: { Task.isCancelled ? nil : queue.next() })
            group.cancelAll()
        }
    }

    private var concurrency: Int { queue.hasUrgent ? Self.concurrency + Self.urgentConcurrency : Self.concurrency }

    /// What repair has made of a blob.
    private struct Repaired {
        var blob: BlobID
        /// Shards that are whole where they belong, and do not count yet.
        var new: [NewShard] = []
        /// Of each.
        var length = 0
        /// Whether nothing of the blob is missing once they count; also when it is gone.
        var isWhole = true
    }

    /// Nil when there is nothing to be handed over: the queue knows how it ended.
    private func repair(_ id: BlobID) async -> Repaired? {
        let found: BlobRecord?
        do {
            found = try await metadata.blob(id)
        } catch {
            // A row that cannot be read now is listed again in the next pass, and not before.
            queue.end(id, .failed)
            return nil
        }
        guard let blob = found, !blob.missing.isEmpty else {
            queue.end(id, .whole)
            return nil
        }
        guard let group = blobs.view.group(blob.group) else {
            queue.end(id, .failed)
            return nil
        }
        let request = RepairRequest(blob, in: group)
        let isUrgent = blob.missing.count >= group.scheme.parityCount
        if !isUrgent {
            let mayBegin = await budget.pay(
                for: blobs.load(repairing: request),
                isSparing: { self.isSparing },
                while: { !self.isPaused && !self.queue.hasUrgent }
            )
            guard mayBegin else {
                queue.end(id, isPaused ? .held : .postponed)
                return nil
            }
        }
        if isUrgent { state.withLock { $0.urgent += 1 } }
        defer { if isUrgent { state.withLock { $0.urgent -= 1 } } }
        guard let done = try? await blobs.repair(request), !done.isEmpty else {
            queue.end(id, .failed)
            return nil
        }
        return Repaired(
            blob: id,
            new: done.map { NewShard(ShardID(blob: id, index: $0), groupEpoch: group.epoch) },
            length: request.location.geometry.shardLength,
            isWhole: done.count == blob.missing.count
        )
    }

    /// Lets the new shards count; returns those that do. Others are of blobs that are gone, or of groups that have
    /// changed meanwhile, or the metadata could not be changed.
    private func register(_ repaired: [Repaired]) async -> Set<ShardID> {
        let new = repaired.flatMap(\.new)
        guard !new.isEmpty else { return [] }
        await noteBegin()
        guard let counting = try? await metadata.registerShards(new) else { return [] }
        let bytes = repaired.reduce(0) { bytes, blob in
            bytes + blob.length * blob.new.count { counting.contains($0.shard) }
        }
        count(counting, bytes: bytes)
        return counting
    }

    // MARK: For the log

    /// The first shards are whole again since the last repair ended: one that can make none has not begun.
    private func noteBegin() async {
        let isFirst = state.withLock { state in
            guard state.begun == nil else { return false }
            state.begun = (state.progress.shardsDone, state.progress.bytesDone)
            state.progress.beginAnew()
            return true
        }
        guard isFirst, let events = events.withLock({ $0 }) else { return }
        events.note(.repairBegun(missing: (try? await metadata.missingShardCount()) ?? 0))
    }

    /// A repair has ended when nothing is missing, and also when a pass has put nothing back.
    private func noteEnd(shardsBefore: Int) async {
        guard state.withLock({ $0.begun }) != nil, let missing = try? await metadata.missingShardCount() else { return }
        let done = state.withLock { state -> (shards: Int, bytes: Int)? in
            guard let begun = state.begun, missing == 0 || state.progress.shardsDone == shardsBefore else { return nil }
            state.begun = nil
            if missing == 0 { state.progress.beginAnew() }
            return (state.progress.shardsDone - begun.shards, state.progress.bytesDone - begun.bytes)
        }
        guard let done else { return }
        events.withLock { $0 }?.note(.repairEnded(shards: done.shards, bytes: done.bytes, missing: missing))
    }

    private func count(_ shards: Set<ShardID>, bytes: Int) {
        state.withLock { state in
            state.progress.note(shards: shards.count, bytes: bytes, now: time.monotonic)
            state.restored?.formUnion(shards)
            if let restored = state.restored, restored.count > Verifier.recountLimit { state.restored = nil }
        }
    }
}

/// What the repairer has done since the program started.
package struct RepairProgress: Hashable, Sendable {
    package var isActive = false
    package var shardsDone = 0
    package var bytesDone = 0
    /// Blobs that could not be repaired in the last pass: too few good shards, or no disk to write to.
    package var waiting = 0
    /// What had been done when the repair under way began.
    private var bytesBefore = 0
    private var pace = WorkPace()

    package init() {}

    /// Of the repair under way; 0 once nothing is missing.
    package var bytesOfRepair: Int { bytesDone - bytesBefore }

    /// What comes is another repair: it is counted from here, and the time in which nothing was missing says nothing of
    /// its pace.
    package mutating func beginAnew() { (bytesBefore, pace) = (bytesDone, WorkPace()) }

    package mutating func note(shards: Int, bytes: Int, now: MonotonicTime) {
        shardsDone += shards
        bytesDone += bytes
        pace.note(shards, now: now)
    }

    func asOf(_ now: MonotonicTime) -> Self {
        var progress = self
        progress.pace = pace.asOf(now)
        return progress
    }

    /// How long so many shards take at the pace of late; nil while that is not known.
    package func secondsLeft(for shards: Int) -> Int? { pace.secondsLeft(for: shards) }
}
