internal import BlobStorage
package import ObjectModel
import Synchronization
package import SystemInterface

/// The scrub at one moment.
package struct ScrubStatus: Sendable {
    /// One disk, or all stripes.
    package struct Walk: Hashable, Sendable {
        /// Seconds since the bytes were read that have not been read for longest.
        package var oldestSeconds: Int
        /// Nil while no pass is under way.
        package var started: WallTime?
        package var bytesDone: Int
        /// Of the whole walk, as the disks last said.
        package var bytes: Int
        /// Bytes a second, while it is slowed.
        package var rate: Int?
        package var isPaused: Bool
        /// Somebody asked for it.
        package var isUrgent: Bool
        /// A pass is under way and its disk does not answer.
        package var isWaiting: Bool
        /// Shards that the pass under way found bad, and could not read.
        package var bad: Int
        /// Of the bad ones, those that the disk does not have at all.
        package var absent: Int
        package var skipped: Int
        package var lastEnded: WallTime?
    }

    package var isPaused: Bool
    package var settings: ScrubSettings
    package var disks: [DiskID: Walk]
    package var stripes: Walk
    package var bucket: ScrubRecord.BucketJob?
    package var totals: ScrubTotals
    /// Blobs whose bytes are not those that came in, or that could not be written anew.
    package var damaged: [BlobID]
    /// Why the position is not kept; empty when it is.
    package var problem: String

    /// Of all disks; 0 without any.
    package var oldestSeconds: Int { disks.values.map(\.oldestSeconds).max() ?? 0 }
}

extension Scrubber {
    /// Tasks that read just now.
    package var workerCount: Int {
        state.withLock { $0.working.count + ($0.isCheckingStripes ? 1 : 0) + ($0.isReadingBucket ? 1 : 0) }
    }

    package var status: ScrubStatus {
        let now = time.wall
        return state.withLock { state in
            let record = state.record
            let disks = record.disks.map { disk, walk in
                let isPaused = record.isPaused || record.pausedDisks.contains(disk)
                var one = Self.walk(walk, live: state.live[disk] ?? 0, isPaused: isPaused, now: now)
                one.isWaiting = walk.pass != nil && !blobs.view.isUsable(disk)
                one.rate = state.rates[disk]
                return (disk, one)
            }
            let live = state.live.values.reduce(0, +)
            let stripes = record.stripes ?? ScrubWalk(joined: now)
            return ScrubStatus(
                isPaused: record.isPaused,
                settings: settings,
                disks: Dictionary(disks, uniquingKeysWith: { first, _ in first }),
                stripes: Self.walk(stripes, live: live, isPaused: record.isPaused, now: now),
                bucket: record.bucket,
                totals: state.totals,
                damaged: state.damaged.sorted(),
                problem: state.problem
            )
        }
    }

    private static func walk(_ walk: ScrubWalk, live: Int, isPaused: Bool, now: WallTime) -> ScrubStatus.Walk {
        ScrubStatus.Walk(
            oldestSeconds: Int(now.seconds(since: walk.oldest)),
            started: walk.pass?.started,
            bytesDone: walk.pass?.bytes ?? 0,
            bytes: live,
            rate: nil,
            isPaused: isPaused,
            isUrgent: walk.pass?.isUrgent ?? false,
            isWaiting: false,
            bad: walk.pass?.bad ?? 0,
            absent: walk.pass?.absent ?? 0,
            skipped: walk.pass?.skipped ?? 0,
            lastEnded: walk.lastEnded
        )
    }
}
