package import ObjectInterface
package import ObjectModel
package import SystemInterface

extension RemoteMetadataStore {
    // MARK: Buckets and users

    package func createBucket(_ bucket: Bucket) async throws(StorageError) {
        try await perform(.createBucket(bucket))
    }

    package func deleteBucket(_ name: String) async throws(StorageError) {
        try await perform(.deleteBucket(name))
    }

    package func bucket(_ name: String) async throws(StorageError) -> Bucket? {
        try await ask(.bucket(name)) { if case .bucket(let bucket) = $0 { .some(bucket) } else { nil } }
    }

    package func buckets(owner: UserID?) async throws(StorageError) -> [Bucket] {
        try await ask(.buckets(owner: owner)) { if case .buckets(let buckets) = $0 { buckets } else { nil } }
    }

    package func addUser(_ user: UserRecord) async throws(StorageError) { throw Self.coordinatorsOwn("addUser") }

    package func removeUser(name: String) async throws(StorageError) { throw Self.coordinatorsOwn("removeUser") }

    package func users() async throws(StorageError) -> [UserRecord] { throw Self.coordinatorsOwn("users") }

    // MARK: Objects

    package func commit(
        _ transaction: WriteTransaction
    ) async throws(StorageError) -> [Result<CommitOutcome, StorageError>] {
        let count = transaction.writes.count
        return try await ask(.commit(transaction)) {
            if case .outcomes(let outcomes) = $0, outcomes.count == count { outcomes } else { nil }
        }
    }

    package func version(bucket: String, key: String) async throws(StorageError) -> VersionDetail? {
        try await ask(.version(bucket: bucket, key: key)) {
            if case .version(let detail) = $0 { .some(detail) } else { nil }
        }
    }

    package func delete(
        bucket: String,
        _ requests: [DeleteRequest]
    ) async throws(StorageError) -> [Result<DeleteResult, StorageError>] {
        try await ask(.delete(bucket: bucket, requests)) {
            if case .deletions(let results) = $0, results.count == requests.count { results } else { nil }
        }
    }

    package func putTags(bucket: String, key: String, tags: [ObjectTag]) async throws(StorageError) {
        try await perform(.putTags(bucket: bucket, key: key, tags: tags))
    }

    package func list(_ request: ListRequest) async throws(StorageError) -> ListPage {
        try await ask(.list(request)) { if case .list(let page) = $0 { page } else { nil } }
    }

    // MARK: Uploads

    package func createUpload(_ record: UploadRecord) async throws(StorageError) {
        try await perform(.createUpload(record))
    }

    package func upload(bucket: String, key: String, id: UploadID) async throws(StorageError) -> UploadRecord? {
        try await ask(.upload(bucket: bucket, key: key, id: id)) {
            if case .upload(let record) = $0 { .some(record) } else { nil }
        }
    }

    package func listUploads(_ request: ListUploadsRequest) async throws(StorageError) -> ListUploadsPage {
        try await ask(.listUploads(request)) { if case .listUploads(let page) = $0 { page } else { nil } }
    }

    package func uploads(createdBefore time: WallTime, limit: Int) async throws(StorageError) -> [Upload] {
        throw Self.coordinatorsOwn("uploads")
    }

    /// Page by page: a part that is replaced meanwhile is seen as it was or as it is, as its commit will find out.
    package func parts(of upload: UploadID, after part: Int, limit: Int) async throws(StorageError) -> [PartRecord] {
        try await pages(after: part, limit: limit) { (last, rest) throws(StorageError) in
            try await self.ask(.parts(of: upload, after: last, limit: rest)) {
                if case .parts(let parts, let isTruncated) = $0 { (parts, isTruncated) } else { nil }
            }
        } place: {
            $0.summary.number
        }
    }

    package func complete(_ transaction: CompleteTransaction) async throws(StorageError) -> CommitOutcome {
        try await ask(.complete(transaction)) { if case .completed(let outcome) = $0 { outcome } else { nil } }
    }

    package func abortUpload(bucket: String, key: String, id: UploadID) async throws(StorageError) {
        try await perform(.abortUpload(bucket: bucket, key: key, id: id))
    }

    // MARK: Long lists

    /// Asks for pages until `limit` elements are there or no more follow.
    func pages<Element, Place>(
        after first: Place,
        limit: Int,
        page: (Place, Int) async throws(StorageError) -> ([Element], isTruncated: Bool),
        place: (Element) -> Place
    ) async throws(StorageError) -> [Element] {
        var found: [Element] = []
        var last = first
        repeat {
            let (elements, isTruncated) = try await page(last, limit - found.count)
            found += elements
            guard isTruncated, let end = elements.last else { break }
            last = place(end)
        } while found.count < limit
        return found
    }
}
