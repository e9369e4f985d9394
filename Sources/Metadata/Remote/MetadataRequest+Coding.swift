package import ClusterProtocol
internal import ObjectInterface
internal import ObjectModel
internal import SystemInterface

extension MetadataRequest {
    /// The message, with its head.
    package var encoded: [UInt8] {
        var writer = MetadataMessage.writer(kind: MetadataMessage.call)
        encode(into: &writer)
        return writer.bytes
    }

    /// Reads the message. Bytes are input: whatever they are, it throws and never traps.
    package init(decoding bytes: [UInt8]) throws(MessageError) {
        self = try MetadataMessage.decode(bytes, kind: MetadataMessage.call) { (reader) throws(MetadataError) in
            try Self(from: &reader)
        }
    }

    /// The operation's number; given once, never again.
    private var number: UInt8 {
        switch self {
        case .createBucket: 1
        case .deleteBucket: 2
        case .bucket: 3
        case .buckets: 4
        case .users: 5
        case .commit: 6
        case .version: 7
        case .delete: 8
        case .putTags: 9
        case .list: 10
        case .createUpload: 11
        case .upload: 12
        case .listUploads: 13
        case .uploads: 14
        case .parts: 15
        case .complete: 16
        case .abortUpload: 17
        case .blob: 18
        case .blobs: 19
        case .missingShards: 20
        case .missingShardCount: 21
        case .markMissing: 22
        case .registerShard: 23
        case .owners: 24
        case .grantLease: 25
        case .endLease: 26
        case .activeLeases: 27
        case .disks: 28
        case .groups: 29
        case .statistics: 30
        }
    }

    private func encode(into writer: inout ByteWriter) {
        writer.put(byte: number)
        switch self {
        case .users, .missingShardCount, .grantLease, .activeLeases, .disks, .groups, .statistics: break
        case .createBucket(let bucket): bucket.encode(into: &writer)
        case .deleteBucket(let name), .bucket(let name): writer.put(name)
        case .buckets(let owner): writer.put(optional: owner) { $0.put($1.text) }
        case .commit(let transaction): writer.put(transaction)
        case .version(let bucket, let key):
            writer.put(bucket)
            writer.put(key)
        case .delete(let bucket, let requests):
            writer.put(bucket)
            writer.put(list: requests) { $0.put($1) }
        case .putTags(let bucket, let key, let tags):
            writer.put(bucket)
            writer.put(key)
            writer.put(tags)
        case .list(let request): writer.put(request)
        case .createUpload(let record): record.encode(into: &writer)
        case .upload(let bucket, let key, let id), .abortUpload(let bucket, let key, let id):
            writer.put(bucket)
            writer.put(key)
            writer.put(id.text)
        case .listUploads(let request): writer.put(request)
        case .uploads(let time, let limit):
            writer.put(time)
            writer.put(any: limit)
        case .parts(let upload, let part, let limit):
            writer.put(upload.text)
            writer.put(any: part)
            writer.put(any: limit)
        case .complete(let transaction): writer.put(transaction)
        case .blob(let id), .owners(let id): writer.put(id)
        case .blobs(let id, let limit):
            writer.put(optional: id) { $0.put($1) }
            writer.put(any: limit)
        case .missingShards(let limit): writer.put(any: limit)
        case .markMissing(let shards): writer.put(list: shards) { $0.put($1) }
        case .registerShard(let shard, let epoch):
            writer.put(shard)
            writer.put(epoch)
        case .endLease(let lease): writer.put(lease)
        }
    }

    private init(from reader: inout ByteReader) throws(MetadataError) {
        let number = try reader.getByte()
        switch number {
        case 1: self = .createBucket(try Bucket(from: &reader))
        case 2: self = .deleteBucket(try reader.getText())
        case 3: self = .bucket(try reader.getText())
        case 4:
            self = .buckets(
                owner: try reader.getOptional { (reader) throws(MetadataError) in UserID(try reader.getText()) }
            )
        case 5: self = .users
        case 6: self = .commit(try reader.getWriteTransaction())
        case 7: self = .version(bucket: try reader.getText(), key: try reader.getText())
        case 8:
            let bucket = try reader.getText()
            let requests = try reader.getList(size: 3, limit: MetadataMessage.listLimit) {
                (reader) throws(MetadataError) in
                try reader.getDeleteRequest(bucket: bucket)
            }
            self = .delete(bucket: bucket, requests)
        case 9:
            self = .putTags(bucket: try reader.getText(), key: try reader.getText(), tags: try reader.getTags())
        case 10: self = .list(try reader.getListRequest())
        case 11: self = .createUpload(try UploadRecord(from: &reader))
        case 12:
            self = .upload(
                bucket: try reader.getText(),
                key: try reader.getText(),
                id: UploadID(try reader.getText())
            )
        case 13: self = .listUploads(try reader.getListUploadsRequest())
        case 14: self = .uploads(createdBefore: try reader.getTime(), limit: try reader.getAnyInt())
        case 15:
            self = .parts(
                of: UploadID(try reader.getText()),
                after: try reader.getAnyInt(),
                limit: try reader.getAnyInt()
            )
        case 16: self = .complete(try reader.getCompleteTransaction())
        case 17:
            self = .abortUpload(
                bucket: try reader.getText(),
                key: try reader.getText(),
                id: UploadID(try reader.getText())
            )
        default: try self.init(cluster: number, from: &reader)
        }
    }

    private init(cluster number: UInt8, from reader: inout ByteReader) throws(MetadataError) {
        switch number {
        case 18: self = .blob(try reader.getBlob())
        case 19:
            self = .blobs(
                after: try reader.getOptional { (reader) throws(MetadataError) in try reader.getBlob() },
                limit: try reader.getAnyInt()
            )
        case 20: self = .missingShards(limit: try reader.getAnyInt())
        case 21: self = .missingShardCount
        case 22:
            self = .markMissing(
                try reader.getList(size: 4, limit: MetadataMessage.listLimit) { (reader) throws(MetadataError) in
                    try reader.getShard()
                }
            )
        case 23: self = .registerShard(try reader.getShard(), groupEpoch: try reader.getUInt32())
        case 24: self = .owners(of: try reader.getBlob())
        case 25: self = .grantLease
        case 26: self = .endLease(try reader.getLease())
        case 27: self = .activeLeases
        case 28: self = .disks
        case 29: self = .groups
        case 30: self = .statistics
        default: throw .unsupported("metadata operation \(number)")
        }
    }
}
