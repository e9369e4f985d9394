package import ObjectModel

/// A placement group: k+m disks in shard order (DESIGN §2).
///
/// While a place is moved to another disk, that disk is the member already and takes what is new, and `former` names
/// the disk that still holds the shards not moved so far: those that are `moving` in their blobs' records.
package struct GroupRecord: Hashable, Sendable {
    package var id: GroupID
    /// Rises with each change of members.
    package var epoch: UInt32
    package var scheme: Scheme
    package var members: [DiskID]
    /// By shard: the epoch in which its member came to stand there. A blob written under an older one has its shard
    /// elsewhere.
    package var since: [UInt32]
    /// By shard, of places that are being moved: the disk that stood there before.
    package var former: [UInt8: DiskID]

    package init(
        id: GroupID,
        epoch: UInt32,
        scheme: Scheme,
        members: [DiskID],
        since: [UInt32]? = nil,
        former: [UInt8: DiskID] = [:]
    ) {
        self.id = id
        self.epoch = epoch
        self.scheme = scheme
        self.members = members
        self.since = since ?? Array(repeating: 0, count: members.count)
        self.former = former
    }

    /// The disk that a shard lies on, by whether its blob's record says that it is still to be moved.
    package func holder(of shard: UInt8, isMoving: Bool) -> DiskID? {
        guard members.indices.contains(Int(shard)) else { return nil }
        return isMoving ? former[shard] ?? members[Int(shard)] : members[Int(shard)]
    }

    /// Whether any of its places is the disk's, or was and is still being moved.
    package func involves(_ disk: DiskID) -> Bool { members.contains(disk) || former.values.contains(disk) }
}

/// Where shards are to be moved to: by group and shard, the disk that takes the place.
package typealias MemberMoves = [GroupID: [UInt8: DiskID]]

/// A shard that is to be moved from the disk that stood in its place before.
package struct MovingShard: Hashable, Sendable {
    package var shard: ShardID
    package var group: GroupID

    package init(shard: ShardID, group: GroupID) {
        self.shard = shard
        self.group = group
    }
}
