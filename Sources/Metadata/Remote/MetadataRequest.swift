package import ObjectInterface
package import ObjectModel

/// An operation of `MetadataStore` that a gateway may ask of the coordinator.
///
/// A node's certificate opens these and no more: what only the coordinator does (users, disks, groups, blobs, repair,
/// garbage, repacking) has no case, so that no message can ask for it. Whoever needs another one adds it here, with
/// what a node that has been broken into could do with it in mind (`Docs/ClusterProtocol.md`).
package enum MetadataRequest: Sendable {
    // Buckets

    case createBucket(Bucket)
    case deleteBucket(String)
    case bucket(String)
    case buckets(owner: UserID?)

    // Objects

    /// Under a lease of the caller's, where there are blobs.
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
    case parts(of: UploadID, after: Int, limit: Int)
    case complete(CompleteTransaction)
    case abortUpload(bucket: String, key: String, id: UploadID)

    // Write leases

    /// The holder is not said: it is who calls.
    case grantLease
    /// Of the caller's.
    case endLease(WriteLease)
    case activeLeases

    /// Changes nothing, and may be repeated.
    package var isRead: Bool {
        switch self {
        case .createBucket, .deleteBucket, .commit, .delete, .putTags, .createUpload, .complete, .abortUpload,
            .grantLease, .endLease:
            false
        case .bucket, .buckets, .version, .list, .upload, .listUploads, .parts, .activeLeases: true
        }
    }
}
