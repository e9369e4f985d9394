internal import DiskFormat
package import ObjectModel

/// Message kinds of the calls about a node's slots.
package enum NodeMessageKind {
    package static let call: UInt16 = 0x4E01
    package static let response: UInt16 = 0x4E02
    /// The layout's version.
    package static let version: UInt16 = 1
    /// Bytes of a slot's name or path, and of the words in an answer, at most.
    static let textLimit = 4_096
    /// Slots of one node at most.
    package static let slotLimit = 4_096

    static func checkHead(_ decoder: inout MessageDecoder, kind: UInt16) throws(MessageError) {
        let head = try decoder.head()
        guard head.version == version else { throw .unknownVersion(head.version) }
        guard head.kind == kind else { throw .unknownKind(head.kind) }
    }
}

extension NodeCall {
    /// The message, with its head.
    package var encoded: [UInt8] {
        var out = MessageEncoder(MessageHead(version: NodeMessageKind.version, kind: NodeMessageKind.call))
        out.append(incarnation)
        request.encode(to: &out)
        return out.bytes
    }

    package init(decoding bytes: [UInt8]) throws(MessageError) {
        var decoder = MessageDecoder(bytes)
        try NodeMessageKind.checkHead(&decoder, kind: NodeMessageKind.call)
        incarnation = try decoder.integer()
        request = try NodeRequest(from: &decoder)
        try decoder.finish()
    }
}

extension NodeRequest {
    fileprivate func encode(to out: inout MessageEncoder) {
        switch self {
        case .survey: out.append(UInt8(1))
        case .format(let slot, let disk):
            out.append(UInt8(2))
            out.append(text: slot)
            out.append(disk.cluster)
            out.append(disk.disk)
        case .open(let slot, let disk):
            out.append(UInt8(3))
            out.append(text: slot)
            out.append(disk.cluster)
            out.append(disk.disk)
            out.append(disk.epoch)
            out.append(disk.wantsLog)
            out.append(disk.isReturning)
        case .release(let disk):
            out.append(UInt8(4))
            out.append(disk)
        case .reopenLog(let disk):
            out.append(UInt8(5))
            out.append(disk)
        case .renewLog(let disk):
            out.append(UInt8(6))
            out.append(disk)
        case .watch: out.append(UInt8(7))
        case .compact: out.append(UInt8(8))
        case .mend: out.append(UInt8(9))
        }
    }

    fileprivate init(from decoder: inout MessageDecoder) throws(MessageError) {
        switch try decoder.integer(UInt8.self) {
        case 1: self = .survey
        case 2:
            self = .format(
                slot: try decoder.text(limit: NodeMessageKind.textLimit),
                NewDisk(cluster: try decoder.clusterID(), disk: try decoder.diskID())
            )
        case 3:
            self = .open(
                slot: try decoder.text(limit: NodeMessageKind.textLimit),
                ExpectedDisk(
                    cluster: try decoder.clusterID(),
                    disk: try decoder.diskID(),
                    epoch: try decoder.integer(),
                    wantsLog: try decoder.bool(),
                    isReturning: try decoder.bool()
                )
            )
        case 4: self = .release(try decoder.diskID())
        case 5: self = .reopenLog(try decoder.diskID())
        case 6: self = .renewLog(try decoder.diskID())
        case 7: self = .watch
        case 8: self = .compact
        case 9: self = .mend
        default: throw .invalid(field: "node request")
        }
    }
}

extension NodeResponse {
    /// The message, with its head.
    package var encoded: [UInt8] {
        var out = MessageEncoder(MessageHead(version: NodeMessageKind.version, kind: NodeMessageKind.response))
        switch self {
        case .slots(let slots):
            out.append(UInt8(1))
            out.append(list: slots.prefix(NodeMessageKind.slotLimit)) { $0.append($1) }
        case .opened(let disk):
            out.append(UInt8(2))
            out.append(disk.hasLog)
            out.append(disk.isUnused)
        case .disks(let disks):
            out.append(UInt8(3))
            out.append(list: disks.prefix(NodeMessageKind.slotLimit)) { $0.append($1) }
        case .bad(let shards):
            out.append(UInt8(4))
            out.append(list: shards.prefix(ShardRequest.batchLimit)) { $0.append($1) }
        case .count(let count):
            out.append(UInt8(5))
            out.append(count: max(0, count))
        case .done: out.append(UInt8(6))
        case .refused(let refusal):
            out.append(UInt8(7))
            refusal.encode(to: &out)
        }
        return out.bytes
    }

