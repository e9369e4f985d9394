import Checksums
import DiskFormat
import ObjectModel

/// What a keeper's log is made of.
extension FuzzTarget {
    static let journalTargets: [FuzzTarget] = [
        FuzzTarget("journal-batch", maximumLength: 8_192, seeds: { JournalSeeds.batches() }, run: { try batch($0) }),
        FuzzTarget("journal-header", maximumLength: 8_192, seeds: { JournalSeeds.headers() }, run: { try header($0) }),
        FuzzTarget(
            "journal-reference",
            maximumLength: 8_192,
            seeds: { JournalSeeds.references() },
            run: { try reference($0) }
        ),
    ]

    /// The CRC-32C that the journal seeds with a file's salt.
    static func journalChecksum(_ bytes: UnsafeRawBufferPointer, salt: UInt64) -> UInt32 {
        guard salt != 0 else { return CRC32C.checksum(bytes) }
        return CRC32C.checksum(bytes, continuing: withUnsafeBytes(of: salt.littleEndian) { CRC32C.checksum($0) })
    }

    // MARK: Batches

    private static func batch(_ bytes: [UInt8]) throws -> Bool {
        _ = bytes.withUnsafeBytes { try? JournalBatch(decoding: $0, salt: salt) }
        var bytes = bytes
        seal(batch: &bytes)
        guard let batch = bytes.withUnsafeBytes({ try? JournalBatch(decoding: $0, salt: salt) }) else { return false }
        try require(batch.records.count <= batch.header.recordCount, "more records than a batch says it has")
        try require(batch.intactLength <= max(bytes.count, JournalFormat.batchHeaderLength), "records behind the end")
        let header = batch.header
        let point = JournalLogPoint(
            last: header.previous,
            written: header.written,
            cuts: header.cuts,
            chain: header.chain
        )
        let encoded = JournalBatch.encode(
            batch.records,
            after: header.previous,
            written: header.written,
            point: point,
            ordinal: header.ordinal,
            salt: salt
        )
        let again = try encoded.bytes.withUnsafeBytes { try JournalBatch(decoding: $0, salt: salt) }
        try require(again.isWhole && again.records == batch.records, "other records come back")
        try require(again.endChain == encoded.endChain, "another end of the chain")
        try require(again.intactLength == encoded.bytes.count, "the length of what was written")
        try require(
            again.header.previous == header.previous && again.header.written == header.written
                && again.header.cuts == header.cuts && again.header.chain == header.chain
                && again.header.ordinal == header.ordinal,
            "another header comes back"
        )
        try tear(encoded.bytes, again.records)
        return true
    }

    /// A batch of which only a part was written gives a beginning of its records.
    private static func tear(_ bytes: [UInt8], _ records: [JournalRecord]) throws {
        let length = bytes.count / 2 + bytes.count % 7
        guard let torn = bytes.raw(0..<min(length, bytes.count), { try? JournalBatch(decoding: $0, salt: salt) }) else {
            return
        }
        try require(torn.records.elementsEqual(records.prefix(torn.records.count)), "a torn batch makes records up")
        guard bytes.count > JournalFormat.batchHeaderLength else { return }
        var rotten = bytes
        rotten[bytes.count - 1 - length % (bytes.count - JournalFormat.batchHeaderLength)] ^= 0x40
        let left = try rotten.withUnsafeBytes { try JournalBatch(decoding: $0, salt: salt) }
        try require(left.records.elementsEqual(records.prefix(left.records.count)), "rot makes records up")
    }

    /// Puts sequences, chain and checksums right as far as the lengths allow.
    private static func seal(batch bytes: inout [UInt8]) {
        let headerEnd = JournalFormat.batchHeaderLength
        guard bytes.count >= headerEnd, let count = bytes.field(12, as: UInt32.self),
            let previous = bytes.field(24, as: UInt64.self)
        else { return }
        var chain = bytes.raw(0..<headerEnd - 4) { journalChecksum($0, salt: salt) }
        bytes.set(headerEnd - 4, chain)
        var offset = headerEnd
        for index in 0..<UInt64(count) {
            guard let length = bytes.field(offset, as: UInt32.self).map({ Int($0) }),
                length <= bytes.count - offset - JournalFormat.recordHeaderLength
            else { return }
            bytes.set(offset + 8, previous &+ index &+ 1)
            bytes.set(offset + 16, chain)
            let head = bytes.raw(offset..<offset + 20) { journalChecksum($0, salt: salt) }
            let start = offset + JournalFormat.recordHeaderLength
            chain = bytes.raw(start..<start + length) { CRC32C.checksum($0, continuing: head) }
            bytes.set(offset + 20, chain)
            offset += JournalFormat.recordLength(payload: length)
        }
    }

    // MARK: Headers and promises

    /// The first byte chooses: a log file's header, or a promise.
    private static func header(_ bytes: [UInt8]) throws -> Bool {
        var input = FuzzInput(bytes)
        let isPromise = input.choice(2) == 1
        return try isPromise ? promise(input.rest()) : logHeader(input.rest())
    }

