package import ObjectInterface
package import ObjectModel

/// What a coordinator answers to a `MetadataRequest`.
package enum MetadataResponse: Sendable {
    case failed(StorageError)
    /// A change without a result is durable and visible.
    case done
    case bucket(Bucket?)
    case buckets([Bucket])
    /// One per write.
    case outcomes([Result<CommitOutcome, StorageError>])
    case version(VersionDetail?)
    /// One per key.
    case deletions([Result<DeleteResult, StorageError>])
    case list(ListPage)
    case upload(UploadRecord?)
    case listUploads(ListUploadsPage)
    /// Truncated: more may follow the last one.
    case parts([PartRecord], isTruncated: Bool)
    case completed(CommitOutcome)
    case lease(WriteLease)
    case leases([(lease: WriteLease, holder: NodeName)])
}
