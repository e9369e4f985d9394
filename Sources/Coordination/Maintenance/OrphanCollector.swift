package import BlobStorage
internal import ClusterProtocol
package import Metadata
package import ObjectInterface
internal import ObjectModel
internal import Placement
import Synchronization
package import SystemInterface

/// Erases what was inferred to be garbage: shards of blobs of ended leases that no metadata names (DESIGN §4, §8).
///
/// Only after the lease's end was durable, which made committing them impossible; only when a second look, a quarantine
/// later, finds the same; never while a disk of the store cannot be reached.
package final class OrphanCollector: Sendable {
    /// How long a suspected orphan is kept after it was first seen.
    package static let quarantine = Duration.seconds(3_600)
    package static let interval = Duration.seconds(600)
    private static let page = 1_024
    /// Suspects remembered at most; more wait for a later pass.
    private static let suspectLimit = 1 << 18

    private let metadata: any MetadataStore
    private let blobs: BlobStore
    private let time: any TimeSource
    private let quarantine: Duration
    private let suspects = Mutex<[BlobID: MonotonicTime]>([:])

    package init(
        metadata: any MetadataStore, blobs: BlobStore, time: any TimeSource,
        quarantine: Duration = OrphanCollector.quarantine
    ) {
        self.metadata = metadata
        self.blobs = blobs
        self.time = time
        self.quarantine = quarantine
    }

    package func run() async {
        while !Task.isCancelled {
            try? await time.sleep(for: Self.interval)
            _ = try? await pass()
        }
    }

    /// One look at all disks; returns how many shards were erased.
    package func pass() async throws(StorageError) -> Int {
        let disks = blobs.view.map.disks.keys.sorted()
        guard disks.allSatisfy(blobs.view.isUsable) else { return 0 }
        let active = Set(try await metadata.activeLeases().map(\.lease))
        var erased = 0
        var seen: Set<BlobID> = []
        for disk in disks {
            var last: ShardID?
            while let page = try? await blobs.nodes.inventory(disk, after: last, limit: Self.page) {
                var erasable: [ShardID] = []
                for entry in page.entries where !active.contains(entry.shard.blob.writeLease) {
                    guard try await isOrphan(entry.shard.blob) else { continue }
                    seen.insert(entry.shard.blob)
                    if isRipe(entry.shard.blob) { erasable.append(entry.shard) }
                }
                if !erasable.isEmpty, (try? await blobs.nodes.erase(disk, erasable)) != nil { erased += erasable.count }
                last = page.entries.last?.shard
                if page.isLast || last == nil { break }
            }
        }
        suspects.withLock { suspects in suspects = suspects.filter { seen.contains($0.key) } }
        return erased
    }

    /// Not live and not waiting for the garbage collector.
    private func isOrphan(_ blob: BlobID) async throws(StorageError) -> Bool {
        guard try await metadata.blob(blob) == nil else { return false }
        let before = blob.sequence > 0
            ? BlobID(incarnation: blob.incarnation, lease: blob.lease, sequence: blob.sequence - 1) : nil
        return try await metadata.deadBlobs(after: before, limit: 1).first?.id != blob
    }

    /// Seen as an orphan for the whole quarantine.
    private func isRipe(_ blob: BlobID) -> Bool {
        let now = time.monotonic
        return suspects.withLock { suspects in
            guard let since = suspects[blob] else {
                if suspects.count < Self.suspectLimit { suspects[blob] = now }
                return false
            }
            return now.duration(since: since) >= quarantine
        }
    }
}