    package init(decoding bytes: [UInt8]) throws(MessageError) {
        var decoder = MessageDecoder(bytes)
        try NodeMessageKind.checkHead(&decoder, kind: NodeMessageKind.response)
        let limit = NodeMessageKind.slotLimit
        switch try decoder.integer(UInt8.self) {
        case 1: self = .slots(try decoder.list(limit: limit) { d throws(MessageError) in try d.slotReport() })
        case 2: self = .opened(OpenedDisk(hasLog: try decoder.bool(), isUnused: try decoder.bool()))
        case 3: self = .disks(try decoder.list(limit: limit) { d throws(MessageError) in try d.hostedDisk() })
        case 4:
            self = .bad(
                try decoder.list(limit: ShardRequest.batchLimit) { d throws(MessageError) in try d.shardID() }
            )
        case 5: self = .count(try decoder.count())
        case 6: self = .done
        case 7: self = .refused(try NodeRefusal(from: &decoder))
        default: throw .invalid(field: "node response")
        }
        try decoder.finish()
    }
}

extension NodeRefusal {
    fileprivate func encode(to out: inout MessageEncoder) {
        switch self {
        case .superseded(let incarnation):
            out.append(UInt8(1))
            out.append(incarnation)
        case .noSuchSlot(let slot):
            out.append(UInt8(2))
            out.append(words: slot)
        case .notEmpty(let what):
            out.append(UInt8(3))
            out.append(words: what)
        case .failed(let reason):
            out.append(UInt8(4))
            out.append(words: reason)
        case .busy: out.append(UInt8(5))
        case .notServed: out.append(UInt8(6))
        }
    }

    fileprivate init(from decoder: inout MessageDecoder) throws(MessageError) {
        switch try decoder.integer(UInt8.self) {
        case 1: self = .superseded(try decoder.integer())
        case 2: self = .noSuchSlot(try decoder.words())
        case 3: self = .notEmpty(try decoder.words())
        case 4: self = .failed(try decoder.words())
        case 5: self = .busy
        case 6: self = .notServed
        default: throw .invalid(field: "node refusal")
        }
    }
}

extension MessageEncoder {
    package mutating func append(_ cluster: ClusterID) {
        append(cluster.value.high)
        append(cluster.value.low)
    }

    /// Words for people, cut where they are too long.
    mutating func append(words: String) { append(bytes: words.utf8.prefix(NodeMessageKind.textLimit)) }

    fileprivate mutating func append(_ report: SlotReport) {
        append(words: report.slot)
        append(words: report.path)
        switch report.finding {
        case .disk(let cluster, let disk):
            append(UInt8(1))
            append(cluster)
            append(disk)
        case .empty: append(UInt8(2))
        case .unusable(let reason):
            append(UInt8(3))
            append(words: reason)
        case .occupied(let what):
            append(UInt8(4))
            append(words: what)
        }
    }

    fileprivate mutating func append(_ report: HostedDiskReport) {
        append(report.disk)
        append(words: report.slot)
        append(words: report.failure)
        append(report.isInPlace)
        append(report.log.rawValue)
        append(report.hasJournalRoom)
        append(report.journalRoom)
        append(report.wantsCheckpoint)
    }
}

extension MessageDecoder {
    package mutating func clusterID() throws(MessageError) -> ClusterID {
        ClusterID(Identifier128(high: try integer(), low: try integer()))
    }

    /// Words may be cut within a character.
    mutating func words() throws(MessageError) -> String {
        String(decoding: try byteString(limit: NodeMessageKind.textLimit), as: UTF8.self)
    }

    fileprivate mutating func slotReport() throws(MessageError) -> SlotReport {
        let slot = try words()
        let path = try words()
        let finding: SlotReport.Finding
        switch try integer(UInt8.self) {
        case 1: finding = .disk(try clusterID(), try diskID())
        case 2: finding = .empty
        case 3: finding = .unusable(try words())
        case 4: finding = .occupied(try words())
        default: throw .invalid(field: "slot")
        }
        return SlotReport(slot: slot, path: path, finding: finding)
    }

    fileprivate mutating func hostedDisk() throws(MessageError) -> HostedDiskReport {
        let disk = try diskID()
        let slot = try words()
        let failure = try words()
        let isInPlace = try bool()
        guard let log = HostedDiskReport.Log(rawValue: try integer()) else { throw .invalid(field: "log") }
        return HostedDiskReport(
            disk: disk,
            slot: slot,
            failure: failure,
            isInPlace: isInPlace,
            log: log,
            hasJournalRoom: try bool(),
            journalRoom: try integer(),
            wantsCheckpoint: try bool()
        )
    }
}
