package import ObjectModel
internal import SystemInterface

/// The store as a gateway sees it: S3's operations on buckets, keys and uploads, never a shard (DESIGN §12).
///
/// Linearizable per key; a list sees all that was acknowledged before it began; conditions are checked inside the
/// commit. Every method throws `StorageError`. A method that returns from a change has made it durable. The caller has
/// authenticated and authorized the request: bucket ownership is the gateway's check, by `bucket(_:)`.
package protocol ObjectService: Sendable {
    // Buckets

    func createBucket(_ name: String, owner: UserID, region: String) async throws(StorageError)
    /// `.bucketNotEmpty` while a version is in it; uploads that are still open are aborted.
    func deleteBucket(_ name: String) async throws(StorageError)
    /// Bucket facts; cheap, asked on each request.
    func bucket(_ name: String) async throws(StorageError) -> Bucket
    /// The owner's buckets by name.
    func listBuckets(owner: UserID) async throws(StorageError) -> [Bucket]

    // Objects

    func put(_ request: PutRequest, body: any BodyReader) async throws(StorageError) -> WriteResult
    /// Metadata and, unless `request.isHead`, the bytes of the version.
    func get(_ request: GetRequest) async throws(StorageError) -> GetResult
    /// Deletes the key's version; succeeds when there is none, as AWS does.
    func delete(_ request: DeleteRequest) async throws(StorageError) -> DeleteResult
    /// One outcome per entry, in order; at most `Limits.pageSize` entries.
    func deleteMany(bucket: String, _ entries: [DeleteRequest]) async throws(StorageError)
        -> [Result<DeleteResult, StorageError>]
    func copy(_ request: CopyRequest) async throws(StorageError) -> WriteResult
    func putTags(bucket: String, key: String, version: VersionSelector, tags: [ObjectTag]) async throws(StorageError)

    // Lists

    func list(_ request: ListRequest) async throws(StorageError) -> ListPage
    func listUploads(_ request: ListUploadsRequest) async throws(StorageError) -> ListUploadsPage

    // Multipart uploads

    func createUpload(_ request: CreateUploadRequest) async throws(StorageError) -> Upload
    func uploadPart(_ request: UploadPartRequest, body: any BodyReader) async throws(StorageError) -> PartResult
    func copyPart(_ request: CopyPartRequest) async throws(StorageError) -> PartResult
    func completeUpload(_ request: CompleteUploadRequest) async throws(StorageError) -> WriteResult
    func abortUpload(bucket: String, key: String, upload: UploadID) async throws(StorageError)
    func listParts(bucket: String, key: String, upload: UploadID, after part: Int, limit: Int)
        async throws(StorageError) -> PartsPage
}

/// Users and their keys, as an authenticator needs them.
package protocol CredentialDirectory: Sendable {
    /// The user and secret of an access key; nil when there is none. Cheap: asked on each request.
    func credential(forAccessKey accessKey: String) async -> Credential?
    /// The user's name for listings; nil when unknown.
    func displayName(of user: UserID) async -> String?
}

package struct Credential: Sendable {
    package var user: UserID
    package var displayName: String
    package var accessKey: String
    package var secretKey: String

    package init(user: UserID, displayName: String, accessKey: String, secretKey: String) {
        self.user = user
        self.displayName = displayName
        self.accessKey = accessKey
        self.secretKey = secretKey
    }
}
