/// The header of one batch: the records of one append, written in one piece and made durable by one sync.
///
/// A batch says where it joins the log: its records follow `previous`, and whatever the log held behind that is
/// replaced. So a log is only ever appended to, also when its tail is replaced.
package struct JournalBatchHeader: Hashable, Sendable {
    /// Bytes of the header and all records, without the padding to whole blocks.
    package var length: Int
    /// 0 in a mark: the log ends at `previous`, and is whole as of the incarnation `written`.
    package var recordCount: Int
    /// The incarnation of the keeper's last mark, this batch included. Records that only bring a keeper up to date do
    /// not raise it: of two logs the one with the higher mark holds all that was acknowledged before that mark.
    package var written: UInt32
    package var previous: JournalPosition
    /// Where the log stood before this batch: tails replaced so far, and the CRC of the last record or mark.
    package var cuts: UInt32
    package var chain: UInt32
    /// Rises by one per batch of the keeper, over all files.
    package var ordinal: UInt64
    /// The CRC of this header, to which the first record is chained.
    package private(set) var checksum: UInt32 = 0

    fileprivate init(
        length: Int,
        recordCount: Int,
        written: UInt32,
        previous: JournalPosition,
        point: JournalLogPoint,
        ordinal: UInt64
    ) {
        self.length = length
        self.recordCount = recordCount
        self.written = written
        self.previous = previous
        cuts = point.cuts
        chain = point.chain
        self.ordinal = ordinal
    }

    private static let magic: UInt32 = 0x3142_4A43  // "CJB1"
    private static let checksumOffset = JournalFormat.batchHeaderLength - 4

    fileprivate mutating func encode(salt: UInt64, into out: inout JournalBytes) {
        out.append(Self.magic)
        out.append(UInt16(JournalFormat.batchHeaderLength))
        out.append(UInt16(0))
        out.append(UInt32(length))
        out.append(UInt32(recordCount))
        out.append(written)
        out.append(previous.stream)
        out.append(previous.sequence)
        out.append(previous.incarnation)
        out.append(chain)
        out.append(ordinal)
        out.append(cuts)
        out.pad(to: Self.checksumOffset)
        checksum = out.bytes.withUnsafeBytes { JournalBytes.checksum($0, seed: salt) }
        out.append(checksum)
    }

    /// Reads the header at the beginning of `bytes`, in a file with the given salt.
    package init(decoding bytes: UnsafeRawBufferPointer, salt: UInt64) throws(JournalFormatError) {
        guard bytes.count >= JournalFormat.batchHeaderLength else { throw .truncated }
        guard bytes.field(0, as: UInt32.self) == Self.magic else { throw .notFound }
        let fixed = UnsafeRawBufferPointer(rebasing: bytes[..<Self.checksumOffset])
        checksum = bytes.field(Self.checksumOffset)
        guard JournalBytes.checksum(fixed, seed: salt) == checksum else { throw .checksum }
        guard bytes.field(4, as: UInt16.self) == JournalFormat.batchHeaderLength else {
            throw .invalid("header length")
        }
        length = Int(bytes.field(8, as: UInt32.self))
        recordCount = Int(bytes.field(12, as: UInt32.self))
        written = bytes.field(16)
        previous = JournalPosition(
            incarnation: bytes.field(32),
            stream: bytes.field(20),
            sequence: bytes.field(24)
        )
        chain = bytes.field(36)
        ordinal = bytes.field(40)
        cuts = bytes.field(48)
        guard length >= JournalFormat.batchHeaderLength,
            length <= JournalFormat.batchHeaderLength + JournalFormat.batchLimit,
            recordCount <= (length - JournalFormat.batchHeaderLength) / JournalFormat.recordHeaderLength,
            previous.isPossible
        else { throw .invalid("length or sequence") }
    }
}

