package import BlobStorage
internal import ClusterProtocol
package import Metadata
internal import ObjectInterface
internal import ObjectModel
internal import Placement
import Synchronization
package import SystemInterface

/// Compares what the disks say that they hold with what the metadata places there, once after a start.
///
/// A disk that was put back as it was last month, or has lost segments while nobody served it, is found within minutes,
/// and not when its shards are read: by its index alone, which is in memory. What is not there is looked at once more,
/// and noted missing.
package final class InventoryCheck: Sendable {
    /// Blobs compared in one go, and the pause behind.
    package static let batch = 1_024
    private static let pause = Duration.milliseconds(2)
    /// Shards that a disk is asked for in one go.
    private static let page = 4_096
    /// Until a pass that an error cut off is begun anew.
    private static let patience = Duration.seconds(5)

    private let metadata: any MetadataStore
    private let blobs: BlobStore
    private let time: any TimeSource
    private let batch: Int
    /// Groups of the blobs that were there; nil until all were seen.
    private let held = Mutex<Set<GroupID>?>(nil)

    /// `batch`: how many blobs are compared in one go.
    package init(
        metadata: any MetadataStore,
        blobs: BlobStore,
        time: any TimeSource,
        batch: Int = InventoryCheck.batch
    ) {
        self.metadata = metadata
        self.blobs = blobs
        self.time = time
        self.batch = batch
    }

    /// Whether all disks that answer have been compared since the start.
    package var isDone: Bool { heldGroups != nil }

    /// Groups that held a blob when the comparison came to its end; nil before.
    var heldGroups: Set<GroupID>? { held.withLock { $0 } }

    /// Tries until it has been done once.
    package func run() async {
        while !Task.isCancelled, !isDone {
            if await pass() { return }
            try? await time.sleep(for: Self.patience)
        }
    }

    /// One comparison of everything; false when it was cut off.
    @discardableResult
    package func pass() async -> Bool {
        var readers: [DiskID: InventoryReader] = [:]
        for disk in blobs.view.map.disks.keys where blobs.view.isUsable(disk) { readers[disk] = InventoryReader(disk) }
        var (last, groups): (BlobID?, Set<GroupID>) = (nil, [])
        while !Task.isCancelled, let batch = try? await metadata.blobs(after: last, limit: self.batch) {
            if let end = batch.last {
                last = end.id
                groups.formUnion(batch.map(\.group))
                await read(through: end.id, &readers)
                guard await note(lacking(batch, readers)) else { return false }
            }
            // Behind the last of them there is only what was written since the start: nobody waits for its end.
            guard batch.count == self.batch else {
                held.withLock { $0 = groups }
                return true
            }
            try? await time.sleep(for: Self.pause)
        }
        return false
    }

    /// All disks at the same time; one that does not answer is left out from here on.
    private func read(through blob: BlobID, _ readers: inout [DiskID: InventoryReader]) async {
        readers = await withTaskGroup(of: InventoryReader?.self) { group in
            for (_, reader) in readers.sorted(by: { $0.key < $1.key }) {
                group.addTask { [blobs] in await reader.reading(through: blob, limit: Self.page, from: blobs.nodes) }
            }
            return await group.reduce(into: [:]) { if let reader = $1 { $0[reader.disk] = reader } }
        }
    }

    private func lacking(_ batch: [BlobRecord], _ readers: [DiskID: InventoryReader]) -> [PlacedShard] {
        var lacking: [PlacedShard] = []
        for blob in batch {
            guard let group = blobs.view.group(blob.group) else { continue }
            for (index, disk) in group.holders(moving: blob.moving).enumerated() {
                let shard = ShardID(blob: blob.id, index: UInt8(index))
                guard !blob.missing.contains(shard.index), let reader = readers[disk], !reader.holds(shard) else {
                    continue
                }
                lacking.append(PlacedShard(shard, on: disk))
            }
        }
        return lacking
    }

    /// What lacks still, where it is placed now, is missing. False when the metadata does not answer.
    private func note(_ lacking: [PlacedShard]) async -> Bool {
        var bad: [PlacedShard] = []
        do {
            for placed in lacking {
                guard case .at(let disk) = try await metadata.place(of: placed.shard, in: blobs.view),
                    await blobs.nodes.judge(placed.shard, on: disk).isBad
                else { continue }
                bad.append(PlacedShard(placed.shard, on: disk))
            }
            guard !bad.isEmpty else { return true }
            await blobs.buggify.pause(.lookLate, time)
            try await metadata.markMissing(bad)
            return true
        } catch {
            return false
        }
    }
}

/// Where the comparison has come to on a disk.
private struct InventoryReader: Sendable {
    let disk: DiskID
    /// Read, in order, from the last batch on.
    private var shards: [ShardID] = []
    private var known: Set<ShardID> = []
    /// The last that was read.
    private var last: ShardID?
    /// Of `shards`, those that belong to blobs which have been compared.
    private var passed = 0

    init(_ disk: DiskID) { self.disk = disk }

    func holds(_ shard: ShardID) -> Bool { known.contains(shard) }

    /// Reads on until everything of the blobs up to this one is known; nil when the disk does not answer. What was
    /// written since the end of the disk was seen is read, too: a blob is only committed once its shards are there.
    func reading(through blob: BlobID, limit: Int, from nodes: NodeClient) async -> InventoryReader? {
        var reader = self
        reader.shards.removeFirst(reader.passed)
        var isAtEnd = false
        while !isAtEnd, reader.shards.last.map({ $0.blob <= blob }) ?? true {
            guard let page = try? await nodes.inventory(disk, after: reader.last, limit: limit) else { return nil }
            reader.shards += page.entries.map(\.shard)
            reader.last = page.entries.last?.shard ?? reader.last
            isAtEnd = page.isLast || page.entries.isEmpty
        }
        reader.known = Set(reader.shards)
        reader.passed = reader.shards.firstIndex { $0.blob > blob } ?? reader.shards.count
        return reader
    }
}
