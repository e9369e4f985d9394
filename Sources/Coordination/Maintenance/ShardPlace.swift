internal import BlobStorage
internal import Metadata
internal import ObjectInterface
internal import ObjectModel
internal import Placement

/// Where metadata places a shard.
enum ShardPlace: Hashable {
    /// Nowhere: its blob is not live.
    case gone
    /// It is to be repaired.
    case missing
    case at(DiskID)
}

extension MetadataStore {
    /// By the blob's record as it is now, and the groups of `view`.
    func place(of shard: ShardID, in view: ClusterView) async throws(StorageError) -> ShardPlace {
        guard let blob = try await blob(shard.blob), let group = view.group(blob.group),
            Int(shard.index) < group.members.count
        else { return .gone }
        if blob.missing.contains(shard.index) { return .missing }
        return .at(group.holders(moving: blob.moving)[Int(shard.index)])
    }
}
