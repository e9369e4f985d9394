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

    /// The answer's number; given once, never again. The gaps are answers to what is no gateway's.
    private var number: UInt8 {
        switch self {
        case .failed: 1
        case .done: 2
        case .bucket: 4
        case .buckets: 5
        case .outcomes: 7
        case .version: 8
        case .deletions: 9
        case .list: 10
        case .upload: 11
        case .listUploads: 12
        case .parts: 14
        case .completed: 15
        case .lease: 21
        case .leases: 22
        }
    }

    private func encode(into writer: inout ByteWriter) {
        writer.put(byte: number)
        switch self {
        case .done: break
        case .failed(let error): writer.put(error)
        case .bucket(let bucket): writer.put(optional: bucket) { $0.put($1) }
        case .buckets(let buckets): writer.put(list: buckets) { $0.put($1) }
        case .outcomes(let results): writer.put(results: results) { $0.put($1.number) }
        case .version(let detail): writer.put(optional: detail) { $0.put($1) }
        case .deletions(let results): writer.put(results: results) { $0.put(flag: $1.existed) }
        case .list(let page): writer.put(page)
        case .upload(let record): writer.put(optional: record) { $1.encode(into: &$0) }
        case .listUploads(let page): writer.put(page)
        case .parts(let parts, let isTruncated):
            writer.put(list: parts) { $1.encode(into: &$0) }
            writer.put(flag: isTruncated)
        case .completed(let outcome): writer.put(outcome.number)
        case .lease(let lease): writer.put(lease)
        case .leases(let leases):
            writer.put(list: leases) { writer, entry in
                writer.put(entry.lease)
                writer.put(entry.holder.name)
            }
        }
    }

    private init(from reader: inout ByteReader) throws(MetadataError) {
        let number = try reader.getByte()
        switch number {
        case 1: self = .failed(try reader.getStorageError())
        case 2: self = .done
        case 4: self = .bucket(try reader.getOptional { (reader) throws(MetadataError) in try reader.getBucket() })
        case 5:
            self = .buckets(
                try reader.getList(size: 5) { (reader) throws(MetadataError) in try reader.getBucket() }
            )
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
        case 14:
            self = .parts(
                try reader.getList(size: 6, PartRecord.init(from:)),
                isTruncated: try reader.getFlag()
            )
        case 15: self = .completed(CommitOutcome(number: try reader.getInteger()))
        case 21: self = .lease(try reader.getLease())
        case 22:
            self = .leases(
                try reader.getList(size: 3) { (reader) throws(MetadataError) in
                    (lease: try reader.getLease(), holder: NodeName(try reader.getText()))
                }
            )
        default: throw .unsupported("metadata answer \(number)")
        }
    }
}
