internal import DiskFormat

/// The parts that keeper messages share.
enum KeeperCoding {
    /// Records of one message at most: as many empty ones as a batch has room for.
    static let recordLimit = JournalFormat.batchLimit / JournalFormat.recordHeaderLength
    /// Damaged ranges that a state names at most. The state of a keeper with more is not understood, and it counts as
    /// one that does not answer.
    static let damageLimit = 1_024
    /// Bytes of the words in an error.
    static let reasonLimit = 4_096

    static func checkHead(_ decoder: inout MessageDecoder, kind: UInt16) throws(MessageError) {
        let head = try decoder.head()
        guard head.version == KeeperMessageKind.version else { throw .unknownVersion(head.version) }
        guard head.kind == kind else { throw .unknownKind(head.kind) }
    }

    static func encode(_ position: JournalPosition, to out: inout MessageEncoder) {
        out.append(position.incarnation)
        out.append(position.stream)
        out.append(position.sequence)
    }

    static func position(_ decoder: inout MessageDecoder) throws(MessageError) -> JournalPosition {
        let position = JournalPosition(
            incarnation: try decoder.integer(),
            stream: try decoder.integer(),
            sequence: try decoder.integer()
        )
        guard position.isPossible else { throw .invalid(field: "position") }
        return position
    }

    static func encode(_ out: inout MessageEncoder, _ record: JournalRecord) {
        encode(record.position, to: &out)
        out.append(bytes: record.payload)
    }

    static func record(_ decoder: inout MessageDecoder) throws(MessageError) -> JournalRecord {
        JournalRecord(
            position: try position(&decoder),
            payload: try decoder.byteString(limit: JournalFormat.payloadLimit)
        )
    }

    private static func encode(_ out: inout MessageEncoder, _ range: Range<UInt64>) {
        out.append(range.lowerBound)
        out.append(range.upperBound)
    }

    private static func range(_ decoder: inout MessageDecoder) throws(MessageError) -> Range<UInt64> {
        let lower: UInt64 = try decoder.integer()
        let upper: UInt64 = try decoder.integer()
        guard lower <= upper else { throw .invalid(field: "range") }
        return lower..<upper
    }

    static func encode(_ state: KeeperState, to out: inout MessageEncoder) {
        out.append(state.promised)
        out.append(state.holder)
        out.append(state.written)
        encode(state.base, to: &out)
        encode(state.last, to: &out)
        out.append(list: state.damaged, encode)
        out.append(bytes: state.reference)
    }

    static func state(_ decoder: inout MessageDecoder) throws(MessageError) -> KeeperState {
        KeeperState(
            promised: try decoder.integer(),
            holder: try decoder.integer(),
            written: try decoder.integer(),
            base: try position(&decoder),
            last: try position(&decoder),
            damaged: try decoder.list(limit: damageLimit, range),
            reference: try decoder.byteString(limit: JournalFormat.referenceLimit)
        )
    }

    static func encode(_ error: KeeperError, to out: inout MessageEncoder) {
        switch error {
        case .superseded(let promised):
            out.append(UInt8(1))
            out.append(promised)
        case .gap(let expected):
            out.append(UInt8(2))
            out.append(expected)
        case .mismatch(let sequence):
            out.append(UInt8(3))
            out.append(sequence)
        case .damaged(let range):
            out.append(UInt8(4))
            encode(&out, range)
        case .trimmed(let position):
            out.append(UInt8(5))
            encode(position, to: &out)
        case .full: out.append(UInt8(6))
        case .failed(let reason):
            out.append(UInt8(7))
            out.append(bytes: reason.utf8.prefix(reasonLimit))
        case .tooLarge(let limit):
            out.append(UInt8(8))
            out.append(count: limit)
        case .busy: out.append(UInt8(9))
        case .invalid(let reason):
            out.append(UInt8(10))
            out.append(bytes: reason.utf8.prefix(reasonLimit))
        }
    }

    static func error(_ decoder: inout MessageDecoder) throws(MessageError) -> KeeperError {
        switch try decoder.integer(UInt8.self) {
        case 1: .superseded(promised: try decoder.integer())
        case 2: .gap(expected: try decoder.integer())
        case 3: .mismatch(sequence: try decoder.integer())
        case 4: .damaged(try range(&decoder))
        case 5: .trimmed(try position(&decoder))
        case 6: .full
        // Words may be cut within a character.
        case 7: .failed(String(decoding: try decoder.byteString(limit: reasonLimit), as: UTF8.self))
        case 8: .tooLarge(limit: try decoder.count())
        case 9: .busy
        case 10: .invalid(String(decoding: try decoder.byteString(limit: reasonLimit), as: UTF8.self))
        default: throw .invalid(field: "keeper error")
        }
    }
}
