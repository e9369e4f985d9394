internal import DiskFormat
package import ObjectModel
internal import Synchronization
internal import SystemInterface

/// How far the verification of a disk has come.
struct ScrubState: Sendable {
    var verified = 0
    var passes = 0
}

/// What one pass over a disk showed.
package struct ScrubReport: Hashable, Sendable {
    package var shards = 0
    package var bytes = 0
    /// Shards that should be written anew from their peers.
    package var bad: [ShardID] = []
    /// Segments whose header, copy or footer was bad and has been written again.
    package var mendedSegments: [UInt64] = []

    package init() {}
}

extension ShardDisk {
    /// Verifies every shard and every segment once, at `rate` bytes a second at most, and calls `onBad` for each shard
    /// that is not good. Ends early, with what it has seen, when the task is cancelled or the disk closed.
    package func scrub(
        rate: Int,
        onBad: (ShardID) async -> Void = { _ in }
    ) async throws(ShardStorageError) -> ScrubReport {
        var report = ScrubReport()
        let start = time.monotonic
        state.withLock { $0.scrub.verified = 0 }
        var last: ShardID?
        while let entry = index.entries(after: last, limit: 1).first {
            last = entry.shard
            guard try await verify(entry, into: &report, onBad) else { continue }
            state.withLock { $0.scrub.verified += 1 }
            guard await pace(report.bytes, since: start, rate: rate) else { return report }
        }
        report.mendedSegments = try await mendSegments()
        state.withLock { $0.scrub.passes += 1 }
        return report
    }

    /// Writes headers, their copies and footers of segments again where they are not what they should be; returns which
    /// segments had such.
    package func mendSegments() async throws(ShardStorageError) -> [UInt64] {
        try state.withLock { state throws(ShardStorageError) in try state.checkWritable() }
        var mended: [UInt64] = []
        for segment in state.withLock({ $0.segments.keys.sorted() }) where try await mend(segment) {
            mended.append(segment)
        }
        return mended
    }

    /// False when the shard went away meanwhile.
    private func verify(
        _ entry: IndexEntry,
        into report: inout ScrubReport,
        _ onBad: (ShardID) async -> Void
    ) async throws(ShardStorageError) -> Bool {
        let result: VerifyResult
        do throws(ShardStorageError) {
            result = try await verify(entry.shard)
        } catch .notFound {
            return false
        }
        report.shards += 1
        report.bytes += entry.bodyLength
        if !result.isGood {
            report.bad.append(entry.shard)
            await onBad(entry.shard)
        }
        return true
    }

    /// Waits until `bytes` are allowed; false when cancelled.
    private func pace(_ bytes: Int, since start: MonotonicTime, rate: Int) async -> Bool {
        if Task.isCancelled { return false }
        let due = Duration.nanoseconds(Int64(Double(bytes) / Double(max(1, rate)) * 1e9))
        let elapsed = time.monotonic.duration(since: start)
        guard due > elapsed else { return true }
        do { try await time.sleep(for: due - elapsed) } catch { return false }
        return true
    }
}