    private static func promise(_ bytes: [UInt8]) throws -> Bool {
        var bytes = bytes
        _ = bytes.withUnsafeBytes { try? JournalPromise(decoding: $0) }
        guard bytes.count >= 64 else { return false }
        bytes.set(60, bytes.raw(0..<60) { journalChecksum($0, salt: 0) })
        guard let promise = bytes.withUnsafeBytes({ try? JournalPromise(decoding: $0) }) else { return false }
        try roundTrip(promise, "promise") {
            $0.encoded
        } decode: { bytes in
            try bytes.withUnsafeBytes { try JournalPromise(decoding: $0) }
        }
        return true
    }

    private static func logHeader(_ bytes: [UInt8]) throws -> Bool {
        var bytes = bytes
        _ = bytes.withUnsafeBytes { try? JournalLogHeader(decoding: $0) }
        let fixed = JournalFormat.headerLength
        guard bytes.count >= fixed, let count = bytes.field(88, as: UInt32.self),
            let salt = bytes.field(32, as: UInt64.self)
        else { return false }
        let end = fixed + Int(count)
        if end <= bytes.count { bytes.set(92, bytes.raw(fixed..<end) { journalChecksum($0, salt: salt) }) }
        bytes.set(fixed - 4, bytes.raw(0..<fixed - 4) { journalChecksum($0, salt: 0) })
        guard let header = bytes.withUnsafeBytes({ try? JournalLogHeader(decoding: $0) }) else { return false }
        try require(header.reference.count <= JournalFormat.referenceLimit, "a reference beyond its limit")
        try roundTrip(header, "log header") {
            $0.encoded
        } decode: { bytes in
            try bytes.withUnsafeBytes { try JournalLogHeader(decoding: $0) }
        }
        return true
    }

    // MARK: References and lists

    /// A keeper set change, a reference or a checkpoint's list, without the checksum at its end.
    private static func reference(_ bytes: [UInt8]) throws -> Bool {
        _ = try? KeeperSetChange.decode(bytes)
        _ = try? JournalReference(decoding: bytes)
        _ = try? CheckpointList(decoding: bytes)
        let sealed = bytes + withUnsafeBytes(of: CRC32C.checksum(bytes).littleEndian) { Array($0) }
        if let change = try? KeeperSetChange.decode(sealed) {
            try roundTrip(change, "keeper set change") {
                $0.payload
            } decode: { bytes in
                guard let again = try KeeperSetChange.decode(bytes) else { throw FuzzFinding("no change any more") }
                return again
            }
            return true
        }
        if let reference = try? JournalReference(decoding: sealed) {
            try roundTrip(reference, "reference") {
                $0.encoded
            } decode: {
                try JournalReference(decoding: $0)
            }
            return true
        }
        if let list = try? CheckpointList(decoding: sealed) {
            try roundTrip(list, "checkpoint list") {
                $0.encoded
            } decode: {
                try CheckpointList(decoding: $0)
            }
            return true
        }
        return false
    }
}

/// Real encodings of what a log is made of.
enum JournalSeeds {
    private static let place = JournalPosition(incarnation: 2, sequence: 40)
    private static let point = JournalLogPoint(last: place, written: 3, cuts: 1, chain: 0xCAFE_F00D)

    static func batches() -> [[UInt8]] {
        let records = [
            JournalRecord(position: JournalPosition(incarnation: 2, sequence: 41), payload: [1, 2, 3]),
            JournalRecord(position: JournalPosition(incarnation: 3, sequence: 42), payload: Array("payload".utf8)),
        ]
        return [records, []].map { records in
            JournalBatch.encode(
                records,
                after: place,
                written: 3,
                point: point,
                ordinal: 17,
                salt: FuzzTarget.salt
            ).bytes
        }
    }

    static func headers() -> [[UInt8]] {
        let header = JournalLogHeader(
            number: 6,
            salt: 7,
            generation: 3,
            firstOrdinal: 17,
            start: point,
            startsAnew: true,
            length: 8 << 20,
            base: place,
            referenceGeneration: 9,
            reference: [7, 8, 9]
        )
        return [[0] + header.encoded, [1] + JournalPromise(generation: 5, incarnation: 7, holder: 0xABCD).encoded]
    }

    static func references() -> [[UInt8]] {
        let disks = (1...3).map { DiskID(Identifier128(high: 1, low: $0)) }
        let before = KeeperSet(generation: 4, keepers: disks.prefix(2))
        let after = KeeperSet(generation: 5, keepers: disks)
        let entry = CheckpointList.Entry(
            firstKey: [0x61],
            length: 170,
            digest: ContentDigest(high: 1, low: 2),
            reference: [0xBB, 0xCC]
        )
        let encodings = [
            KeeperSetChange(before: before, after: after).payload,
            JournalReference(keepers: after, checkpoint: [1, 2]).encoded,
            CheckpointList(position: place, entries: [entry, entry]).encoded,
            CheckpointList(position: place, level: 1, entries: [entry]).encoded,
        ]
        return encodings.map { $0.dropLast(4) }
    }
}
