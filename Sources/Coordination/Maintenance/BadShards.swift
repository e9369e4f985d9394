package import Metadata
package import ObjectModel
import Synchronization
package import SystemInterface

/// On which disks shards were found bad or lost by reading them: once repair has made them anew, nothing else knows.
///
/// Counted, and told of each disk once a minute at most, so that a disk that rots does not fill the log.
package final class BadShards: Sendable {
    /// Between two events of one disk.
    package static let interval = Duration.seconds(60)

    private struct Entry {
        /// Since the start.
        var count = 0
        /// Of those, not told yet.
        var untold = 0
        /// Of the last one.
        var blob: BlobID
        var told: MonotonicTime?

        func isDue(_ now: MonotonicTime) -> Bool {
            untold > 0 && (told.map { now.duration(since: $0) >= BadShards.interval } ?? true)
        }
    }

    private let metadata: any MetadataStore
    private let events: StoreEvents
    private let time: any TimeSource
    private let entries = Mutex<[DiskID: Entry]>([:])

    package init(metadata: any MetadataStore, events: StoreEvents, time: any TimeSource) {
        self.metadata = metadata
        self.events = events
        self.time = time
    }

    /// Since the start.
    package func count(on disk: DiskID) -> Int { entries.withLock { $0[disk]?.count ?? 0 } }

    /// Shards that have just been noted missing because they were read.
    package func note(_ shards: [PlacedShard]) async {
        guard !shards.isEmpty else { return }
        entries.withLock { entries in
            for placed in shards {
                var entry = entries[placed.disk] ?? Entry(blob: placed.shard.blob)
                entry.count += 1
                entry.untold += 1
                entry.blob = placed.shard.blob
                entries[placed.disk] = entry
            }
        }
        await tell()
    }

    /// Tells of the disks for which that is due. To be called now and then: what is found within a minute of an event
    /// waits for the next.
    package func tell() async {
        let now = time.monotonic
        guard entries.withLock({ $0.values.contains { $0.isDue(now) } }), let records = try? await metadata.disks()
        else { return }
        for event in takeDue(now, of: records) { events.note(event) }
    }

    private func takeDue(_ now: MonotonicTime, of records: [DiskRecord]) -> [StoreEvent] {
        entries.withLock { entries in
            var due: [StoreEvent] = []
            for record in records {
                guard let entry = entries[record.id], entry.isDue(now) else { continue }
                due.append(
                    .shardsBad(
                        StoreEvent.DiskName(record),
                        site: record.site,
                        id: record.id,
                        blob: entry.blob,
                        count: entry.untold
                    )
                )
                entries[record.id]?.untold = 0
                entries[record.id]?.told = now
            }
            return due
        }
    }
}
