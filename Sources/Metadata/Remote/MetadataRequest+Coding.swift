package import ClusterProtocol
internal import ObjectInterface
internal import ObjectModel

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

    /// The operation's number; given once, never again. The gaps are operations that are no gateway's.
    private var number: UInt8 {
        switch self {
        case .createBucket: 1
        case .deleteBucket: 2
        case .bucket: 3
        case .buckets: 4
        case .commit: 6
        case .version: 7
        case .delete: 8
        case .putTags: 9
        case .list: 10
        case .createUpload: 11
        case .upload: 12
        case .listUploads: 13
        case .parts: 15
        case .complete: 16
        case .abortUpload: 17
        case .grantLease: 25
        case .endLease: 26
        case .activeLeases: 27
        }
    }

    private func encode(into writer: inout ByteWriter) {
        writer.put(byte: number)
        switch self {
        case .grantLease, .activeLeases: break
        case .createBucket(let bucket): writer.put(bucket)
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
        case .parts(let upload, let part, let limit):
            writer.put(upload.text)
            writer.put(any: part)
            writer.put(any: limit)
        case .complete(let transaction): writer.put(transaction)
        case .endLease(let lease): writer.put(lease)
        }
    }

    private init(from reader: inout ByteReader) throws(MetadataError) {
        let number = try reader.getByte()
        switch number {
        case 1: self = .createBucket(try reader.getBucket())
        case 2: self = .deleteBucket(try reader.getText())
        case 3: self = .bucket(try reader.getText())
        case 4:
            self = .buckets(
                owner: try reader.getOptional { (reader) throws(MetadataError) in UserID(try reader.getText()) }
            )
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
        case 25: self = .grantLease
        case 26: self = .endLease(try reader.getLease())
        case 27: self = .activeLeases
        default: throw .unsupported("operation \(number) is none of a gateway's")
        }
    }
}
