package import BlobStorage
internal import ClusterProtocol
package import Metadata
internal import ObjectInterface
package import ObjectModel
internal import Placement
import Synchronization
package import SystemInterface

/// Scrub: reads every shard that metadata names and compares it with its checksums and digest (DESIGN §8).
///
/// Independent of repair: what it counts is what the disks hold, by reading it. A bad or lost shard is noted missing,
/// which hands it to repair.
package final class Verifier: Sendable {
    /// Blobs taken from the metadata in one go.
    package static let batch = 256
    /// Blobs read between two waits of a pass that has a rate: so few that no disk is busy for long.
    private static let pacedBatch = 4
    /// Every byte is verified within this time: a pass begins this long after the one before began.
    package static let period = Duration.seconds(14 * 24 * 3_600)
    /// Bytes a second and disk that a pass which only its date asked for reads at most: a disk of 18 TiB within
    /// `period`, and a tenth of what a slow disk can do. One that somebody waits for goes as fast as the disks.
    package static let defaultRate = 16 << 20
    /// Shards that are counted again one by one; for more than this a pass over everything is asked for.
    package static let recountLimit = 65_536
    /// How often it is looked whether a pass is due or asked for.
    private static let poll = Duration.milliseconds(200)

    private struct State {
        var report = VerificationReport()
        var isWanted = false
        var lastStart: MonotonicTime?
        /// Shards that the last pass did not find good; nil when they are too many to remember.
        var lacking: Set<ShardID>? = []
        /// Shards that were put back since; nil when no recount is asked for.
        var restored: Set<ShardID>?
    }

    private let metadata: any MetadataStore
    private let blobs: BlobStore
    private let time: any TimeSource
    private let rate: Int
    private let state = Mutex(State())
    private let passObserver = Mutex<(@Sendable () async -> Int)?>(nil)

    package init(
        metadata: any MetadataStore,
        blobs: BlobStore,
        time: any TimeSource,
        rate: Int = Verifier.defaultRate
    ) {
        self.metadata = metadata
        self.blobs = blobs
        self.time = time
        self.rate = max(1, rate)
    }

    package var report: VerificationReport { state.withLock { $0.report } }

    /// Called in every pass: has the disks look at what no shard covers, and returns how many segments were mended.
    package func onPass(_ observer: @escaping @Sendable () async -> Int) { passObserver.withLock { $0 = observer } }

    /// Asks for a pass over everything; one under way starts over, so that all is read after this call.
    package func request() {
        state.withLock { state in
            state.isWanted = true
            state.report.isRunning = true
            state.report.isCurrent = false
        }
    }

    /// Asks for a count of the shards that were put back, and of those that the last pass did not find good.
    package func request(recounting restored: Set<ShardID>?) {
        let isSmall = state.withLock { state in
            let all = (state.restored ?? []).union(restored ?? [])
            guard restored != nil, state.lacking != nil, all.count <= Self.recountLimit else { return false }
            state.restored = all
            state.report.isCurrent = false
            return true
        }
        if !isSmall { request() }
    }

    package func run() async {
        state.withLock { $0.lastStart = time.monotonic }
        while !Task.isCancelled {
            let (isWanted, isDue) = state.withLock { state in
                let age = state.lastStart.map { time.monotonic.duration(since: $0) } ?? Self.period
                return (state.isWanted, age >= Self.period)
            }
            if isWanted || isDue {
                await pass(rate: isWanted ? nil : rate)
            } else if let restored = state.withLock({ $0.restored }) {
                await recount(restored)
            }
            try? await time.sleep(for: Self.poll)
        }
    }

    /// One pass over all live blobs, at `rate` bytes a second and disk at most.
    package func pass(rate: Int? = nil) async {
        state.withLock { state in
            state.isWanted = false
            state.lastStart = time.monotonic
            state.report = VerificationReport(isRunning: true, started: time.wall)
            state.lacking = []
        }
        var last: BlobID?
        while !Task.isCancelled, !state.withLock({ $0.isWanted }) {
            guard let batch = try? await metadata.blobs(after: last, limit: Self.batch), let end = batch.last else {
                break
            }
            last = end.id
            guard let rate else {
                _ = await verify(batch[...])
                continue
            }
            for first in stride(from: 0, to: batch.count, by: Self.pacedBatch) {
                let start = time.monotonic
                let bytes = await verify(batch[first..<min(first + Self.pacedBatch, batch.count)])
                await pace(bytes, since: start, rate: rate)
            }
        }
        let mended = await passObserver.withLock { $0 }?() ?? 0
        state.withLock { state in
            state.report.isRunning = state.isWanted
            state.report.segmentsMended = mended
            guard !state.isWanted, !Task.isCancelled else { return }
            state.report.finished = time.wall
            state.report.isCurrent = state.restored == nil
        }
    }

    /// Counts what was not good, or has been put back, again: what was good stays counted, so that the repair of one
    /// shard does not cost the reading of all.
    private func recount(_ restored: Set<ShardID>) async {
        let shards = state.withLock { ($0.lacking ?? []).union(restored) }.sorted()
        for start in stride(from: 0, to: shards.count, by: Self.batch) {
            guard !Task.isCancelled, !state.withLock({ $0.isWanted }) else { return }
            await recount(shards[start..<min(start + Self.batch, shards.count)])
        }
        state.withLock { state in
            if state.restored == restored { state.restored = nil }
            state.report.isCurrent = state.restored == nil && !state.isWanted && state.report.finished != nil
        }
    }

    private func recount(_ shards: ArraySlice<ShardID>) async {
        var byDisk: [DiskID: [ShardID]] = [:]
        var gone: [ShardID] = []
        for shard in shards {
            do {
                guard let blob = try await metadata.blob(shard.blob), let group = blobs.view.group(blob.group) else {
                    gone.append(shard)
                    continue
                }
                guard Int(shard.index) < group.members.count, !blob.missing.contains(shard.index) else { continue }
                byDisk[group.holders(moving: blob.moving)[Int(shard.index)], default: []].append(shard)
            } catch {
                return
            }
        }
        let results = await verify(byDisk)
        let bad = results.filter { $0.1 == .bad }.map(\.0).sorted()
        if !bad.isEmpty { await note(bad) }
        state.withLock { state in
            for shard in gone where state.lacking?.remove(shard) != nil { state.report.shardsExpected -= 1 }
            for (shard, verdict) in results where verdict == .good && state.lacking?.remove(shard) != nil {
                state.report.shardsPresent += 1
                state.report.shardsVerified += 1
            }
        }
    }

    /// Waits until so many bytes of the busiest disk are allowed, or somebody asks for a pass that does not wait.
    private func pace(_ bytes: Int, since start: MonotonicTime, rate: Int) async {
        let due = start.advanced(by: .milliseconds(Int64(Double(bytes) / Double(rate) * 1_000)))
        while time.monotonic < due, !Task.isCancelled, !state.withLock({ $0.isWanted }) {
            let rest = due.duration(since: time.monotonic)
            guard (try? await time.sleep(for: min(rest, Self.poll))) != nil else { return }
        }
    }

    /// Returns how many bytes the disk that had most of them to read was asked for.
    private func verify(_ batch: ArraySlice<BlobRecord>) async -> Int {
        var read: [DiskID: Int] = [:]
        var byDisk: [DiskID: [ShardID]] = [:]
        var lacking: Set<ShardID> = []
        var expected = 0
        for blob in batch {
            guard let group = blobs.view.group(blob.group) else { continue }
            expected += group.members.count
            let shardLength = StripeGeometry(scheme: group.scheme, blobLength: blob.length).shardLength
            for (index, disk) in group.holders(moving: blob.moving).enumerated() {
                let shard = ShardID(blob: blob.id, index: UInt8(index))
                if blob.missing.contains(shard.index) {
                    lacking.insert(shard)
                } else {
                    byDisk[disk, default: []].append(shard)
                    read[disk, default: 0] += shardLength
                }
            }
        }
        let results = await verify(byDisk)
        let bad = results.filter { $0.1 == .bad }.map(\.0).sorted()
        if !bad.isEmpty { await note(bad) }
        lacking.formUnion(results.lazy.filter { $0.1 != .good }.map(\.0))
        state.withLock { state in
            state.report.shardsExpected += expected
            state.report.shardsPresent += results.count { $0.1 != .unreachable } - bad.count
            state.report.shardsVerified += results.count { $0.1 == .good }
            state.report.shardsBad += bad.count
            state.lacking?.formUnion(lacking)
            if let all = state.lacking, all.count > Self.recountLimit { state.lacking = nil }
        }
        return read.values.max() ?? 0
    }

    /// What is bad is looked at once more: a read may have met it too, and repair have put it back meanwhile.
    private func verify(_ byDisk: [DiskID: [ShardID]]) async -> [(ShardID, ShardVerdict)] {
        let results = await look(byDisk)
        let bad = Set(results.lazy.filter { $0.1 == .bad }.map(\.0))
        guard !bad.isEmpty else { return results }
        return results.filter { $0.1 != .bad } + (await look(byDisk.mapValues { $0.filter(bad.contains) }))
    }

    /// All disks at the same time, each shard after shard.
    private func look(_ byDisk: [DiskID: [ShardID]]) async -> [(ShardID, ShardVerdict)] {
        await withTaskGroup(of: [(ShardID, ShardVerdict)].self) { group in
            for (disk, shards) in byDisk.sorted(by: { $0.key < $1.key }) {
                group.addTask { await self.verify(shards, on: disk) }
            }
            return await group.reduce(into: []) { $0 += $1 }
        }
    }

    private enum ShardVerdict { case good, bad, unreachable }

    private func verify(_ shards: [ShardID], on disk: DiskID) async -> [(ShardID, ShardVerdict)] {
        var results: [(ShardID, ShardVerdict)] = []
        for shard in shards where !Task.isCancelled {
            do {
                results.append((shard, try await blobs.nodes.verify(disk, shard) ? .good : .bad))
            } catch {
                results.append((shard, error == .notFound || error == .corrupt ? .bad : .unreachable))
            }
        }
        return results
    }

    /// A blob may have been deleted while it was read: only what is still live and named there is missing.
    private func note(_ bad: [ShardID]) async {
        try? await metadata.markMissing(bad)
    }
}

/// What the last or current pass has counted.
package struct VerificationReport: Hashable, Sendable {
    /// A pass is under way, or asked for.
    package var isRunning: Bool
    /// The pass has ended and no newer one has been asked for since.
    package var isCurrent = false
    package var started: WallTime?
    package var finished: WallTime?
    /// k+m for each live blob.
    package var shardsExpected = 0
    package var shardsPresent = 0
    package var shardsVerified = 0
    package var shardsBad = 0
    /// Segments whose header, copy or footer was bad and has been written again.
    package var segmentsMended = 0

    package init(isRunning: Bool = false, started: WallTime? = nil) {
        self.isRunning = isRunning
        self.started = started
    }
}
