internal import BlobStorage
internal import ClusterProtocol
package import Coordination
internal import DiskFormat
package import Metadata
package import ObjectModel
internal import Placement
package import SystemInterface

/// A new metadata database from what a cluster's nodes hold: what a coordinator that takes over begins with (DESIGN
/// §7).
///
/// Changes nothing on any disk. May be run again after whatever interruption.
package struct ClusterRebuild: Sendable {
    package var nodes: [NodeMember]
    package var cluster: ClusterID
    package var transport: any Transport
    /// The operator's word to go on with fewer journal keepers than an acknowledgement needed.
    package var isForced: Bool
    package var buggify: Buggify

    package init(
        nodes: [NodeMember],
        cluster: ClusterID,
        transport: any Transport,
        isForced: Bool,
        buggify: Buggify = .never
    ) {
        self.nodes = nodes
        self.cluster = cluster
        self.transport = transport
        self.isForced = isForced
        self.buggify = buggify
    }

    /// `open` opens or makes the database, only once a journal has been found.
    package func run(
        time: any TimeSource,
        random: any RandomSource,
        open: (any JournalWriter) async throws -> any ReplicatedMetadata
    ) async throws(RecoveryError) -> ReplayReport {
        let disks = await ClusterDisks.open(
            of: cluster,
            on: nodes,
            transport: transport,
            time: time,
            random: random
        )
        guard !disks.keepers.isEmpty else { throw .noJournal }
        let replay = MetadataReplay(
            keepers: disks.keepers,
            checkpoints: RemoteCheckpointBlobs(disks: disks, contents: BlobContents(store: disks.blobs)),
            isForced: isForced,
            buggify: buggify
        )
        do {
            return try await replay.run(into: try await open(ReadOnlyJournal()))
        } catch let error as RecoveryError {
            throw error
        } catch {
            throw .metadata("\(error)")
        }
    }
}

/// Reads a checkpoint's blobs from nodes, wherever their shards lie: there is no metadata yet that would say.
struct RemoteCheckpointBlobs: CheckpointStore {
    let disks: ClusterDisks
    let contents: BlobContents

    func read(_ reference: [UInt8]) async throws -> [UInt8] {
        guard let id = CheckpointBlobReference.decode(reference) else {
            throw RecoveryError.checkpoint("a reference of \(reference.count) bytes names no blob")
        }
        guard let blob = await find(id) else {
            throw RecoveryError.checkpoint("no shard of its blob \(id) is on the nodes that answer")
        }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(blob.logicalLength)
        try await contents.read(blob, range: 0..<blob.logicalLength) { bytes.append(contentsOf: $0) }
        return bytes
    }

    private struct Holder: Sendable {
        var disk: DiskID
        var shard: ShardID
        var header: ShardHeader
        var trailer: ShardTrailer
    }

    /// The blob as most of its trailers describe it.
    private func find(_ id: BlobID) async -> FoundBlob? {
        let holders = await holders(of: id)
        let counts = Dictionary(grouping: holders) { $0.trailer.ingestDigest }
        guard let best = counts.values.max(by: { $0.count < $1.count })?.first else { return nil }
        let scheme = best.header.scheme
        var places: [[DiskID]] = Array(repeating: [], count: scheme.shardCount)
        for holder in holders.sorted(by: { $0.disk < $1.disk })
        where holder.trailer.ingestDigest == best.trailer.ingestDigest && Int(holder.shard.index) < places.count {
            places[Int(holder.shard.index)].append(holder.disk)
        }
        return FoundBlob(
            id: id,
            scheme: scheme,
            length: best.trailer.blobLength,
            frames: best.trailer.frames,
            ingestDigest: best.trailer.ingestDigest,
            holders: places
        )
    }

    private func holders(of id: BlobID) async -> [Holder] {
        await withTaskGroup(of: [Holder].self) { group in
            for disk in disks.blobs.view.map.disks.keys.sorted() {
                group.addTask { await holders(of: id, on: disk) }
            }
            return await group.reduce(into: []) { $0 += $1 }
        }
    }

    private func holders(of id: BlobID, on disk: DiskID) async -> [Holder] {
        let nodes = disks.blobs.nodes
        let before = ShardID(
            blob: BlobID(incarnation: id.incarnation, lease: id.lease, sequence: id.sequence &- 1),
            index: UInt8.max
        )
        let limit = Scheme.maximumShardCount
        guard let (entries, _) = try? await nodes.inventory(disk, after: before, limit: limit) else { return [] }
        var holders: [Holder] = []
        for entry in entries where entry.shard.blob == id {
            guard let (header, trailer) = try? await nodes.describe(disk, entry.shard) else { continue }
            holders.append(Holder(disk: disk, shard: entry.shard, header: header, trailer: trailer))
        }
        return holders
    }
}
