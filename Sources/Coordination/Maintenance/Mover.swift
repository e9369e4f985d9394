package import BlobStorage
internal import JournalStorage
package import Metadata
internal import ObjectInterface
internal import ObjectModel
internal import Placement
import Synchronization
package import SystemInterface

/// Moves shards to the disks that have taken over their places (DESIGN §8, rebalance and drain).
///
/// What is to be moved is in the metadata, so a restart goes on where this one ends. Each shard is copied, proved at
/// its new place, registered, with others, by a transaction that requires its blob live and its group unchanged, and
/// only then erased where it was: until that transaction the place before counts, after it the new one.
///
/// No disk gives or takes shards of two groups at once, so that moves are as fast as there are disks to share them; and
/// while clients ask for something, each group's shards go one by one, so that requests find disks and processors free.
package final class Mover: Sendable {
    /// Groups at most whose shards are moved side by side: a bound of the memory that it takes.
    private static let groups = 16
    /// Blobs of a group moved side by side while no client asks for anything.
    private static let concurrency = 4
    /// How long no client may have asked for anything until then: moves are in no hurry.
    private static let quiet = Duration.seconds(10)
    /// How long a shard that is whole at its new place waits for others until it is registered.
    private static let patience = Duration.seconds(1)
    /// Shards of a group taken from the list in one go, and the most that one transaction registers: each costs a
    /// record on all keepers of the journal.
    private static let page = 64
    /// Erasures side by side, once shards are registered.
    private static let erasures = 8
    /// While clients ask for something, a group rests after each blob as long as that took, but no longer than this.
    private static let longestRest = Duration.seconds(1)
    /// A shorter rest is not taken: the next one is longer by it.
    private static let shortestRest = Duration.milliseconds(2)
    /// How often a rest looks whether it still holds: clients may have gone, the rate been raised, all been paused.
    private static let look = Duration.seconds(1)
    /// How often the list is looked at when nothing wakes the mover.
    package static let interval = Duration.seconds(1)
    /// A GET of the largest object on a slow line; with readers that never end, moves end all the same.
    private static let readPatience = Duration.seconds(6 * 3_600)
    /// Bytes a second that are moved at most, in all, unless the operator says otherwise.
    package static let defaultRate = 200 << 20

    private struct State {
        var progress = MoveProgress()
        var settings = MoveSettings()
        /// Why they could not be read or kept.
        var problem = ""
        /// When the bytes moved so far are paid for, at `rate`.
        var paidUntil = MonotonicTime(nanoseconds: 0)
        /// What the last blob took, as which the next is charged until it is known better.
        var typicalBytes = 0
        /// Since when the mover knows of a group's epoch, of groups whose places are being moved.
        var known: [GroupID: (epoch: UInt32, since: MonotonicTime)] = [:]
        /// The moves under way, or the last ones, were cancelled: what goes, goes back.
        var isCancelled = false
        /// Since when the end of moves has waited for readers.
        var readSince: MonotonicTime?

        var rate: Int { settings.rate ?? Mover.defaultRate }

        /// How long so many bytes take at the rate.
        func time(for bytes: Int) -> Duration { .paying(bytes, at: rate) }
    }

    private let metadata: any ReplicatedMetadata
    private let blobs: BlobStore
    private let time: any TimeSource
    private let state = Mutex(State())
    private let endObserver = Mutex<(@Sendable () async -> Void)?>(nil)
    private let readers = Mutex<@Sendable () async -> Bool>({ false })
    private let notice: Duration
    private let activity: ClientActivity
    private let budget: RepairBudget
    private let file: MoveSettingsFile?
    /// One write of the file at a time, the newest settings last.
    private let saving = CallGate(limit: Mover.waitingSaves)
    /// Operators' commands that may wait for the file.
    private static let waitingSaves = 64

    /// `budget`: of which moves share what crosses lines between sites with repair. `notice`: how long after a move
    /// began its first shard goes, so that whoever reads knows both its places by then. `folder`: where operators'
    /// words are kept; without one a restart forgets them.
    package init(
        metadata: any ReplicatedMetadata,
        blobs: BlobStore,
        time: any TimeSource,
        budget: RepairBudget,
        notice: Duration = .zero,
        folder: (any FileSystem)? = nil
    ) {
        self.metadata = metadata
        self.blobs = blobs
        self.time = time
        self.budget = budget
        activity = ClientActivity(metadata: metadata, quiet: Self.quiet, time: time)
        self.notice = notice
        file = folder.map { MoveSettingsFile(folder: $0) }
    }

    /// Moves do not end while this says that readers want what lies where places were before.
    package func waits(while isRead: @escaping @Sendable () async -> Bool) { readers.withLock { $0 = isRead } }

    /// Called after the moves of some places have ended.
    func onEnd(_ observer: @escaping @Sendable () async -> Void) { endObserver.withLock { $0 = observer } }

    package var progress: MoveProgress {
        lookForMoves()
        return state.withLock { state in
            var progress = state.progress
            progress.isPaused = state.settings.isPaused
            progress.isCancelled = state.isCancelled
            return progress.asOf(time.monotonic)
        }
    }

    /// Whether what is under way from here on is what an operator has put back; for those who look on, until a restart.
    func note(isCancelled: Bool) { state.withLock { $0.isCancelled = isCancelled } }

    // MARK: An operator's word

    /// Moves nothing until `resume`, also over a restart; what is being copied is finished. Like the rate durable once
    /// `keep` has returned true.
    package func pause() { state.withLock { $0.settings.isPaused = true } }
    package func resume() { state.withLock { $0.settings.isPaused = false } }
    /// Bytes a second from now on, nil for the usual rate; what was moved before is paid for. It is that of the moves
    /// under way: the store takes it back when they have ended.
    package func setRate(_ rate: Int?) {
        state.withLock { ($0.settings.rate, $0.paidUntil) = (rate.map { max(1, $0) }, time.monotonic) }
    }

    /// What an operator has set; nil for the usual rate.
    package var givenRate: Int? { state.withLock { $0.settings.rate } }

    package var rate: Int { state.withLock { $0.rate } }
    /// Why what operators said could not be read or kept; empty when it could.
    package var problem: String { state.withLock { $0.problem } }

    private var isPaused: Bool { state.withLock { $0.settings.isPaused } }

    /// Reads what operators said in an earlier run; before they are heard in this one.
    func load() async {
        guard let file else { return }
        let (settings, problem) = await file.load()
        state.withLock { state in
            if let settings { state.settings = settings }
            state.problem =
                problem.isEmpty ? "" : "the pause and the rate could not be read and hold no more: \(problem)"
        }
    }

    /// Makes what operators have said so far durable; false when it could not be: then it holds until a restart. True
    /// without a place to keep it in.
    package func keep() async -> Bool {
        guard let file else { return true }
        guard await saving.enter() else { return false }
        defer { saving.leave() }
        let settings = state.withLock { $0.settings }
        do {
            try await file.save(settings)
            state.withLock { $0.problem = "" }
            return true
        } catch {
            state.withLock { state in
                state.problem =
                    "the pause and the rate cannot be kept, a restart would forget them: \(error.description)"
            }
            return false
        }
    }

    /// Moves until cancelled.
    package func run() async {
        while !Task.isCancelled {
            await pass()
            try? await time.sleep(for: Self.interval)
        }
    }

    /// Moves that begin once none was under way are counted by themselves.
    private func lookForMoves() {
        let areUnderWay = blobs.view.map.groups.values.contains { !$0.former.isEmpty }
        state.withLock { $0.progress.look(areUnderWay: areUnderWay) }
    }

    /// Moves what can be moved now.
    package func pass() async {
        lookForMoves()
        guard let left = try? await metadata.statistics().movingShards else { return }
        state.withLock { $0.progress.isActive = left > 0 && !$0.settings.isPaused }
        let groups = blobs.view.map.groups.values.filter { !$0.former.isEmpty }.sorted { $0.id < $1.id }
        await SideBySide(
            concurrency: Self.groups,
            time: time,
            claims: { (group: ClusterMap.Group) in Set(group.former.flatMap { [$1, group.members[Int($0)]] }) },
            work: { (group: ClusterMap.Group) in await self.move(group) }
        ).run(groups) { goesOn }
        state.withLock { $0.progress.isActive = false }
        // In this order: what dies behind the look at readers was moved before it, and is where its place is now.
        guard let finished = try? await metadata.finishedMoves(), !finished.isEmpty, await mayEnd() else { return }
        guard let ended = try? await metadata.endMoves(finished), ended > 0 else { return }
        await endObserver.withLock { $0 }?()
        lookForMoves()
    }

    /// Readers are not waited for longer than any read should take.
    private func mayEnd() async -> Bool {
        guard await readers.withLock({ $0 })() else {
            state.withLock { $0.readSince = nil }
            return true
        }
        let now = time.monotonic
        return state.withLock { state in
            let since = state.readSince ?? now
            state.readSince = since
            return now.duration(since: since) >= Self.readPatience
        }
    }

    private var goesOn: Bool { !Task.isCancelled && !isPaused }

    private func move(_ group: ClusterMap.Group) async {
        guard isKnownToAll(group) else { return }
        let rest = Rest()
        var last: MovingShard?
        while goesOn, let page = try? await metadata.movingShards(of: group.id, after: last, limit: Self.page),
            let end = page.last
        {
            last = end
            await SideBySide(
                concurrency: self.activity.isBusy ? 1 : Self.concurrency,
                batch: Self.page,
                patience: Self.patience,
                time: time,
                work: { await self.move($0.value, of: $0.key, after: rest) },
                settle: { await self.register($0) }
            ).run(Dictionary(grouping: page.map(\.shard), by: \.blob).sorted { $0.key < $1.key }) { goesOn }
        }
    }

    /// Shards of one blob that are whole at their new places, and do not count there yet.
    private struct Moved {
        var blob: BlobID
        var shards: [UInt8]
        var group: ClusterMap.Group
        /// Of each.
        var length: Int

        var new: [NewShard] {
            shards.map { NewShard(ShardID(blob: blob, index: $0), groupEpoch: group.epoch) }
        }
    }

    /// Until when the moves of a group make way.
    private final class Rest: Sendable {
        private let end = Mutex(MonotonicTime(nanoseconds: 0))
        var until: MonotonicTime { end.withLock { $0 } }
        func set(_ until: MonotonicTime) { end.withLock { $0 = until } }
    }

    private func move(_ shards: [ShardID], of id: BlobID, after rest: Rest) async -> Moved? {
        guard let charged = await wait(for: rest) else { return nil }
        let start = time.monotonic
        let moved = await move(shards, of: id)
        let took = time.monotonic.duration(since: start)
        // What is left of a rest that was too short to be taken is added.
        let left = rest.until.duration(since: start)
        rest.set(time.monotonic.advanced(by: min(left + took, Self.longestRest)))
        correct(charged, to: moved.map { $0.length * $0.shards.count } ?? 0)
        return moved
    }

    /// What goes wrong here is tried again in the next pass.
    private func move(_ shards: [ShardID], of id: BlobID) async -> Moved? {
        guard let blob = try? await metadata.blob(id), let group = blobs.view.group(blob.group) else { return nil }
        let wanted = shards.map(\.index).filter { blob.moving.contains($0) && group.former[$0] != nil }
        guard !wanted.isEmpty, isKnownToAll(group) else { return nil }
        let moved = await move(wanted, of: blob, in: group)
        if blobs.buggify.strikes(.moveCutShort) { return nil }
        let length = StripeGeometry(scheme: group.scheme, blobLength: blob.length).shardLength
        return Moved(blob: id, shards: moved, group: group, length: length)
    }

    /// From here on they count at their new places; where they were they are erased. Not so where the new disk has gone
    /// meanwhile: what is still good is not given up for it.
    private func register(_ moved: [Moved]) async {
        let moved = moved.map { blob in
            var blob = blob
            blob.shards = blob.shards.filter { blobs.view.isUsable(blob.group.members[Int($0)]) }
            return blob
        }
        let new = moved.flatMap(\.new)
        guard !new.isEmpty, let registered = try? await metadata.registerShards(new) else { return }
        let counting = moved.map { blob in
            var blob = blob
            blob.shards = blob.shards.filter { registered.contains(ShardID(blob: blob.blob, index: $0)) }
            return blob
        }
        await SideBySide(
            concurrency: Self.erasures,
            time: time,
            claims: { (blob: Moved) in [blob.blob] },
            work: { (blob: Moved) in await self.erase(blob) }
        ).run(counting)
        let bytes = counting.reduce(0) { $0 + $1.length * $1.shards.count }
        state.withLock { state in
            state.progress.note(shards: registered.count, bytes: bytes, now: time.monotonic)
        }
    }

    private func isKnownToAll(_ group: ClusterMap.Group) -> Bool {
        guard notice > .zero else { return true }
        let now = time.monotonic
        return state.withLock { state in
            if let known = state.known[group.id], known.epoch == group.epoch {
                return now.duration(since: known.since) >= notice
            }
            state.known[group.id] = (group.epoch, now)
            return false
        }
    }

    /// From where each lies; where that disk cannot be used, anew from the others, as if it were lost.
    private func move(_ shards: [UInt8], of blob: BlobRecord, in group: ClusterMap.Group) async -> [UInt8] {
        let holders = group.holders(moving: blob.moving)
        let there = shards.filter { blobs.view.isUsable(holders[Int($0)]) }
        let copied = await copy(there, of: blob, in: group)
        return await copied + makeAnew(shards.filter { !there.contains($0) }, of: blob, in: group)
    }

    private func copy(_ shards: [UInt8], of blob: BlobRecord, in group: ClusterMap.Group) async -> [UInt8] {
        let request = RepairRequest(blob, in: group, shards: shards)
        guard !shards.isEmpty, await pay(blobs.load(moving: request)), let outcome = try? await blobs.move(request)
        else { return [] }
        if !outcome.bad.isEmpty {
            let holders = group.holders(moving: blob.moving)
            await blobs.buggify.pause(.lookLate, time)
            try? await metadata.markMissing(
                outcome.bad.map { PlacedShard(ShardID(blob: blob.id, index: $0), on: holders[Int($0)]) }
            )
        }
        return outcome.moved
    }

    private func makeAnew(_ shards: [UInt8], of blob: BlobRecord, in group: ClusterMap.Group) async -> [UInt8] {
        let missing = (blob.missing + shards).sorted()
        let request = RepairRequest(blob, in: group, shards: shards, missing: missing)
        guard !shards.isEmpty, await pay(blobs.load(repairing: request)) else { return [] }
        return (try? await blobs.repair(request)) ?? []
    }

    /// Waits until the lines between sites have room for it: what disks may be asked for is the mover's own rate.
    private func pay(_ load: RepairLoad) async -> Bool {
        await budget.pay(for: load, isSparing: { false }, while: { self.goesOn })
    }

    /// What was moved goes where it was, unless something of its blob is still to be repaired or moved: then it is
    /// surplus, and left to who looks for that.
    private func erase(_ moved: Moved) async {
        guard !moved.shards.isEmpty, let blob = try? await metadata.blob(moved.blob), blob.missing.isEmpty,
            blob.moving.isEmpty
        else { return }
        let group = moved.group
        for shard in moved.shards {
            guard let disk = group.former[shard], disk != group.members[Int(shard)],
                blobs.view.isUsable(group.members[Int(shard)])
            else { continue }
            await blobs.buggify.pause(.moveErasesLate, time)
            try? await blobs.nodes.erase(ShardID(blob: moved.blob, index: shard), on: disk, asOf: group.epoch)
        }
    }

    /// Waits until what was moved is paid for and, while clients ask for something, the group has rested. Returns the
    /// bytes that the next blob is charged, so that those who wait go one after the other; nil when nothing goes on.
    private func wait(for rest: Rest) async -> Int? {
        while goesOn {
            let now = time.monotonic
            let resting = activity.isBusy ? max(rest.until, now) : now
            let (charged, until) = state.withLock { state -> (Int?, MonotonicTime) in
                let until = max(state.paidUntil, resting)
                guard until.duration(since: now) <= Self.shortestRest else { return (nil, until) }
                state.paidUntil = max(state.paidUntil, now).advanced(by: state.time(for: state.typicalBytes))
                return (state.typicalBytes, until)
            }
            if let charged { return charged }
            try? await time.sleep(for: min(until.duration(since: now), Self.look))
        }
        return nil
    }

    /// A blob that was charged as so many bytes had others.
    private func correct(_ charged: Int, to bytes: Int) {
        state.withLock { state in
            let paid = state.paidUntil.nanoseconds
            let (more, less) = (state.time(for: max(0, bytes - charged)), state.time(for: max(0, charged - bytes)))
            let corrected = paid &+ UInt64(more.nanoseconds)
            state.paidUntil = MonotonicTime(nanoseconds: corrected - min(corrected, UInt64(less.nanoseconds)))
            if bytes > 0 { state.typicalBytes = bytes }
        }
    }
}

/// What the mover has done since the program started.
package struct MoveProgress: Hashable, Sendable {
    package var isActive = false
    package var isPaused = false
    /// What is under way, or was last, are moves that were cancelled, going back.
    package var isCancelled = false
    package var shardsDone = 0
    package var bytesDone = 0
    /// What had been done when the moves under way, or the last ones, began.
    private var before = Work()
    private var areUnderWay = false
    private var pace = WorkPace()

    private struct Work: Hashable {
        var shards = 0
        var bytes = 0
    }

    package init() {}

    /// Of the moves under way; once they have ended, of these, until others begin.
    package var shardsOfMoves: Int { shardsDone - before.shards }
    package var bytesOfMoves: Int { bytesDone - before.bytes }

    /// Where none was under way, those that are now have only begun: the time between says nothing of their pace.
    package mutating func look(areUnderWay: Bool) {
        if areUnderWay, !self.areUnderWay {
            before = Work(shards: shardsDone, bytes: bytesDone)
            pace = WorkPace()
        }
        self.areUnderWay = areUnderWay
    }

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
