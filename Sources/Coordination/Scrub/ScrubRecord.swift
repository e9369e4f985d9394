package import ObjectModel
package import SystemInterface

/// All that the scrub keeps over a restart. Advice only: without it everything counts as read when it was first seen
/// again, and is read once more.
package struct ScrubRecord: Hashable, Sendable {
    /// A bucket that is being read because somebody asked for it.
    package struct BucketJob: Hashable, Sendable {
        package var bucket: String
        /// The last key that is done; empty at the beginning.
        package var after = ""
        package var started: WallTime
        package var objects = 0
        package var shards = 0
        package var bad = 0
        /// Of those, shards that their disks do not have at all.
        package var absent = 0
        package var skipped = 0
        package var ended: WallTime?

        package init(bucket: String, started: WallTime) {
            self.bucket = bucket
            self.started = started
        }
    }

    /// Nothing is read but what a repair or an operator waits for.
    package var isPaused = false
    package var pausedDisks: Set<DiskID> = []
    package var disks: [DiskID: ScrubWalk] = [:]
    /// Nil until the first start.
    package var stripes: ScrubWalk?
    /// The one under way, or the last.
    package var bucket: BucketJob?

    package init() {}
}
