package import ClusterProtocol
package import ObjectInterface
package import ObjectModel
package import SystemInterface

/// The store's metadata as whole operations (DESIGN §7).
///
/// Every change is evaluated, applied, made durable on the journal's keepers and then made visible, in that order;
/// a method that returns from a change has done all four. Changes are serialized; reads see all that returned before
/// they began, never a part of a change. A change that throws anything but `.unknownOutcome` has had no effect.
package protocol MetadataStore: Sendable {
    // Buckets and users

    func createBucket(_ bucket: Bucket) async throws(StorageError)
    func deleteBucket(_ name: String) async throws(StorageError)
    func bucket(_ name: String) async throws(StorageError) -> Bucket?
    /// By name; of one owner when given.
    func buckets(owner: UserID?) async throws(StorageError) -> [Bucket]
    func addUser(_ user: UserRecord) async throws(StorageError)
    /// `.noSuchUser` when there is none of that name.
    func removeUser(name: String) async throws(StorageError)
    /// By name.
    func users() async throws(StorageError) -> [UserRecord]

    // Objects

    /// One outcome per write, in order.
    func commit(_ transaction: WriteTransaction) async throws(StorageError) -> [Result<CommitOutcome, StorageError>]
    func version(bucket: String, key: String) async throws(StorageError) -> VersionDetail?
    /// One result per key, in order.
    func delete(bucket: String, _ requests: [DeleteRequest]) async throws(StorageError)
        -> [Result<DeleteResult, StorageError>]
    /// `.noSuchKey` when there is none.
    func putTags(bucket: String, key: String, tags: [ObjectTag]) async throws(StorageError)
    func list(_ request: ListRequest) async throws(StorageError) -> ListPage

    // Uploads

    func createUpload(_ record: UploadRecord) async throws(StorageError)
    func upload(bucket: String, key: String, id: UploadID) async throws(StorageError) -> UploadRecord?
    func listUploads(_ request: ListUploadsRequest) async throws(StorageError) -> ListUploadsPage
    /// Uploads created before `time`, oldest first.
    func uploads(createdBefore time: WallTime, limit: Int) async throws(StorageError) -> [Upload]
    /// By number, those after `part`.
    func parts(of upload: UploadID, after part: Int, limit: Int) async throws(StorageError) -> [PartRecord]
    func complete(_ transaction: CompleteTransaction) async throws(StorageError) -> CommitOutcome
    /// `.noSuchUpload` when there is none.
    func abortUpload(bucket: String, key: String, id: UploadID) async throws(StorageError)

    // Blobs, repair and garbage

    func blob(_ id: BlobID) async throws(StorageError) -> BlobRecord?
    /// Live blobs after `id` in order, for inventories and scrubs.
    func blobs(after id: BlobID?, limit: Int) async throws(StorageError) -> [BlobRecord]
    /// Fewest spares first, then by id.
    func missingShards(limit: Int) async throws(StorageError) -> [MissingShard]
    func missingShardCount() async throws(StorageError) -> Int
    /// Blobs that lack shards and have so many spares, those after `last` (which need not lack any by now): fewest
    /// spares first, then by id.
    func missingBlobs(
        spares: ClosedRange<Int>,
        after last: MissingBlob?,
        limit: Int
    ) async throws(StorageError) -> [MissingBlob]
    /// Notes shards found lost or bad on a disk. Ignored are those of blobs that are not live, and those that are not
    /// placed on that disk any more: what was seen there says nothing of where they are now.
    func markMissing(_ shards: [PlacedShard]) async throws(StorageError)
    /// Repaired or moved shards count from here on, in one transaction. Those whose blob is not live any more, or whose
    /// group has another epoch by now, are left as they are; the others are returned.
    func registerShards(_ shards: [NewShard]) async throws(StorageError) -> Set<ShardID>
    /// In order of group and blob, those after `last`; with a group, its alone.
    func movingShards(
        of group: GroupID?,
        after last: MovingShard?,
        limit: Int
    ) async throws(StorageError) -> [MovingShard]
    /// Blobs that nothing names any more, to be erased once no reader holds them.
    func deadBlobs(after id: BlobID?, limit: Int) async throws(StorageError) -> [BlobRecord]
    /// Their shards are erased: metadata forgets them.
    func forgetBlobs(_ ids: [BlobID]) async throws(StorageError)
    /// Live blobs of which less than `share` is still named, the emptiest first.
    func sparseBlobs(share: Double, limit: Int) async throws(StorageError) -> [BlobUsage]
    /// The versions and parts that name a blob; checkpoints are not among them.
    func owners(of blob: BlobID) async throws(StorageError) -> [BlobOwner]
    /// One result per move: whether its owner was unchanged and now names the new extents.
    func move(_ transaction: MoveTransaction) async throws(StorageError) -> [Bool]

    // The cluster

    /// Opens a write lease that was never granted before, in the store's incarnation.
    func grantLease(holder: NodeName) async throws(StorageError) -> WriteLease
    /// From here on a commit under the lease is refused.
    func endLease(_ lease: WriteLease) async throws(StorageError)
    func activeLeases() async throws(StorageError) -> [(lease: WriteLease, holder: NodeName)]
    func putDisk(_ disk: DiskRecord) async throws(StorageError)
    func disks() async throws(StorageError) -> [DiskRecord]
    func putGroups(_ groups: [GroupRecord]) async throws(StorageError)
    func groups() async throws(StorageError) -> [GroupRecord]
    /// Adds a storage class, with groups of its scheme that are new; one that is there already with this scheme only
    /// gets the groups. `.invalidArgument` when its name is none, taken for another scheme, or there would be no group.
    func addClass(_ item: StorageClass, groups: [GroupRecord]) async throws(StorageError)
    /// `.invalidArgument` when there is none, or while it is a bucket's default. What was written in it stays as it is.
    func removeClass(_ name: String) async throws(StorageError)
    /// By name, without `STANDARD`.
    func classes() async throws(StorageError) -> [StorageClass]
    /// The class of later writes into a bucket that name none; nil for `STANDARD`.
    func setBucketClass(_ bucket: String, _ name: String?) async throws(StorageError)
    /// Begins to rewrite a bucket's objects into another class: durable, and carried out by who works them off. Gives
    /// it back with the number that bounds it. `.invalidArgument` when the bucket has one already, or there is no such
    /// class.
    func beginClassRewrite(_ rewrite: ClassRewrite) async throws(StorageError) -> ClassRewrite
    /// False when the bucket has none.
    func pauseClassRewrite(_ bucket: String, _ isPaused: Bool) async throws(StorageError) -> Bool
    /// Ends a bucket's, the one bounded by `before` where that is given; what was rewritten stays. False when there is
    /// none.
    func endClassRewrite(_ bucket: String, before: UInt64?) async throws(StorageError) -> Bool
    /// Those that are open, by bucket. They go with their buckets.
    func classRewrites() async throws(StorageError) -> [ClassRewrite]
    /// Notes that a node's disks are to be waited for; replaces what was noted of the node, and forgets what was over
    /// at `now`.
    func beginMaintenance(_ maintenance: NodeMaintenance, now: WallTime) async throws(StorageError)
    /// False when none is noted for the node.
    func endMaintenance(_ site: SiteName, _ node: NodeName) async throws(StorageError) -> Bool
    /// Those that are noted, by site and node; some may be over.
    func maintenances() async throws(StorageError) -> [NodeMaintenance]
    /// Notes that a start was forced, or that the metadata was put back, in the place of what was noted before.
    func noteForcedStart(_ start: ForcedStart) async throws(StorageError)
    /// False when there is none that is not accepted yet.
    func acceptForcedStart() async throws(StorageError) -> Bool
    /// The last; nil when there was none.
    func forcedStart() async throws(StorageError) -> ForcedStart?
    /// Notes from which generation on certificates of nodes count. What is not above what is noted changes nothing.
    func noteCertificateFloors(_ floors: [CertificateFloor]) async throws(StorageError)
    /// All that are noted, by node.
    func certificateFloors() async throws(StorageError) -> [CertificateFloor]
    /// Puts `new` in the place of `old` in every group: their epochs rise, and the shards of all their live blobs in
    /// that place are missing from here on.
    func replaceMember(_ old: DiskID, with new: DiskID) async throws(StorageError)
    /// The same with another disk for each of some of the groups; those not named keep `old`.
    func spreadMember(_ old: DiskID, over groups: [GroupID: DiskID]) async throws(StorageError)
    /// Puts other disks in some places: they take what is new from here on, and the shards of all live blobs there are
    /// moving until each is registered. Back to the disk that a place is being moved from undoes what was begun: what
    /// lies there still counts, what was moved already is moving back. `.invalidArgument` when a disk is part of the
    /// group already, or when the place is being moved elsewhere.
    func moveMembers(_ moves: MemberMoves) async throws(StorageError)
    /// Places that are being moved and of which every shard is moved.
    func finishedMoves() async throws(StorageError) -> [GroupID: [UInt8]]
    /// Ends the moves of those of `finished` of which that is still so; returns how many.
    func endMoves(_ finished: [GroupID: [UInt8]]) async throws(StorageError) -> Int
    func statistics() async throws(StorageError) -> MetadataStatistics
}

