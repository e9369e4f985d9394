internal import BlobStorage
internal import ClusterProtocol
internal import Metadata
internal import ObjectInterface
internal import ObjectModel
internal import Placement
import Synchronization
internal import SystemInterface

/// The reading of one disk.
extension Scrubber {
    /// Blobs taken from the metadata in one go.
    private static let page = 256
    /// Shards, and bytes of them, that are read between two looks at the clock; fewer at a low rate, so that no wait is
    /// long and little is read twice after a crash.
    private static let stepShards = 64
    private static let stepBytes = 4 << 20
    private static let stepSeconds = 60
    /// How often a shard that gives no answer is asked for before the pass goes on without it.
    private static let tries = 3
    /// A disk's segments are mended no more often than this.
    private static let mendInterval = Duration.seconds(24 * 3_600)

    /// Works on the disk's pass until it has ended or may not go on.
    func work(on disk: DiskID) async {
        await walk(disk)
        state.withLock { state in
            state.working.remove(disk)
            state.rates[disk] = nil
        }
    }

    private func walk(_ disk: DiskID) async {
        let turn = state.withLock { $0.turns[disk, default: 0] }
        while goesOn(disk, turn) {
            let cursor = state.withLock { $0.record.disks[disk]?.pass?.cursor }
            // What fails here is tried again when the disk is looked at next.
            guard let page = try? await metadata.blobs(after: cursor, limit: Self.page) else { return }
            guard let end = page.last else { return await finish(disk, turn) }
            var shards: [ShardID] = []
            var bytes = 0
            let limit = rate(of: disk).map { min(Self.stepBytes, max(1, $0 &* Self.stepSeconds)) } ?? Self.stepBytes
            for blob in page {
                if let (shard, length) = shard(of: blob, on: disk) {
                    shards.append(shard)
                    bytes += length
                }
                guard shards.count >= Self.stepShards || bytes >= limit || blob.id == end.id else { continue }
                guard await step(shards, bytes, through: blob.id, on: disk, turn) else { return }
                (shards, bytes) = ([], 0)
            }
        }
    }

    /// Whether the disk's pass is still the one that was begun, and may be worked on.
    private func goesOn(_ disk: DiskID, _ turn: Int) -> Bool {
        blobs.view.isUsable(disk) && !Task.isCancelled
            && state.withLock { state in
                !state.record.isPaused && !state.record.pausedDisks.contains(disk)
                    && state.turns[disk, default: 0] == turn && state.record.disks[disk]?.pass != nil
            }
    }

    /// The shard of a blob that should be on the disk, and its length; nil for none, or one that is known to be
    /// missing.
    private func shard(of blob: BlobRecord, on disk: DiskID) -> (ShardID, length: Int)? {
        guard let group = blobs.view.group(blob.group),
            let index = group.holders(moving: blob.moving).firstIndex(of: disk),
            !blob.missing.contains(UInt8(index))
        else { return nil }
        let length = StripeGeometry(scheme: group.scheme, blobLength: blob.length).shardLength
        return (ShardID(blob: blob.id, index: UInt8(index)), length)
    }

    /// Reads some shards and moves the cursor behind them; false when the pass may not go on.
    private func step(_ shards: [ShardID], _ bytes: Int, through end: BlobID, on disk: DiskID, _ turn: Int) async
        -> Bool
    {
        let start = time.monotonic
        var step = ScrubWalk.Step(end: end, began: time.wall)
        (step.bytes, step.shards) = (bytes, shards.count)
        var suspects: [ShardID] = []
        for shard in shards {
            guard goesOn(disk, turn) else { return false }
            switch await patientlyVerify(shard, on: disk, turn) {
            case .good: break
            case .absent, .damaged: suspects.append(shard)
            case .silent: step.skipped += 1
            }
        }
        guard goesOn(disk, turn), let found = await note(suspects, on: disk) else { return false }
        (step.bad, step.absent) = (found.bad, found.absent)
        state.withLock { [step] state in
            guard state.turns[disk, default: 0] == turn else { return }
            state.record.disks[disk]?.advance(step, window: window)
            state.totals.shards += step.shards
            state.totals.bytes += step.bytes
            state.totals.bad += step.bad
            state.totals.absent += step.absent
            state.isChanged = true
        }
        await pace(bytes, since: start, rate: { rate(of: disk) }, goesOn: { goesOn(disk, turn) })
        return goesOn(disk, turn)
    }

    /// A node that is busy is not a shard that is bad.
    private func patientlyVerify(_ shard: ShardID, on disk: DiskID, _ turn: Int) async -> ShardVerdict {
        for _ in 1..<Self.tries {
            let verdict = await blobs.nodes.judge(shard, on: disk)
            guard verdict == .silent, goesOn(disk, turn) else { return verdict }
            guard (try? await time.sleep(for: settings.poll)) != nil else { return .silent }
        }
        return await blobs.nodes.judge(shard, on: disk)
    }

    /// Hands shards to repair that are still placed on the disk and, looked at once more, still bad; how many, and how
    /// many of them the disk does not have at all. Nil when that could not be noted.
    func note(_ suspects: [ShardID], on disk: DiskID) async -> (bad: Int, absent: Int)? {
        var bad: [ShardID] = []
        var absent = 0
        do {
            for shard in suspects {
                guard let blob = try await metadata.blob(shard.blob), let place = self.shard(of: blob, on: disk),
                    place.0 == shard
                else { continue }
                let verdict = await blobs.nodes.judge(shard, on: disk)
                guard verdict.isBad else { continue }
                bad.append(shard)
                absent += verdict == .absent ? 1 : 0
            }
            guard !bad.isEmpty else { return (0, 0) }
            let placed = bad.map { PlacedShard($0, on: disk) }
            try await metadata.markMissing(placed)
            await helpers.withLock { $0.found }(placed)
            return (placed.count, absent)
        } catch {
            return nil
        }
    }

    /// Bytes a second that the disk is read at now; nil for as many as it gives.
    private func rate(of disk: DiskID) -> Int? {
        let now = time.wall
        return state.withLock { state in
            guard let walk = state.record.disks[disk], walk.pass?.isUrgent == false else { return nil }
            let needed = walk.neededRate(live: state.live[disk] ?? 0, window: window, now: now)
            let rate = min(max(Int(min(needed, 1e12)), settings.minimumRate), settings.maximumRate)
            state.rates[disk] = rate
            return rate
        }
    }

    private func finish(_ disk: DiskID, _ turn: Int) async {
        let now = time.monotonic
        let isMendDue = state.withLock { state in
            let last = state.lastMended[disk]
            guard last.map({ now.duration(since: $0) >= Self.mendInterval }) ?? true else { return false }
            state.lastMended[disk] = now
            return true
        }
        if isMendDue { await helpers.withLock { $0.mend }(disk) }
        let wall = time.wall
        state.withLock { state in
            guard state.turns[disk, default: 0] == turn else { return }
            state.record.disks[disk]?.finish(now: wall)
            state.isSaveDue = true
        }
    }
}
