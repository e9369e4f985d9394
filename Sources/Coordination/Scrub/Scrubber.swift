package import BlobStorage
internal import ClusterProtocol
internal import JournalStorage
package import Metadata
package import ObjectModel
internal import Placement
import Synchronization
package import SystemInterface

/// Reads every byte of every disk within a stated time, again and again, and codes every stripe anew within a longer
/// one (DESIGN §8).
///
/// Each disk is walked in the order of blob ids at the rate that its oldest bytes need, and goes on after a restart
/// where it was. What is bad or lost is noted missing, which hands it to repair. The count of everything at once, for
/// repairs and operators who wait, is the `Verifier`'s.
package final class Scrubber: Sendable {
    /// What the scrub needs of the rest of the store.
    package struct Helpers: Sendable {
        /// Has a disk's segments mend what no shard covers.
        package var mend: @Sendable (DiskID) async -> Void = { _ in }
        /// Writes a blob anew that was coded wrongly; false when that was not possible.
        package var rewrite: @Sendable (BlobID) async -> Bool = { _ in false }
        /// Is told what was found bad, once that is noted missing.
        package var found: @Sendable ([PlacedShard]) async -> Void = { _ in }

        package init() {}
    }

    /// How often disks are asked how much they hold.
    private static let refreshInterval = Duration.seconds(600)
    /// How often the position is kept while it changes.
    private static let saveInterval = Duration.seconds(60)
    /// Blobs that are named in the status as not being what came in.
    static let damagedLimit = 100

    struct State {
        var record = ScrubRecord()
        /// Bytes of live shards, as the disks last said.
        var live: [DiskID: Int] = [:]
        var working: Set<DiskID> = []
        var isCheckingStripes = false
        var isReadingBucket = false
        /// Passes begun since the start: whoever works for an older one stops.
        var turns: [DiskID: Int] = [:]
        var rates: [DiskID: Int] = [:]
        var totals = ScrubTotals()
        var damaged: Set<BlobID> = []
        var lastMended: [DiskID: MonotonicTime] = [:]
        var lastRefresh: MonotonicTime?
        var isChanged = false
        /// An operator's word, or the end of a pass: kept at once.
        var isSaveDue = false
        var problem = ""
        /// The record of the run before has been read, or there is none.
        var isLoaded = false
    }

    let metadata: any MetadataStore
    let blobs: BlobStore
    let time: any TimeSource
    let settings: ScrubSettings
    let state = Mutex(State())
    let helpers = Mutex(Helpers())
    private let file: ScrubFile?
    /// One write of the file at a time, the newest record last.
    private let saving = CallGate(limit: Scrubber.waitingSaves)
    /// Operators' commands that may wait for the file.
    private static let waitingSaves = 64

    /// `folder`: where the position is kept; without one a restart begins anew.
    package init(
        metadata: any MetadataStore,
        blobs: BlobStore,
        time: any TimeSource,
        settings: ScrubSettings = ScrubSettings(),
        folder: (any FileSystem)? = nil
    ) {
        self.metadata = metadata
        self.blobs = blobs
        self.time = time
        self.settings = settings
        file = folder.map { ScrubFile(folder: $0) }
    }

    package func use(_ helpers: Helpers) { self.helpers.withLock { $0 = helpers } }

    /// Seconds within which a pass wants to be done.
    var window: Double { settings.period.inSeconds * ScrubSettings.share }
    var codingWindow: Double { settings.codingPeriod.inSeconds * ScrubSettings.share }

    // MARK: An operator's word

    /// Stops reading on these disks, or (nil) everywhere, until `resume`; also over a restart. What is under way ends
    /// with the shard that is being read. Durable once `keep` has returned true.
    package func pause(_ disks: Set<DiskID>? = nil) {
        change { state in
            if let disks { state.record.pausedDisks.formUnion(disks) } else { state.record.isPaused = true }
        }
    }

    /// Goes on where it was; nil also for disks that were paused one by one.
    package func resume(_ disks: Set<DiskID>? = nil) {
        change { state in
            if let disks {
                state.record.pausedDisks.subtract(disks)
            } else {
                state.record.isPaused = false
                state.record.pausedDisks = []
            }
        }
    }

    /// Makes what operators have said so far durable; false when it could not be: then it holds until a restart, and
    /// is tried again. True without a place to keep it in, where nothing outlives a restart anyway.
    package func keep() async -> Bool {
        file == nil ? true : await save()
    }

    /// Begins a pass over each of these disks now, from the beginning, as fast as the disk goes. False, and nothing
    /// done, while the scrub is paused on one of them.
    package func start(_ disks: Set<DiskID>) -> Bool {
        let now = time.wall
        return change { state in
            guard !state.record.isPaused, state.record.pausedDisks.isDisjoint(with: disks) else { return false }
            for disk in disks {
                let live = state.live[disk] ?? 0
                state.turns[disk, default: 0] += 1
                state.record.disks[disk, default: ScrubWalk(joined: now)].begin(now: now, live: live, isUrgent: true)
            }
            return true
        }
    }

    /// Reads everything that the objects of a bucket have on any disk, now. False while the scrub is paused or another
    /// bucket is being read.
    package func start(bucket: String) -> Bool {
        let now = time.wall
        return change { state in
            guard !state.record.isPaused, state.record.bucket?.ended != nil || state.record.bucket == nil else {
                return false
            }
            state.record.bucket = ScrubRecord.BucketJob(bucket: bucket, started: now)
            return true
        }
    }

    /// A count of everything came to its end: what it read need not be read again soon.
    package func note(_ pass: Verifier.WholePass) {
        let now = time.wall
        change { state in
            for disk in state.record.disks.keys where !pass.unread.contains(disk) {
                state.turns[disk, default: 0] += 1
                state.record.disks[disk]?.credit(from: pass.started, to: now, live: state.live[disk] ?? 0)
            }
        }
    }

    @discardableResult
    private func change<Value: Sendable>(_ body: (inout State) -> sending Value) -> Value {
        state.withLock { state in
            state.isSaveDue = true
            return body(&state)
        }
    }

    // MARK: Running

    /// Scrubs until cancelled.
    package func run() async {
        await load()
        await withDiscardingTaskGroup { group in
            var lastSave = time.monotonic
            while !Task.isCancelled {
                await refresh()
                for disk in takeDue() { group.addTask { await self.work(on: disk) } }
                if takeStripes() { group.addTask { await self.checkStripes() } }
                if takeBucket() { group.addTask { await self.readBucket() } }
                let isDue = time.monotonic.duration(since: lastSave) >= Self.saveInterval
                if state.withLock({ $0.isSaveDue || $0.isChanged && isDue }) {
                    await save()
                    lastSave = time.monotonic
                }
                guard (try? await time.sleep(for: settings.poll)) != nil else { break }
            }
        }
        await save()
    }

    /// Reads what the run before has kept, once. To be called before an operator's word is taken, which would be
    /// overwritten by it.
    package func load() async {
        guard let file, await saving.enter() else { return }
        defer { saving.leave() }
        guard !state.withLock({ $0.isLoaded }) else { return }
        let (record, problem) = await file.load()
        let now = time.wall
        state.withLock { state in
            state.isLoaded = true
            state.problem =
                problem.isEmpty ? "" : "the position could not be read and everything is read anew: \(problem)"
            guard var record else { return }
            for disk in record.disks.keys { record.disks[disk]?.clamp(to: now) }
            record.stripes?.clamp(to: now)
            state.record = record
        }
    }

    @discardableResult
    private func save() async -> Bool {
        guard let file, await saving.enter() else { return false }
        defer { saving.leave() }
        let record = state.withLock { state in
            (state.isSaveDue, state.isChanged) = (false, false)
            return state.record
        }
        do {
            try await file.save(record)
            state.withLock { $0.problem = "" }
            return true
        } catch {
            state.withLock { state in
                // Not at once: what fails now fails a moment later too.
                state.isChanged = true
                state.problem = "the position cannot be kept, a restart would read again: \(error.description)"
            }
            return false
        }
    }

    /// Takes up new disks, forgets those that are gone, and asks all how much they hold.
    private func refresh() async {
        let (now, wall) = (time.monotonic, time.wall)
        let disks = Set(blobs.view.map.disks.keys)
        let isDue = state.withLock { state in
            for disk in state.record.disks.keys where !disks.contains(disk) {
                state.record.disks[disk] = nil
                state.record.pausedDisks.remove(disk)
                state.isChanged = true
            }
            let new = disks.subtracting(state.record.disks.keys)
            for disk in new { state.record.disks[disk] = ScrubWalk(joined: wall) }
            if state.record.stripes == nil { state.record.stripes = ScrubWalk(joined: wall) }
            state.isChanged = state.isChanged || !new.isEmpty
            let age = state.lastRefresh.map { now.duration(since: $0) } ?? Self.refreshInterval
            guard !new.isEmpty || age >= Self.refreshInterval else { return false }
            state.lastRefresh = now
            for disk in disks { state.record.disks[disk]?.clamp(to: wall) }
            state.record.stripes?.clamp(to: wall)
            return true
        }
        guard isDue else { return }
        let live = await withTaskGroup(of: (DiskID, Int?).self) { group in
            for disk in disks.sorted() where blobs.view.isUsable(disk) {
                group.addTask { (disk, try? await self.blobs.nodes.status(disk).liveBytes) }
            }
            return await group.reduce(into: [DiskID: Int]()) { if let bytes = $1.1 { $0[$1.0] = bytes } }
        }
        state.withLock { state in
            state.live.merge(live) { $1 }
            state.live = state.live.filter { disks.contains($0.key) }
        }
    }

    /// The disks whose reading is to begin or to go on, and that nobody reads yet.
    private func takeDue() -> [DiskID] {
        let now = time.wall
        return state.withLock { state in
            guard !state.record.isPaused else { return [] }
            let free = Set(state.record.disks.keys).subtracting(state.working).subtracting(state.record.pausedDisks)
            let due = free.sorted().filter { disk in
                guard blobs.view.isUsable(disk), let walk = state.record.disks[disk] else { return false }
                if walk.pass != nil { return true }
                guard let live = state.live[disk],
                    walk.isDue(live: live, window: window, slowest: settings.minimumRate, now: now)
                else { return false }
                state.record.disks[disk]?.begin(now: now, live: live, isUrgent: false)
                return true
            }
            state.working.formUnion(due)
            return due
        }
    }

    private func takeStripes() -> Bool {
        let now = time.wall
        return state.withLock { state in
            guard !state.record.isPaused, !state.isCheckingStripes, let walk = state.record.stripes else {
                return false
            }
            let live = state.live.values.reduce(0, +)
            if walk.pass == nil {
                guard walk.isDue(live: live, window: codingWindow, slowest: settings.minimumRate, now: now) else {
                    return false
                }
                state.record.stripes?.begin(now: now, live: live, isUrgent: false)
            }
            state.isCheckingStripes = true
            return true
        }
    }

    private func takeBucket() -> Bool {
        state.withLock { state in
            guard !state.record.isPaused, !state.isReadingBucket, let job = state.record.bucket, job.ended == nil
            else { return false }
            state.isReadingBucket = true
            return true
        }
    }

    // MARK: Pace

    /// Waits until so many bytes are allowed since `start`, at a rate that may change meanwhile: nil does not wait.
    /// Ends early when `goesOn` does not hold any more.
    func pace(_ bytes: Int, since start: MonotonicTime, rate: () -> Int?, goesOn: () -> Bool) async {
        while goesOn(), !Task.isCancelled, let rate = rate() {
            let due = start.advanced(by: .milliseconds(Int64(Double(bytes) / Double(max(1, rate)) * 1_000)))
            guard time.monotonic < due else { return }
            let rest = due.duration(since: time.monotonic)
            guard (try? await time.sleep(for: min(rest, settings.poll))) != nil else { return }
        }
    }
}

/// What the scrub has done since the program started.
package struct ScrubTotals: Hashable, Sendable {
    package var shards = 0
    package var bytes = 0
    /// Shards that were handed to repair.
    package var bad = 0
    /// Of those, shards that their disks did not have at all; the others were damaged.
    package var absent = 0
    /// Blobs that were coded again.
    package var blobsChecked = 0
    /// Of those, blobs of which shards or trailers were not what coding gives.
    package var blobsMiscoded = 0
}
