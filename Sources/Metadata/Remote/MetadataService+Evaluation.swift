internal import ObjectInterface
internal import ObjectModel

extension MetadataService {
    /// The operation on the store, with the bounds of its answer.
    func evaluate(_ request: MetadataRequest, from holder: NodeName) async throws(StorageError) -> MetadataResponse {
        switch request {
        // Changes without a result are `.done` behind the switch.
        case .createBucket(let bucket): try await metadata.createBucket(bucket)
        case .deleteBucket(let name): try await metadata.deleteBucket(name)
        case .bucket(let name): return .bucket(try await metadata.bucket(name))
        case .buckets(let owner): return .buckets(try await metadata.buckets(owner: owner))
        case .users: return .users(try await metadata.users())
        case .commit(let transaction): return .outcomes(try await metadata.commit(transaction))
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
        case .uploads(let time, let limit):
            let bound = Self.bounded(limit, MetadataMessage.uploadLimit)
            return .uploads(try await metadata.uploads(createdBefore: time, limit: bound))
        case .parts(let upload, let part, let limit):
            let bound = Self.bounded(limit, MetadataMessage.pageLimit)
            let parts = try await metadata.parts(of: upload, after: part, limit: bound)
            return .parts(parts, isTruncated: bound < limit && parts.count == bound)
        case .complete(let transaction): return .completed(try await metadata.complete(transaction))
        case .abortUpload(let bucket, let key, let id):
            try await metadata.abortUpload(bucket: bucket, key: key, id: id)
        case .blob(let id): return .blob(try await metadata.blob(id))
        case .blobs(let id, let limit):
            let bound = Self.bounded(limit, MetadataMessage.pageLimit)
            let blobs = try await metadata.blobs(after: id, limit: bound)
            return .blobs(blobs, isTruncated: bound < limit && blobs.count == bound)
        case .missingShards(let limit):
            let bound = Self.bounded(limit, MetadataMessage.shardLimit)
            return .missingShards(try await metadata.missingShards(limit: bound))
        case .missingShardCount: return .count(try await metadata.missingShardCount())
        case .markMissing(let shards): try await metadata.markMissing(shards)
        case .registerShard(let shard, let epoch):
            return .isRegistered(try await metadata.registerShard(shard, groupEpoch: epoch))
        case .owners(let blob): return .owners(try await metadata.owners(of: blob))
        case .grantLease: return .lease(try await metadata.grantLease(holder: holder))
        case .endLease(let lease):
            // A node ends its own leases, nobody else's; one that has ended already is no error.
            let holders = try await metadata.activeLeases().filter { $0.lease == lease }.map(\.holder)
            guard holders.allSatisfy({ $0 == holder }) else {
                throw StorageError(.invalidArgument, "Write lease \(lease) belongs to another node.")
            }
            try await metadata.endLease(lease)
        case .activeLeases: return .leases(try await metadata.activeLeases())
        case .disks: return .disks(try await metadata.disks())
        case .groups: return .groups(try await metadata.groups())
        case .statistics: return .statistics(try await metadata.statistics())
        }
        return .done
    }

    /// A caller's limit as an answer may have it; a negative one is none.
    private static func bounded(_ limit: Int, _ most: Int) -> Int { max(0, min(limit, most)) }
}
