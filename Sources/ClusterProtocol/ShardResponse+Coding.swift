internal import DiskFormat
internal import ObjectModel

private enum Kind {
    static let version: UInt16 = 1
    static let done: UInt16 = 0x0181
    static let handle: UInt16 = 0x0182
    static let read: UInt16 = 0x0183
    static let description: UInt16 = 0x0184
    static let verified: UInt16 = 0x0185
    static let inventory: UInt16 = 0x0186
    static let status: UInt16 = 0x0187
    static let failure: UInt16 = 0x01FF
}

extension ShardResponse {
    package func encoded() -> [UInt8] {
        var encoder = MessageEncoder(MessageHead(version: Kind.version, kind: kind), capacity: 64)
        switch self {
        case .done: break
        case .handle(let handle): encoder.append(handle)
        case .read(let answer):
            encoder.append(answer.writeStamp)
            encoder.append(list: answer.parts) { encoder, part in
                encoder.append(count: part.firstLeaf)
                encoder.append(count: part.length)
                encoder.append(list: part.leafChecksums) { $0.append($1) }
            }
        case .description(let header, let trailer):
            encoder.append(header)
            encoder.append(trailer)
        case .verified(let isGood): encoder.append(isGood)
        case .inventory(let entries, let isLast):
            encoder.append(list: entries) { encoder, entry in
                encoder.append(entry.shard)
                encoder.append(entry.writeStamp)
                encoder.append(count: entry.bodyLength)
            }
            encoder.append(isLast)
        case .status(let status): encoder.append(status)
        case .failure(let failure): encoder.append(failure)
        }
        return encoder.bytes
    }

    private var kind: UInt16 {
        switch self {
        case .done: Kind.done
        case .handle: Kind.handle
        case .read: Kind.read
        case .description: Kind.description
        case .verified: Kind.verified
        case .inventory: Kind.inventory
        case .status: Kind.status
        case .failure: Kind.failure
        }
    }

    package init(encoded bytes: [UInt8]) throws(MessageError) {
        var decoder = MessageDecoder(bytes)
        let head = try decoder.head()
        guard head.version == Kind.version else { throw .unknownVersion(head.version) }
        switch head.kind {
        case Kind.done: self = .done
        case Kind.handle: self = .handle(try decoder.integer())
        case Kind.read: self = .read(try decoder.readAnswer())
        case Kind.description: self = .description(try decoder.shardHeader(), try decoder.shardTrailer())
        case Kind.verified: self = .verified(isGood: try decoder.bool())
        case Kind.inventory: self = .inventory(try decoder.inventory(), isLast: try decoder.bool())
        case Kind.status: self = .status(try decoder.diskStatus())
        case Kind.failure: self = .failure(try decoder.shardFailure())
        default: throw .unknownKind(head.kind)
        }
        try decoder.finish()
    }
}

extension MessageEncoder {
    fileprivate mutating func append(_ status: DiskStatus) {
        append(status.isUsable)
        append(text: status.reason)
        for count in [
            status.capacity, status.room, status.liveBytes, status.deadBytes, status.shardCount,
        ] { append(count: count) }
    }

    fileprivate mutating func append(_ failure: ShardFailure) {
        let (code, text): (UInt8, String) =
            switch failure {
            case .notFound: (1, "")
            case .corrupt: (2, "")
            case .full: (3, "")
            case .diskUnusable(let reason): (4, reason)
            case .noSuchDisk: (5, "")
            case .noSuchHandle: (6, "")
            case .invalid(let reason): (7, reason)
            case .unreachable: (8, "")
            case .unknownOutcome: (9, "")
            case .leaseEnded: (10, "")
            }
        append(code)
        append(text: text)
    }
}

extension MessageDecoder {
    fileprivate mutating func readAnswer() throws(MessageError) -> ShardReadAnswer {
        ShardReadAnswer(
            writeStamp: try integer(),
            parts: try list(limit: Scheme.maximumShardCount) { decoder throws(MessageError) in
                ShardReadAnswer.Part(
                    firstLeaf: try decoder.count(limit: Limits.blobLength),
                    length: try decoder.count(limit: Limits.blobLength),
                    leafChecksums: try decoder.checksums()
                )
            }
        )
    }

    fileprivate mutating func inventory() throws(MessageError) -> [ShardInventoryEntry] {
        try list(limit: ShardRequest.batchLimit) { decoder throws(MessageError) in
            ShardInventoryEntry(
                shard: try decoder.shardID(),
                writeStamp: try decoder.integer(),
                bodyLength: try decoder.count(limit: Limits.blobLength)
            )
        }
    }

    fileprivate mutating func diskStatus() throws(MessageError) -> DiskStatus {
        DiskStatus(
            isUsable: try bool(),
            reason: try text(),
            capacity: try count(limit: DiskStatus.countLimit),
            room: try count(limit: DiskStatus.countLimit),
            liveBytes: try count(limit: DiskStatus.countLimit),
            deadBytes: try count(limit: DiskStatus.countLimit),
            shardCount: try count(limit: DiskStatus.countLimit)
        )
    }

    fileprivate mutating func shardFailure() throws(MessageError) -> ShardFailure {
        let code = try integer(UInt8.self)
        let reason = try text()
        switch code {
        case 1: return .notFound
        case 2: return .corrupt
        case 3: return .full
        case 4: return .diskUnusable(reason)
        case 5: return .noSuchDisk
        case 6: return .noSuchHandle
        case 7: return .invalid(reason)
        case 8: return .unreachable
        case 9: return .unknownOutcome
        case 10: return .leaseEnded
        default: throw .invalid(field: "failure")
        }
    }
}
