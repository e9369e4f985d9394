package import ObjectModel
package import Placement

/// What a read of a blob must know: where its shards are and how its bytes lie in them.
package struct BlobLocation: Sendable {
    package let blob: BlobID
    package let scheme: Scheme
    package let geometry: StripeGeometry
    let group: GroupID
    /// In shard order.
    package let members: [DiskID]
    /// Shards known not to be there.
    package let missing: Set<UInt8>

    /// `moving`: shards that still lie where their place in the group was before.
    package init(blob: BlobID, length: Int, group: ClusterMap.Group, missing: [UInt8], moving: [UInt8] = []) {
        self.blob = blob
        scheme = group.scheme
        self.group = group.id
        geometry = StripeGeometry(scheme: group.scheme, blobLength: length)
        members = group.holders(moving: moving)
        self.missing = Set(missing)
    }

    /// The same without some shards more.
    init(_ location: BlobLocation, leavingOut shards: [UInt8]) {
        blob = location.blob
        scheme = location.scheme
        group = location.group
        geometry = location.geometry
        members = location.members
        missing = location.missing.union(shards)
    }

    func shard(_ index: Int) -> ShardID { ShardID(blob: blob, index: UInt8(index)) }
}

extension ClusterView {
    /// Other disks on which a shard may be by now, when it is not where `location` says: places are moved while blobs
    /// are read, and a location is as old as the lookup that made it.
    func otherHolders(of shard: Int, at location: BlobLocation) -> [DiskID] {
        guard let group = group(location.group), group.members.indices.contains(shard) else { return [] }
        let disks = [group.members[shard]] + [group.former[UInt8(clamping: shard)]].compactMap { $0 }
        return disks.filter { $0 != location.members[shard] }
    }
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
