internal import BlobStorage
internal import ClusterProtocol
internal import Metadata
internal import ObjectInterface
internal import ObjectModel
internal import Placement

extension OrphanCollector {
    /// Whether metadata places a live blob's shard on another disk.
    func isElsewhere(_ shard: ShardID, of blob: BlobRecord, than disk: DiskID) -> Bool {
        guard let named = named(shard, of: blob) else { return false }
        return named.disk != disk && named.former != disk
    }

    /// Whether a shard on this disk may go: its blob misses none and none of it is being moved, and the one that
    /// metadata names in its stead is there and good, with metadata saying the same before and after it was read.
    func isSurplus(_ shard: ShardID, on disk: DiskID) async throws(StorageError) -> Bool {
        guard let blob = try await metadata.blob(shard.blob), blob.missing.isEmpty, blob.moving.isEmpty,
            let named = named(shard, of: blob), named.disk != disk, named.former != disk
        else { return false }
        guard (try? await blobs.nodes.verify(named.disk, shard)) == true else { return false }
        guard let after = try await metadata.blob(shard.blob), after.missing.isEmpty, after.moving.isEmpty,
            let group = try await metadata.groups().first(where: { $0.id == after.group })
        else { return false }
        return group.epoch == named.epoch && group.members.indices.contains(Int(shard.index))
            && group.members[Int(shard.index)] == named.disk
    }

    /// `former`: the other end of the place's move, while it is moved.
    private func named(
        _ shard: ShardID,
        of blob: BlobRecord
    ) -> (disk: DiskID, former: DiskID?, epoch: UInt32)? {
        guard let group = blobs.view.group(blob.group), group.members.indices.contains(Int(shard.index)) else {
            return nil
        }
        return (group.members[Int(shard.index)], group.former[shard.index], group.epoch)
    }
}
