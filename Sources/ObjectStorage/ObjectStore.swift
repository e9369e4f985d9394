package import BlobStorage
package import Checksums
internal import FrameCoding
package import Metadata
package import ObjectInterface
package import ObjectModel
internal import Placement
internal import Synchronization
package import SystemInterface

/// The store's `ObjectService`: objects on blobs and metadata (DESIGN §4, §5).
///
/// Safe to share: any number of requests at a time, each with bounded memory.
package final class ObjectStore: ObjectService {
    package let metadata: any MetadataStore
    package let blobs: BlobStore
    package let readers: BlobReaders
    package let leases: WriteLeases
    package let memory: RequestMemory
    private let packers = Mutex<[Scheme: Packer]>([:])
    let codec = FrameEncoder()
    let decoder = FrameDecoder()
    let time: any TimeSource
    let random: any RandomSource
    let md5: MD5Engine

    /// `md5` hashes on a thread of its own, or inline where everything must stay on one. `memoryLimit`: bytes that all
    /// requests together may hold.
    package init(
        metadata: any MetadataStore,
        blobs: BlobStore,
        node: NodeName,
        time: any TimeSource,
        random: any RandomSource,
        md5: MD5Engine,
        memoryLimit: Int = .max
    ) {
        self.md5 = md5
        memory = RequestMemory(limit: memoryLimit)
        self.metadata = metadata
        self.blobs = blobs
        self.time = time
        self.random = random
        readers = BlobReaders()
        leases = WriteLeases(metadata: metadata, node: node, buggify: blobs.buggify)
    }

    /// The packer of small objects of a scheme.
    func packer(for scheme: Scheme) -> Packer {
        packers.withLock { packers in
            if let packer = packers[scheme] { return packer }
            let packer = Packer(
                scheme: scheme,
                blobs: blobs,
                metadata: metadata,
                leases: leases,
                codec: codec,
                time: time
            )
            packers[scheme] = packer
            return packer
        }
    }

    // MARK: Buckets

    package func createBucket(_ name: String, owner: UserID, region: String) async throws(StorageError) {
        try await metadata.createBucket(Bucket(name: name, owner: owner, region: region, created: time.wall))
    }

    /// Uploads that are still open go with a bucket that holds no object, as with AWS.
    package func deleteBucket(_ name: String) async throws(StorageError) {
        while true {
            do throws(StorageError) {
                return try await metadata.deleteBucket(name)
            } catch {
                guard error.code == .bucketNotEmpty, try await abortUploads(ofEmpty: name) else { throw error }
            }
        }
    }

    /// Aborts a page of a bucket's uploads; false when it holds an object, or none is left.
    private func abortUploads(ofEmpty bucket: String) async throws(StorageError) -> Bool {
        let objects = try await metadata.list(ListRequest(bucket: bucket, limit: 1))
        guard objects.entries.isEmpty else { return false }
        let page = try await metadata.listUploads(ListUploadsRequest(bucket: bucket, limit: Limits.pageSize))
        for upload in page.uploads {
            do throws(StorageError) {
                try await metadata.abortUpload(bucket: bucket, key: upload.key, id: upload.id)
            } catch  where error.code == .noSuchUpload {
                continue
            }
        }
        return !page.uploads.isEmpty
    }

    package func bucket(_ name: String) async throws(StorageError) -> Bucket {
        guard let bucket = try await metadata.bucket(name) else {
            throw StorageError(.noSuchBucket, "The specified bucket does not exist.")
        }
        return bucket
    }

    package func listBuckets(owner: UserID) async throws(StorageError) -> [Bucket] {
        try await metadata.buckets(owner: owner)
    }

    // MARK: Lists and small changes

    package func list(_ request: ListRequest) async throws(StorageError) -> ListPage {
        try await metadata.list(request)
    }

    package func listUploads(_ request: ListUploadsRequest) async throws(StorageError) -> ListUploadsPage {
        try await metadata.listUploads(request)
    }

    package func delete(_ request: DeleteRequest) async throws(StorageError) -> DeleteResult {
        let results = try await metadata.delete(bucket: request.bucket, [request])
        guard let result = results.first else {
            throw StorageError(.internalFailure, "The metadata store gave no answer for a delete.")
        }
        return try result.get()
    }

    package func deleteMany(
        bucket: String,
        _ entries: [DeleteRequest]
    ) async throws(StorageError) -> [Result<DeleteResult, StorageError>] {
        try await metadata.delete(bucket: bucket, entries)
    }

    package func putTags(
        bucket: String,
        key: String,
        version: VersionSelector,
        tags: [ObjectTag]
    ) async throws(StorageError) {
        try checkVersion(version)
        try await metadata.putTags(bucket: bucket, key: key, tags: tags)
    }

    // MARK: Shared

    /// In a bucket that was never versioned only the current version, alias `null`, exists.
    func checkVersion(_ version: VersionSelector) throws(StorageError) {
        if case .id = version {
            throw StorageError(.noSuchVersion, "The specified version does not exist.")
        }
    }

    func detail(bucket: String, key: String) async throws(StorageError) -> VersionDetail {
        if let detail = try await metadata.version(bucket: bucket, key: key) { return detail }
        _ = try await self.bucket(bucket)
        throw StorageError(.noSuchKey, "The specified key does not exist.")
    }

    /// See `BlobStore.eraseUncommitted`.
    func eraseUncommitted(_ written: [WrittenBlob]) async {
        for blob in written { await blobs.eraseUncommitted(blob.record.id, of: blob.record.group) }
    }
}
