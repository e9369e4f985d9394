package import ObjectInterface
package import ObjectModel
package import SystemInterface

extension JournaledMetadataStore {
    // MARK: Buckets and users

    package func createBucket(_ bucket: Bucket) async throws(StorageError) {
        try await change(addsRows: true) { (change) throws(MetadataError) in
            try change.createBucket(evaluating: bucket)
        }
    }

    package func deleteBucket(_ name: String) async throws(StorageError) {
        try await change { (change) throws(MetadataError) in try change.deleteBucket(name) }
    }

    package func buckets(owner: UserID?) async throws(StorageError) -> [Bucket] {
        try await read { (view) throws(MetadataError) in try view.buckets(owner: owner) }
    }

    package func addUser(_ user: UserRecord) async throws(StorageError) {
        try await change(addsRows: true) { (change) throws(MetadataError) in try change.addUser(user) }
    }

    package func removeUser(name: String) async throws(StorageError) {
        try await change { (change) throws(MetadataError) in try change.removeUser(name) }
    }

    package func users() async throws(StorageError) -> [UserRecord] {
        try await read { (view) throws(MetadataError) in try view.users() }
    }

    // MARK: Objects

    package func commit(
        _ transaction: WriteTransaction
    ) async throws(StorageError) -> [Result<CommitOutcome, StorageError>] {
        countRequest()
        return try await change(addsRows: true) { (change) throws(MetadataError) in try change.commit(transaction) }
    }

    package func delete(
        bucket: String,
        _ requests: [DeleteRequest]
    ) async throws(StorageError) -> [Result<DeleteResult, StorageError>] {
        countRequest()
        return try await change { (change) throws(MetadataError) in try change.delete(bucket: bucket, requests) }
    }

    package func putTags(bucket: String, key: String, tags: [ObjectTag]) async throws(StorageError) {
        try await change(addsRows: true) { (change) throws(MetadataError) in
            try change.putTags(bucket: bucket, key: key, tags: tags)
        }
    }

    package func list(_ request: ListRequest) async throws(StorageError) -> ListPage {
        countRequest()
        let bucket = try await existingBucket(request.bucket)
        return try await read { (view) throws(MetadataError) in try view.list(request, in: bucket) }
    }

    // MARK: Uploads

    package func createUpload(_ record: UploadRecord) async throws(StorageError) {
        try await change(addsRows: true) { (change) throws(MetadataError) in
            try change.createUpload(evaluating: record)
        }
    }

    package func upload(bucket: String, key: String, id: UploadID) async throws(StorageError) -> UploadRecord? {
        try await read { (view) throws(MetadataError) in try view.upload(bucket: bucket, key: key, id: id) }
    }

    package func listUploads(_ request: ListUploadsRequest) async throws(StorageError) -> ListUploadsPage {
        try await read { (view) throws(MetadataError) in
            try view.listUploads(request, in: try view.existingBucket(request.bucket))
        }
    }

    package func uploads(createdBefore time: WallTime, limit: Int) async throws(StorageError) -> [Upload] {
        try await read { (view) throws(MetadataError) in try view.uploads(createdBefore: time, limit: limit) }
    }

    package func parts(of upload: UploadID, after part: Int, limit: Int) async throws(StorageError) -> [PartRecord] {
        try await read { (view) throws(MetadataError) in try view.parts(of: upload, after: part, limit: limit) }
    }

    package func complete(_ transaction: CompleteTransaction) async throws(StorageError) -> CommitOutcome {
        try await change(addsRows: true) { (change) throws(MetadataError) in try change.complete(transaction) }
    }

    package func abortUpload(bucket: String, key: String, id: UploadID) async throws(StorageError) {
        try await change { (change) throws(MetadataError) in
            try change.abortUpload(bucket: bucket, key: key, id: id)
        }
    }
}
