package import BlobStorage
internal import ClusterProtocol
package import Metadata
internal import ObjectInterface
internal import ObjectModel
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
    /// Every byte is verified within this time: a pass begins this long after the one before began.
    package static let period = Duration.seconds(14 * 24 * 3_600)
    /// How often it is looked whether a pass is due or asked for.
    private static let poll = Duration.milliseconds(200)

    private struct State {
        var report = VerificationReport()
        var isWanted = false
        var lastStart: MonotonicTime?
    }

    private let metadata: any MetadataStore
    private let blobs: BlobStore
    private let time: any TimeSource
    private let state = Mutex(State())

    package init(metadata: any MetadataStore, blobs: BlobStore, time: any TimeSource) {
        self.metadata = metadata
        self.blobs = blobs
        self.time = time
    }

    package var report: VerificationReport { state.withLock { $0.report } }

    /// Asks for a pass over everything; one under way starts over, so that all is read after this call.
    package func request() {
        state.withLock { state in
            state.isWanted = true
            state.report.isCurrent = false
        }
    }

    package func run() async {
        state.withLock { $0.lastStart = time.monotonic }
        while !Task.isCancelled {
            let isDue = state.withLock { state in
                let age = state.lastStart.map { time.monotonic.duration(since: $0) } ?? Self.period
                return state.isWanted || age >= Self.period
            }
            if isDue { await pass() }
            try? await time.sleep(for: Self.poll)
        }
    }

    /// One pass over all live blobs.
    package func pass() async {
        state.withLock { state in
            state.isWanted = false
            state.lastStart = time.monotonic
            state.report = VerificationReport(isRunning: true, started: time.wall)
        }
        var last: BlobID?
        while !Task.isCancelled, !state.withLock({ $0.isWanted }) {
            guard let batch = try? await metadata.blobs(after: last, limit: Self.batch), let end = batch.last else {
                break
            }
            last = end.id
            await verify(batch)
        }
        state.withLock { state in
            state.report.isRunning = false
            guard !state.isWanted, !Task.isCancelled else { return }
            state.report.finished = time.wall
            state.report.isCurrent = true
        }
    }

    private func verify(_ batch: [BlobRecord]) async {
        var byDisk: [DiskID: [ShardID]] = [:]
        var expected = 0
        for blob in batch {
            guard let group = blobs.view.group(blob.group) else { continue }
            expected += group.members.count
            for (index, disk) in group.members.enumerated() where !blob.missing.contains(UInt8(index)) {
                byDisk[disk, default: []].append(ShardID(blob: blob.id, index: UInt8(index)))
            }
        }
        let results = await withTaskGroup(of: [(ShardID, ShardVerdict)].self) { group in
            for (disk, shards) in byDisk.sorted(by: { $0.key < $1.key }) {
                group.addTask { await self.verify(shards, on: disk) }
            }
            return await group.reduce(into: []) { $0 += $1 }
        }
        let bad = results.filter { $0.1 == .bad }.map(\.0).sorted()
        if !bad.isEmpty { await note(bad) }
        state.withLock { state in
            state.report.shardsExpected += expected
            state.report.shardsPresent += results.count { $0.1 != .unreachable } - bad.count
            state.report.shardsVerified += results.count { $0.1 == .good }
            state.report.shardsBad += bad.count
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

    package init(isRunning: Bool = false, started: WallTime? = nil) {
        self.isRunning = isRunning
        self.started = started
    }
}
