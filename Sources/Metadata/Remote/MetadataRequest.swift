package import ObjectInterface
package import ObjectModel
package import SystemInterface

/// An operation of `MetadataStore` that a gateway may ask of the coordinator.
///
/// What only the coordinator does (users, disks, groups, garbage, repacking) has no case: no message can ask for it.
package enum MetadataRequest: Sendable {
    // Buckets and users

    case createBucket(Bucket)
    case deleteBucket(String)
    case bucket(String)
    case buckets(owner: UserID?)
    case users

    // Objects

    case commit(WriteTransaction)
    case version(bucket: String, key: String)
    /// The requests are all of this bucket, whatever they say.
    case delete(bucket: String, [DeleteRequest])
    case putTags(bucket: String, key: String, tags: [ObjectTag])
    case list(ListRequest)

    // Uploads

    case createUpload(UploadRecord)
    case upload(bucket: String, key: String, id: UploadID)
    case listUploads(ListUploadsRequest)
    case uploads(createdBefore: WallTime, limit: Int)
    case parts(of: UploadID, after: Int, limit: Int)
    case complete(CompleteTransaction)
    case abortUpload(bucket: String, key: String, id: UploadID)

    // Blobs and repair

    case blob(BlobID)
    case blobs(after: BlobID?, limit: Int)
    case missingShards(limit: Int)
    case missingShardCount
    case markMissing([ShardID])
    case registerShard(ShardID, groupEpoch: UInt32)
    case owners(of: BlobID)

    // The cluster

    /// The holder is not said: it is who calls.
    case grantLease
    case endLease(WriteLease)
    case activeLeases
    case disks
    case groups
    case statistics

    /// Changes nothing, and may be repeated.
    package var isRead: Bool {
        switch self {
        case .createBucket, .deleteBucket, .commit, .delete, .putTags, .createUpload, .complete, .abortUpload,
            .markMissing, .registerShard, .grantLease, .endLease:
            false
        case .bucket, .buckets, .users, .version, .list, .upload, .listUploads, .uploads, .parts, .blob, .blobs,
            .missingShards, .missingShardCount, .owners, .activeLeases, .disks, .groups, .statistics:
            true
        }
    }
}