/// A batch in full: what is written, and what recovery and reads get back.
package struct JournalBatch: Sendable {
    package var header: JournalBatchHeader
    package var records: [JournalRecord]
    /// The CRC to which the next batch of the keeper is chained: the last record's, or the header's without one.
    package var endChain: UInt32
    /// Where the last intact record ends, counted from the batch's beginning.
    package var intactLength: Int

    package var isWhole: Bool { records.count == header.recordCount }

    /// Encodes records that follow `previous` one after another. The bytes end without padding.
    package static func encode(
        _ records: [JournalRecord],
        after previous: JournalPosition,
        written: UInt32,
        point: JournalLogPoint,
        ordinal: UInt64,
        salt: UInt64
    ) -> (bytes: [UInt8], endChain: UInt32) {
        let body = records.reduce(0) { $0 + JournalFormat.recordLength(payload: $1.payload.count) }
        var header = JournalBatchHeader(
            length: JournalFormat.batchHeaderLength + body,
            recordCount: records.count,
            written: written,
            previous: previous,
            point: point,
            ordinal: ordinal
        )
        var out = JournalBytes()
        out.bytes.reserveCapacity(JournalFormat.blocks(header.length))
        header.encode(salt: salt, into: &out)
        var chain = header.checksum
        for record in records {
            chain = append(record, chain: chain, salt: salt, to: &out)
        }
        return (out.bytes, chain)
    }

    private static func append(
        _ record: JournalRecord,
        chain: UInt32,
        salt: UInt64,
        to out: inout JournalBytes
    ) -> UInt32 {
        let start = out.bytes.count
        out.append(UInt32(record.payload.count))
        out.append(record.position.incarnation)
        out.append(record.position.sequence)
        out.append(chain)
        let checksum = out.bytes.withUnsafeBytes { bytes in
            recordChecksum(
                UnsafeRawBufferPointer(rebasing: bytes[start..<start + 20]),
                payload: record.payload,
                salt: salt
            )
        }
        out.append(checksum)
        out.bytes.append(contentsOf: record.payload)
        out.pad(to: start + JournalFormat.recordLength(payload: record.payload.count))
        return checksum
    }

    private static func recordChecksum(
        _ head: UnsafeRawBufferPointer,
        payload: [UInt8],
        salt: UInt64
    ) -> UInt32 {
        payload.withUnsafeBytes { recordChecksum(head, payload: $0, salt: salt) }
    }

    private static func recordChecksum(
        _ head: UnsafeRawBufferPointer,
        payload: UnsafeRawBufferPointer,
        salt: UInt64
    ) -> UInt32 {
        JournalBytes.continued(JournalBytes.checksum(head, seed: salt), payload)
    }

    /// Reads the batch at the beginning of `bytes`. Throws when its header is bad; of the records it holds those
    /// before the first bad one.
    package init(decoding bytes: UnsafeRawBufferPointer, salt: UInt64) throws(JournalFormatError) {
        let header = try JournalBatchHeader(decoding: bytes, salt: salt)
        self.header = header
        records = []
        endChain = header.checksum
        intactLength = JournalFormat.batchHeaderLength
        let end = min(header.length, bytes.count)
        for index in 0..<header.recordCount {
            let sequence = header.previous.sequence + UInt64(index) + 1
            let rest = UnsafeRawBufferPointer(rebasing: bytes[intactLength..<end])
            let stream = header.previous.stream
            guard let record = Self.record(rest, sequence: sequence, stream: stream, chain: endChain, salt)
            else { return }
            records.append(record)
            endChain = rest.field(20)
            intactLength += JournalFormat.recordLength(payload: record.payload.count)
        }
    }

    private static func record(
        _ bytes: UnsafeRawBufferPointer,
        sequence: UInt64,
        stream: UInt32,
        chain: UInt32,
        _ salt: UInt64
    ) -> JournalRecord? {
        guard bytes.count >= JournalFormat.recordHeaderLength else { return nil }
        let length = Int(bytes.field(0, as: UInt32.self))
        guard length <= JournalFormat.payloadLimit, JournalFormat.recordLength(payload: length) <= bytes.count,
            bytes.field(8, as: UInt64.self) == sequence, bytes.field(16, as: UInt32.self) == chain
        else { return nil }
        let start = JournalFormat.recordHeaderLength
        let payload = UnsafeRawBufferPointer(rebasing: bytes[start..<start + length])
        let head = UnsafeRawBufferPointer(rebasing: bytes[..<20])
        guard recordChecksum(head, payload: payload, salt: salt) == bytes.field(20) else { return nil }
        let position = JournalPosition(incarnation: bytes.field(4), stream: stream, sequence: sequence)
        return JournalRecord(position: position, payload: Array(payload))
    }
}