package struct MetadataStatistics: Hashable, Sendable {
    package var buckets: Int
    package var versions: Int
    package var uploads: Int
    package var blobs: Int
    package var deadBlobs: Int
    package var missingShards: Int
    /// Shards that still lie where their place was before.
    package var movingShards: Int
    /// Live blobs with fewer than k shards present.
    package var blobsBelowQuorum: Int
    /// Logical bytes of all current versions.
    package var bytes: Int

    package init(
        buckets: Int = 0,
        versions: Int = 0,
        uploads: Int = 0,
        blobs: Int = 0,
        deadBlobs: Int = 0,
        missingShards: Int = 0,
        movingShards: Int = 0,
        blobsBelowQuorum: Int = 0,
        bytes: Int = 0
    ) {
        self.buckets = buckets
        self.versions = versions
        self.uploads = uploads
        self.blobs = blobs
        self.deadBlobs = deadBlobs
        self.missingShards = missingShards
        self.movingShards = movingShards
        self.blobsBelowQuorum = blobsBelowQuorum
        self.bytes = bytes
    }
}

extension MetadataStore {
    /// Of all groups, in order of group and blob, those after `last`.
    package func movingShards(after last: MovingShard?, limit: Int) async throws(StorageError) -> [MovingShard] {
        try await movingShards(of: nil, after: last, limit: limit)
    }
}
