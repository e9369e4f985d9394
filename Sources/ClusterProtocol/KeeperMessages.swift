package import DiskFormat
package import ObjectModel

/// A call to the keeper on one disk.
package struct KeeperCall: Hashable, Sendable {
    /// The disk whose log it is.
    package var keeper: DiskID
    package var request: KeeperRequest

    package init(keeper: DiskID, request: KeeperRequest) {
        self.keeper = keeper
        self.request = request
    }
}

/// What a coordinator asks of a keeper. All of them may be repeated: a repeated call changes nothing more.
package enum KeeperRequest: Hashable, Sendable {
    /// What it has.
    case state
    /// Refuse all incarnations below this one, and this one from any other holder. Answered by `.state`, durable.
    case promise(incarnation: UInt32, holder: UInt64)
    /// Records that follow `previous` one after another. None: the log ends at `previous`, as of this incarnation.
    /// Answered by `.done` with the last sequence, once all are durable.
    case append(incarnation: UInt32, previous: JournalPosition, records: [JournalRecord])
    /// Records from `sequence` on, at least one and about `limit` bytes. Answered by `.records`; none at the end.
    case read(sequence: UInt64, limit: Int)
    /// Forgets records up to `base` and keeps `reference` at the beginning of the log. A log that ends before `base`
    /// goes on behind it. Answered by `.done`.
    case trim(incarnation: UInt32, base: JournalPosition, reference: [UInt8])
    /// Is this incarnation still the newest one this keeper knows? Answered by `.done`.
    case confirm(incarnation: UInt32)
}

package enum KeeperResponse: Hashable, Sendable {
    case state(KeeperState)
    case records([JournalRecord])
    /// The sequence of the last record that is durable here.
    case done(last: UInt64)
    case refused(KeeperError)
}

/// Message kinds of the keeper protocol.
package enum KeeperMessageKind {
    package static let call: UInt16 = 0x4B01
    package static let response: UInt16 = 0x4B02
    /// The layout's version.
    package static let version: UInt16 = 1
}

extension KeeperCall {
    /// The message, with its head.
    package var encoded: [UInt8] {
        var out = MessageEncoder(MessageHead(version: KeeperMessageKind.version, kind: KeeperMessageKind.call))
        out.append(keeper.value.high)
        out.append(keeper.value.low)
        request.encode(to: &out)
        return out.bytes
    }

    package init(decoding bytes: [UInt8]) throws(MessageError) {
        var decoder = MessageDecoder(bytes)
        try KeeperCoding.checkHead(&decoder, kind: KeeperMessageKind.call)
        keeper = DiskID(Identifier128(high: try decoder.integer(), low: try decoder.integer()))
        request = try KeeperRequest(from: &decoder)
        try decoder.finish()
    }
}

extension KeeperRequest {
    fileprivate func encode(to out: inout MessageEncoder) {
        switch self {
        case .state:
            out.append(UInt8(1))
        case .promise(let incarnation, let holder):
            out.append(UInt8(2))
            out.append(incarnation)
            out.append(holder)
        case .append(let incarnation, let previous, let records):
            out.append(UInt8(3))
            out.append(incarnation)
            KeeperCoding.encode(previous, to: &out)
            out.append(list: records, KeeperCoding.encode)
        case .read(let sequence, let limit):
            out.append(UInt8(4))
            out.append(sequence)
            out.append(count: max(0, limit))
        case .trim(let incarnation, let base, let reference):
            out.append(UInt8(5))
            out.append(incarnation)
            KeeperCoding.encode(base, to: &out)
            out.append(bytes: reference)
        case .confirm(let incarnation):
            out.append(UInt8(6))
            out.append(incarnation)
        }
    }

    fileprivate init(from decoder: inout MessageDecoder) throws(MessageError) {
        switch try decoder.integer(UInt8.self) {
        case 1: self = .state
        case 2: self = .promise(incarnation: try decoder.integer(), holder: try decoder.integer())
        case 3:
            self = .append(
                incarnation: try decoder.integer(),
                previous: try KeeperCoding.position(&decoder),
                records: try decoder.list(limit: KeeperCoding.recordLimit, KeeperCoding.record)
            )
        case 4: self = .read(sequence: try decoder.integer(), limit: try decoder.count())
        case 5:
            self = .trim(
                incarnation: try decoder.integer(),
                base: try KeeperCoding.position(&decoder),
                reference: try decoder.byteString(limit: JournalFormat.referenceLimit)
            )
        case 6: self = .confirm(incarnation: try decoder.integer())
        default: throw .invalid(field: "keeper request")
        }
    }
}

extension KeeperResponse {
    /// The message, with its head.
    package var encoded: [UInt8] {
        var out = MessageEncoder(MessageHead(version: KeeperMessageKind.version, kind: KeeperMessageKind.response))
        switch self {
        case .state(let state):
            out.append(UInt8(1))
            KeeperCoding.encode(state, to: &out)
        case .records(let records):
            out.append(UInt8(2))
            out.append(list: records, KeeperCoding.encode)
        case .done(let last):
            out.append(UInt8(3))
            out.append(last)
        case .refused(let error):
            out.append(UInt8(4))
            KeeperCoding.encode(error, to: &out)
        }
        return out.bytes
    }

    package init(decoding bytes: [UInt8]) throws(MessageError) {
        var decoder = MessageDecoder(bytes)
        try KeeperCoding.checkHead(&decoder, kind: KeeperMessageKind.response)
        switch try decoder.integer(UInt8.self) {
        case 1: self = .state(try KeeperCoding.state(&decoder))
        case 2: self = .records(try decoder.list(limit: KeeperCoding.recordLimit, KeeperCoding.record))
        case 3: self = .done(last: try decoder.integer())
        case 4: self = .refused(try KeeperCoding.error(&decoder))
        default: throw .invalid(field: "keeper response")
        }
        try decoder.finish()
    }
}
