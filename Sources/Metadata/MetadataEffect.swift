package import ClusterProtocol
package import ObjectInterface
package import ObjectModel

/// One thing that a change did, without the conditions it was done under (DESIGN §7).
///
/// A journal record is the list of one operation's effects. Applying the same effects in the same order gives the same
/// rows everywhere: counts, references and dead blobs follow from them and are not said.
package enum MetadataEffect: Sendable {
    case bucketCreated(Bucket)
    case bucketDeleted(String)
    case userPut(UserRecord)
    case userRemoved(name: String)
    case blobAdded(BlobRecord)
    /// The key's current version from here on; replaces the one before.
    case versionPut(VersionRecord)
    case versionRemoved(bucket: String, key: String, number: UInt64)
    case tagsPut(bucket: String, key: String, tags: [ObjectTag])
    case uploadCreated(UploadRecord)
    /// The upload and all its parts end.
    case uploadEnded(UploadID)
    case partPut(PartRecord)
    case shardsMissing([ShardID])
    case shardPresent(ShardID)
    case blobsForgotten([BlobID])
    case extentsMoved(MoveTransaction.Move.Owner, [Extent])
    case leaseGranted(WriteLease, holder: NodeName)
    case leaseEnded(WriteLease)
    case diskPut(DiskRecord)
    case groupPut(GroupRecord)
    case memberReplaced(DiskID, with: DiskID)
    /// Other disks stand in a disk's place, in each of these groups its own.
    case memberSpread(DiskID, over: [GroupID: DiskID])
    /// Other disks stand in some places; what lies on those before is moving.
    case membersMoved(MemberMoves)
    /// Every shard of these places is moved.
    case movesEnded([GroupID: [UInt8]])
    /// Shards of new blobs that were written to the disks that stood in their places before.
    case shardsMoving([ShardID])
    /// From here on the class has this scheme.
    case classPut(StorageClass)
    case classRemoved(name: String)
    /// The class of writes into a bucket that name none; nil for `STANDARD`.
    case bucketClassPut(bucket: String, name: String?)
    /// The storage class that a version is labelled with from here on.
    case versionClassPut(bucket: String, key: String, storageClass: String)
    /// Objects of its bucket are being rewritten; replaces what was said of the bucket before.
    case classRewritePut(ClassRewrite)
    case classRewriteEnded(bucket: String)
    /// A node's disks are waited for until then; replaces what was said of the node before.
    case maintenancePut(NodeMaintenance)
    case maintenanceEnded(SiteName, NodeName)
    /// Replaces the one before.
    case forcedStartPut(ForcedStart)
    /// The certificates of a node count from that generation on; replaces what was said of the node before.
    case certificateFloorPut(CertificateFloor)
    case incarnationBegan(UInt32)
    case checkpointsPut([CheckpointRecord])
}
