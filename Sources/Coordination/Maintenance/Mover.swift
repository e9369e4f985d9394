package import BlobStorage
package import Metadata
package import ObjectInterface
package import ObjectModel
internal import Placement
import Synchronization
package import SystemInterface

/// Moves shards to the disks that have taken over their places (DESIGN §8, rebalance and drain).
///
/// What is to be moved is in the metadata, so a restart goes on where this one ends. Each shard is copied, proved at
/// its new place, registered by a transaction that requires its blob live and its group unchanged, and only then erased
/// where it was: until that transaction the place before counts, after it the new one.
package final class Mover: Sendable {
    /// Blobs moved side by side: few, so that clients' requests find the disks free.
    package static let concurrency = 4
    /// Shards taken from the list in one go.
    private static let batch = 256
    /// How often the list is looked at when nothing wakes the mover.
    package static let interval = Duration.seconds(1)
    /// Bytes a second that are moved at most, in all, unless the operator says otherwise.
    package static let defaultRate = 200 << 20

    private struct State {
        var progress = MoveProgress()
        var isPaused = false
        var rate = Mover.defaultRate
        /// Since when the mover knows of a group's epoch, of groups whose places are being moved.
        var known: [GroupID: (epoch: UInt32, since: MonotonicTime)] = [:]
    }

    private let metadata: any MetadataStore
    private let blobs: BlobStore
    private let time: any TimeSource
    private let state = Mutex(State())
    private let endObserver = Mutex<(@Sendable () async -> Void)?>(nil)
    private let notice: Duration

    /// `notice`: how long after a move began its first shard goes, so that whoever reads knows both its places by then.
    package init(metadata: any MetadataStore, blobs: BlobStore, time: any TimeSource, notice: Duration = .zero) {
        self.metadata = metadata
        self.blobs = blobs
        self.time = time
        self.notice = notice
    }

    /// Called after the moves of some places have ended.
    func onEnd(_ observer: @escaping @Sendable () async -> Void) { endObserver.withLock { $0 = observer } }

    package var progress: MoveProgress { state.withLock { $0.progress } }

    /// Moves nothing until `resume`, or until the program starts again; what is being copied is finished.
    package func pause() { state.withLock { ($0.isPaused, $0.progress.isPaused) = (true, true) } }
    package func resume() { state.withLock { ($0.isPaused, $0.progress.isPaused) = (false, false) } }
    /// Bytes a second from now on.
    package func setRate(_ rate: Int) { state.withLock { $0.rate = max(1, rate) } }

    package var rate: Int { state.withLock { $0.rate } }

    private var isPaused: Bool { state.withLock { $0.isPaused } }

    /// Moves until cancelled.
    package func run() async {
        while !Task.isCancelled {
            await pass()
            try? await time.sleep(for: Self.interval)
        }
    }

    /// Moves what can be moved now.
    package func pass() async {
        guard let left = try? await metadata.statistics().movingShards else { return }
        state.withLock { $0.progress.isActive = left > 0 && !$0.isPaused }
        var last: MovingShard?
        while !Task.isCancelled, !isPaused,
            let batch = try? await metadata.movingShards(after: last, limit: Self.batch), let end = batch.last
        {
            last = end
            await move(batch)
        }
        state.withLock { $0.progress.isActive = false }
        if let ended = try? await metadata.endMoves(), ended > 0 { await endObserver.withLock { $0 }?() }
    }

    private func move(_ batch: [MovingShard]) async {
        let shards = Dictionary(grouping: batch.map(\.shard), by: \.blob)
        await withTaskGroup(of: Void.self) { group in
            var waiting = shards.sorted { $0.key < $1.key }[...]
            for (blob, shards) in waiting.prefix(Self.concurrency) {
                group.addTask { await self.move(shards, of: blob) }
            }
            waiting = waiting.dropFirst(Self.concurrency)
            while await group.next() != nil {
                guard !Task.isCancelled, !isPaused, let (blob, shards) = waiting.popFirst() else { continue }
                group.addTask { await self.move(shards, of: blob) }
            }
        }
    }

    /// What goes wrong here is tried again in the next pass.
    private func move(_ shards: [ShardID], of id: BlobID) async {
        let start = time.monotonic
        guard let blob = try? await metadata.blob(id), let group = blobs.view.group(blob.group) else { return }
        let wanted = shards.map(\.index).filter { blob.moving.contains($0) && group.former[$0] != nil }
        guard !wanted.isEmpty, isKnownToAll(group, now: start) else { return }
        let moved = await move(wanted, of: blob, in: group)
        if blobs.buggify.strikes(.moveCutShort) { return }
        var registered: [UInt8] = []
        for shard in moved {
            let id = ShardID(blob: id, index: shard)
            guard (try? await metadata.registerShard(id, groupEpoch: group.epoch)) == true else { continue }
            registered.append(shard)
        }
        await erase(registered, of: id, in: group)
        let length = StripeGeometry(scheme: group.scheme, blobLength: blob.length).shardLength * registered.count
        state.withLock { state in
            state.progress.note(shards: registered.count, bytes: length, now: time.monotonic)
        }
        await pace(length, since: start)
    }

    private func isKnownToAll(_ group: ClusterMap.Group, now: MonotonicTime) -> Bool {
        guard notice > .zero else { return true }
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
        let away = shards.filter { !there.contains($0) }
        var done: [UInt8] = []
        if !there.isEmpty, let outcome = try? await blobs.move(request(blob, group, there, missing: blob.missing)) {
            done += outcome.moved
            if !outcome.bad.isEmpty {
                await blobs.buggify.pause(.lookLate, time)
                try? await metadata.markMissing(
                    outcome.bad.map { PlacedShard(ShardID(blob: blob.id, index: $0), on: holders[Int($0)]) }
                )
            }
        }
        if !away.isEmpty {
            let missing = (blob.missing + away).sorted()
            done += (try? await blobs.repair(request(blob, group, away, missing: missing))) ?? []
        }
        return done
    }

    private func request(
        _ blob: BlobRecord,
        _ group: ClusterMap.Group,
        _ shards: [UInt8],
        missing: [UInt8]
    ) -> RepairRequest {
        let location = BlobLocation(
            blob: blob.id,
            length: blob.length,
            group: group,
            missing: missing,
            moving: blob.moving
        )
        return RepairRequest(
            location: location,
            group: group,
            frames: blob.frames,
            ingestDigest: blob.ingestDigest,
            shards: shards
        )
    }

    /// What was moved goes where it was, unless something of its blob is still to be repaired or moved: then it is
    /// surplus, and left to who looks for that.
    private func erase(_ shards: [UInt8], of id: BlobID, in group: ClusterMap.Group) async {
        guard !shards.isEmpty, let blob = try? await metadata.blob(id), blob.missing.isEmpty, blob.moving.isEmpty else {
            return
        }
        for shard in shards {
            guard let disk = group.former[shard], disk != group.members[Int(shard)] else { continue }
            await blobs.buggify.pause(.moveErasesLate, time)
            try? await blobs.nodes.erase(ShardID(blob: id, index: shard), on: disk, asOf: group.epoch)
        }
    }

    /// Waits until so many bytes are allowed, `concurrency` blobs being moved at a time.
    private func pace(_ bytes: Int, since start: MonotonicTime) async {
        let rate = state.withLock { $0.rate }
        let seconds = Double(bytes) * Double(Self.concurrency) / Double(rate)
        let rest = Duration.milliseconds(Int64(seconds * 1_000)) - time.monotonic.duration(since: start)
        if rest > .zero { try? await time.sleep(for: rest) }
    }
}

/// What the mover has done since the program started.
package struct MoveProgress: Hashable, Sendable {
    package var isActive = false
    package var isPaused = false
    package var shardsDone = 0
    package var bytesDone = 0
    private var pace = WorkPace()

    package init() {}

    mutating func note(shards: Int, bytes: Int, now: MonotonicTime) {
        shardsDone += shards
        bytesDone += bytes
        pace.note(shards, now: now)
    }

    /// How long so many shards take at the pace of late; nil while that is not known.
    package func secondsLeft(for shards: Int) -> Int? { pace.secondsLeft(for: shards) }
}
