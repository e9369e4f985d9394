package import BlobStorage
package import Metadata
package import ObjectInterface
package import ObjectModel
internal import ObjectStorage
internal import Placement
package import SystemInterface

/// Erases the shards of blobs that committed deletes and overwrites have freed, once no reader holds them (DESIGN §8).
package final class GarbageCollector: Sendable {
    /// Dead blobs looked at in one go.
    package static let batch = 256
    /// How often dead blobs are looked for: what a client freed is reusable within about this time.
    package static let interval = Duration.milliseconds(500)
    private let metadata: any MetadataStore
    private let blobs: BlobStore
    private let held: @Sendable ([BlobID]) async -> Set<BlobID>
    private let time: any TimeSource
    package let trouble: WorkTrouble

    /// `held` gives the blobs among dead ones that some reader, of whatever gateway, may still want; it returns once
    /// all look-ups that began before have ended.
    package init(
        metadata: any MetadataStore,
        blobs: BlobStore,
        time: any TimeSource,
        held: @escaping @Sendable ([BlobID]) async -> Set<BlobID>
    ) {
        self.metadata = metadata
        self.blobs = blobs
        self.held = held
        self.time = time
        trouble = WorkTrouble(time: time)
    }

    /// Whether a reader may still want a dead blob of a group in which places are being moved. What is dead is not
    /// moved along: it is found where a place was before, for as long as the map says where that is.
    func isReadWhileMoved() async -> Bool {
        let moving = Set(blobs.view.map.groups.values.lazy.filter { !$0.former.isEmpty }.map(\.id))
        guard !moving.isEmpty else { return false }
        var last: BlobID?
        while let dead = try? await metadata.deadBlobs(after: last, limit: Self.batch), let end = dead.last {
            last = end.id
            let moved = dead.filter { moving.contains($0.group) }.map(\.id)
            if !moved.isEmpty, await !held(moved).isEmpty { return true }
        }
        return false
    }

    package func run() async {
        while !Task.isCancelled {
            await trouble.noting { try await pass() }
            try? await time.sleep(for: Self.interval)
        }
    }

    /// Erases what is dead now and not held. A disk that cannot be reached keeps its shard, an orphan from then on.
    package func pass() async throws(StorageError) {
        var last: BlobID?
        while !Task.isCancelled {
            let dead = try await metadata.deadBlobs(after: last, limit: Self.batch)
            guard let end = dead.last else { return }
            last = end.id
            let held = await held(dead.map(\.id))
            let free = dead.filter { !held.contains($0.id) }
            guard !free.isEmpty else { continue }
            await blobs.buggify.pause(.collectorLate, time)
            await erase(free)
            try await metadata.forgetBlobs(free.map(\.id))
        }
    }

    /// One call per disk for all the blobs of a batch.
    private func erase(_ dead: [BlobRecord]) async {
        var byDisk: [DiskID: [ShardID]] = [:]
        for blob in dead {
            guard let group = blobs.view.group(blob.group) else { continue }
            for (index, disk) in group.members.enumerated() {
                byDisk[disk, default: []].append(ShardID(blob: blob.id, index: UInt8(index)))
            }
            // While a place is moved the shard may be at either end, or at both.
            for (index, disk) in group.former.sorted(by: { $0.key < $1.key }) {
                byDisk[disk, default: []].append(ShardID(blob: blob.id, index: index))
            }
        }
        await withTaskGroup(of: Void.self) { group in
            for (disk, shards) in byDisk.sorted(by: { $0.key < $1.key }) {
                group.addTask { try? await self.blobs.nodes.erase(disk, shards) }
            }
        }
    }
}
