internal import ObjectInterface
internal import ObjectModel

extension MetadataService {
    /// The operation on the store, with the bounds of its answer and of what the caller may do.
    func evaluate(_ request: MetadataRequest, from holder: NodeName) async throws(StorageError) -> MetadataResponse {
        switch request {
        // Changes without a result are `.done` behind the switch.
        case .createBucket(let bucket): try await metadata.createBucket(bucket)
        case .deleteBucket(let name): try await metadata.deleteBucket(name)
        case .bucket(let name): return .bucket(try await metadata.bucket(name))
        case .buckets(let owner): return .buckets(try await metadata.buckets(owner: owner))
        case .commit(let transaction):
            if let lease = transaction.lease {
                // A lease that is unknown may be granted to somebody the next moment: it is not for the store to judge.
                guard try await isHeld(lease, by: holder) else { throw Self.ended(lease) }
            }
            return .outcomes(try await metadata.commit(transaction))
        case .version(let bucket, let key): return .version(try await metadata.version(bucket: bucket, key: key))
        case .delete(let bucket, let requests):
            return .deletions(try await metadata.delete(bucket: bucket, requests))
        case .putTags(let bucket, let key, let tags):
            try await metadata.putTags(bucket: bucket, key: key, tags: tags)
        case .list(let request): return .list(try await metadata.list(request))
        case .createUpload(let record): try await metadata.createUpload(record)
        case .upload(let bucket, let key, let id):
            return .upload(try await metadata.upload(bucket: bucket, key: key, id: id))
        case .listUploads(let request): return .listUploads(try await metadata.listUploads(request))
        case .parts(let upload, let part, let limit):
            let bound = Self.bounded(limit, MetadataMessage.pageLimit)
            let parts = try await metadata.parts(of: upload, after: part, limit: bound)
            return .parts(parts, isTruncated: bound < limit && parts.count == bound)
        case .complete(let transaction): return .completed(try await metadata.complete(transaction))
        case .abortUpload(let bucket, let key, let id):
            try await metadata.abortUpload(bucket: bucket, key: key, id: id)
        case .grantLease: return .lease(try await metadata.grantLease(holder: holder))
        case .endLease(let lease):
            // One that has ended already is no error.
            if try await isHeld(lease, by: holder) { try await metadata.endLease(lease) }
        case .activeLeases: return .leases(try await metadata.activeLeases())
        }
        return .done
    }

    /// Whether the lease is the caller's; false when it has ended or was never granted. A node works under its own
    /// leases, nobody else's: another one's is refused.
    private func isHeld(_ lease: WriteLease, by caller: NodeName) async throws(StorageError) -> Bool {
        guard let holder = try await leases.holder(of: lease) else { return false }
        guard holder == caller else {
            onRefusal(caller, "it works under write lease \(lease), which is \(holder)'s")
            throw StorageError(.invalidArgument, "Write lease \(lease) belongs to another node.")
        }
        return true
    }

    private static func ended(_ lease: WriteLease) -> StorageError {
        StorageError(.leaseEnded, "Write lease \(lease) has ended: write the object again.")
    }

    /// A caller's limit as an answer may have it; a negative one is none.
    private static func bounded(_ limit: Int, _ most: Int) -> Int { max(0, min(limit, most)) }
}
