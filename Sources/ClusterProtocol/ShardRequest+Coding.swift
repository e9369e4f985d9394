internal import DiskFormat
internal import ObjectModel

/// The kinds of shard messages; keeper messages have theirs from 0x0200 on.
private enum Kind {
    static let version: UInt16 = 1
    static let write: UInt16 = 0x0101
    static let begin: UInt16 = 0x0102
    static let append: UInt16 = 0x0103
    static let seal: UInt16 = 0x0104
    static let abort: UInt16 = 0x0105
    static let read: UInt16 = 0x0106
    static let describe: UInt16 = 0x0107
    static let verify: UInt16 = 0x0108
    static let erase: UInt16 = 0x0109
    static let inventory: UInt16 = 0x010A
    static let status: UInt16 = 0x010B
    static let rewrite: UInt16 = 0x010C
    static let eraseRecord: UInt16 = 0x010D
}

extension ShardRequest {
    package func encoded() -> [UInt8] {
        var encoder = MessageEncoder(MessageHead(version: Kind.version, kind: kind), capacity: 256)
        encoder.append(disk)
        switch self {
        case .write(_, let header, let trailer, let checksums), .rewrite(_, let header, let trailer, let checksums):
            encoder.append(header)
            encoder.append(trailer)
            encoder.append(list: checksums) { $0.append($1) }
        case .begin(_, let header): encoder.append(header)
        case .append(_, let handle, let offset):
            encoder.append(handle)
            encoder.append(count: offset)
        case .seal(_, let handle, let trailer, let checksums):
            encoder.append(handle)
            encoder.append(trailer)
            encoder.append(list: checksums) { $0.append($1) }
        case .abort(_, let handle): encoder.append(handle)
        case .read(_, let shard, let ranges):
            encoder.append(shard)
            encoder.append(list: ranges) { encoder, range in
                encoder.append(count: range.lowerBound)
                encoder.append(count: range.upperBound)
            }
        case .describe(_, let shard), .verify(_, let shard): encoder.append(shard)
        case .erase(_, let shards): encoder.append(list: shards) { $0.append($1) }
        case .eraseRecord(_, let shard, let stamp):
            encoder.append(shard)
            encoder.append(stamp)
        case .inventory(_, let after, let limit):
            encoder.append(optional: after) { $0.append($1) }
            encoder.append(count: limit)
        case .status: break
        }
        return encoder.bytes
    }

    private var kind: UInt16 {
        switch self {
        case .write: Kind.write
        case .rewrite: Kind.rewrite
        case .begin: Kind.begin
        case .append: Kind.append
        case .seal: Kind.seal
        case .abort: Kind.abort
        case .read: Kind.read
        case .describe: Kind.describe
        case .verify: Kind.verify
        case .erase: Kind.erase
        case .eraseRecord: Kind.eraseRecord
        case .inventory: Kind.inventory
        case .status: Kind.status
        }
    }

    package init(encoded bytes: [UInt8]) throws(MessageError) {
        var decoder = MessageDecoder(bytes)
        let head = try decoder.head()
        guard head.version == Kind.version else { throw .unknownVersion(head.version) }
        let disk = try decoder.diskID()
        switch head.kind {
        case Kind.write:
            self = .write(
                disk,
                try decoder.shardHeader(),
                try decoder.shardTrailer(),
                leafChecksums: try decoder.checksums()
            )
        case Kind.rewrite:
            self = .rewrite(
                disk,
                try decoder.shardHeader(),
                try decoder.shardTrailer(),
                leafChecksums: try decoder.checksums()
            )
        case Kind.begin: self = .begin(disk, try decoder.shardHeader())
        case Kind.append:
            self = .append(
                disk,
                handle: try decoder.integer(),
                offset: try decoder.count(limit: Limits.blobLength)
            )
        case Kind.seal:
            self = .seal(
                disk,
                handle: try decoder.integer(),
                try decoder.shardTrailer(),
                leafChecksums: try decoder.checksums()
            )
        case Kind.abort: self = .abort(disk, handle: try decoder.integer())
        case Kind.read: self = .read(disk, try decoder.shardID(), ranges: try decoder.ranges())
        case Kind.describe: self = .describe(disk, try decoder.shardID())
        case Kind.verify: self = .verify(disk, try decoder.shardID())
        case Kind.erase:
            self = .erase(
                disk,
                try decoder.list(limit: Self.batchLimit) { decoder throws(MessageError) in
                    try decoder.shardID()
                }
            )
        case Kind.eraseRecord:
            self = .eraseRecord(disk, try decoder.shardID(), writeStamp: try decoder.integer())
        case Kind.inventory:
            self = .inventory(
                disk,
                after: try decoder.optional { decoder throws(MessageError) in try decoder.shardID() },
                limit: try decoder.count(limit: Self.batchLimit)
            )
        case Kind.status: self = .status(disk)
        default: throw .unknownKind(head.kind)
        }
        try decoder.finish()
    }
}

extension MessageDecoder {
    fileprivate mutating func ranges() throws(MessageError) -> [Range<Int>] {
        try list(limit: Scheme.maximumShardCount) { decoder throws(MessageError) in
            let lower = try decoder.count(limit: Limits.blobLength)
            let upper = try decoder.count(limit: Limits.blobLength)
            guard lower < upper else { throw .invalid(field: "range") }
            return lower..<upper
        }
    }

    mutating func checksums() throws(MessageError) -> [UInt32] {
        try list(limit: Leaf.count(of: Limits.blobLength)) { decoder throws(MessageError) in try decoder.integer() }
    }
}
