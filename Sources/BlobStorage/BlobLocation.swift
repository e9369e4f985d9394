package import ObjectModel
package import Placement

/// What a read of a blob must know: where its shards are and how its bytes lie in them.
package struct BlobLocation: Sendable {
    package let blob: BlobID
    package let scheme: Scheme
    package let geometry: StripeGeometry
    /// In shard order.
    package let members: [DiskID]
    /// Shards known not to be there.
    package let missing: Set<UInt8>

    /// `moving`: shards that still lie where their place in the group was before.
    package init(blob: BlobID, length: Int, group: ClusterMap.Group, missing: [UInt8], moving: [UInt8] = []) {
        self.blob = blob
        scheme = group.scheme
        geometry = StripeGeometry(scheme: group.scheme, blobLength: length)
        members = group.holders(moving: moving)
        self.missing = Set(missing)
    }

    /// The same without some shards more.
    init(_ location: BlobLocation, leavingOut shards: [UInt8]) {
        blob = location.blob
        scheme = location.scheme
        geometry = location.geometry
        members = location.members
        missing = location.missing.union(shards)
    }

    func shard(_ index: Int) -> ShardID { ShardID(blob: blob, index: UInt8(index)) }
}

extension BlobStore {
    /// Throws when the map has no such group.
    package func locate(
        _ blob: BlobID,
        length: Int,
        group: GroupID,
        missing: [UInt8],
        moving: [UInt8]
    ) throws(BlobError) -> BlobLocation {
        guard let group = view.group(group) else { throw .unknownGroup(group) }
        return BlobLocation(blob: blob, length: length, group: group, missing: missing, moving: moving)
    }
}
