package import ClusterProtocol
internal import ObjectInterface
internal import ObjectModel

extension MetadataResponse {
    /// The message, with its head.
    package var encoded: [UInt8] {
        var writer = MetadataMessage.writer(kind: MetadataMessage.response)
        encode(into: &writer)
        return writer.bytes
    }

    /// Reads the message. Bytes are input: whatever they are, it throws and never traps.
    package init(decoding bytes: [UInt8]) throws(MessageError) {
        self = try MetadataMessage.decode(bytes, kind: MetadataMessage.response) { (reader) throws(MetadataError) in
            try Self(from: &reader)
        }
    }

    /// The answer's number; given once, never again.
    private var number: UInt8 {
        switch self {
        case .failed: 1
        case .done: 2
        case .isRegistered: 3
        case .bucket: 4
        case .buckets: 5
        case .users: 6
        case .outcomes: 7
        case .version: 8
        case .deletions: 9
        case .list: 10
        case .upload: 11
        case .listUploads: 12
        case .uploads: 13
        case .parts: 14
        case .completed: 15
        case .blob: 16
        case .blobs: 17
        case .missingShards: 18
        case .count: 19
        case .owners: 20
        case .lease: 21
        case .leases: 22
        case .disks: 23
        case .groups: 24
        case .statistics: 25
        }
    }

    private func encode(into writer: inout ByteWriter) {
        writer.put(byte: number)
        switch self {
        case .done: break
        case .failed(let error): writer.put(error)
        case .isRegistered(let value): writer.put(flag: value)
        case .bucket(let bucket): writer.put(optional: bucket) { $1.encode(into: &$0) }
        case .buckets(let buckets): writer.put(list: buckets) { $1.encode(into: &$0) }
        case .users(let users): writer.put(list: users) { $1.encode(into: &$0) }
        case .outcomes(let results): writer.put(results: results) { $0.put($1.number) }
        case .version(let detail): writer.put(optional: detail) { $0.put($1) }
        case .deletions(let results): writer.put(results: results) { $0.put(flag: $1.existed) }
        case .list(let page): writer.put(page)
        case .upload(let record): writer.put(optional: record) { $1.encode(into: &$0) }
        case .listUploads(let page): writer.put(page)
        case .uploads(let uploads): writer.put(list: uploads) { $0.put($1) }
        case .parts(let parts, let isTruncated):
            writer.put(list: parts) { $1.encode(into: &$0) }
            writer.put(flag: isTruncated)
        case .completed(let outcome): writer.put(outcome.number)
        case .blob(let blob): writer.put(optional: blob) { $0.put($1) }
        case .blobs(let blobs, let isTruncated):
            writer.put(list: blobs) { $0.put($1) }
            writer.put(flag: isTruncated)
        case .missingShards(let shards): writer.put(list: shards) { $0.put($1) }
        case .count(let count): writer.put(count)
        case .owners(let owners): writer.put(list: owners) { $0.put($1) }
        case .lease(let lease): writer.put(lease)
        case .leases(let leases):
            writer.put(list: leases) { writer, entry in
                writer.put(entry.lease)
                writer.put(entry.holder.name)
            }
        case .disks(let disks): writer.put(list: disks) { $1.encode(into: &$0) }
        case .groups(let groups): writer.put(list: groups) { $0.put($1.encoded()) }
        case .statistics(let statistics): writer.put(statistics)
        }
    }

    private init(from reader: inout ByteReader) throws(MetadataError) {
        let number = try reader.getByte()
        switch number {
        case 1: self = .failed(try reader.getStorageError())
        case 2: self = .done
        case 3: self = .isRegistered(try reader.getFlag())
        case 4: self = .bucket(try reader.getOptional(Bucket.init(from:)))
        case 5: self = .buckets(try reader.getList(size: 4, Bucket.init(from:)))
        case 6: self = .users(try reader.getList(size: 6, UserRecord.init(from:)))
        case 7:
            self = .outcomes(
                try reader.getResults { (reader) throws(MetadataError) in
                    CommitOutcome(number: try reader.getInteger())
                }
            )
        case 8:
            self = .version(
                try reader.getOptional { (reader) throws(MetadataError) in try reader.getVersionDetail() }
            )
        case 9:
            self = .deletions(
                try reader.getResults { (reader) throws(MetadataError) in
                    DeleteResult(existed: try reader.getFlag())
                }
            )
        case 10: self = .list(try reader.getListPage())
        case 11: self = .upload(try reader.getOptional(UploadRecord.init(from:)))
        case 12: self = .listUploads(try reader.getListUploadsPage())
        case 13: self = .uploads(try reader.getUploads())
        case 14:
            self = .parts(
                try reader.getList(size: 6, PartRecord.init(from:)),
                isTruncated: try reader.getFlag()
            )
        case 15: self = .completed(CommitOutcome(number: try reader.getInteger()))
        default: try self.init(cluster: number, from: &reader)
        }
    }

    private init(cluster number: UInt8, from reader: inout ByteReader) throws(MetadataError) {
        switch number {
        case 16:
            self = .blob(try reader.getOptional { (reader) throws(MetadataError) in try reader.getBlobRecord() })
        case 17:
            let blobs = try reader.getList(size: 23) { (reader) throws(MetadataError) in try reader.getBlobRecord() }
            self = .blobs(blobs, isTruncated: try reader.getFlag())
        case 18:
            self = .missingShards(
                try reader.getList(size: 6) { (reader) throws(MetadataError) in try reader.getMissingShard() }
            )
        case 19: self = .count(try reader.getInt())
        case 20:
            self = .owners(
                try reader.getList(size: 7) { (reader) throws(MetadataError) in try reader.getBlobOwner() }
            )
        case 21: self = .lease(try reader.getLease())
        case 22:
            self = .leases(
                try reader.getList(size: 3) { (reader) throws(MetadataError) in
                    (lease: try reader.getLease(), holder: NodeName(try reader.getText()))
                }
            )
        case 23: self = .disks(try reader.getList(size: 21, DiskRecord.init(from:)))
        case 24: 
            // Each by itself: what is at the end of a group is there in some only.
            self = .groups(
                try reader.getList(size: 8) { (reader) throws(MetadataError) in
                    try GroupRecord(row: try reader.getBytes())
                }
            )
        case 25: self = .statistics(try reader.getStatistics())
        default: throw .unsupported("metadata answer \(number)")
        }
    }
}
