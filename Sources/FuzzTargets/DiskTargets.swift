import Checksums
import DiskFormat
import ObjectModel

/// What lies on a disk beside the journal.
extension FuzzTarget {
    static let diskTargets: [FuzzTarget] = [
        FuzzTarget(
            "disk-identity",
            maximumLength: Block.size,
            seeds: { DiskSeeds.identities() },
            run: { try identity($0) }
        ),
        FuzzTarget(
            "segment-header",
            maximumLength: Block.size,
            seeds: { DiskSeeds.segments() },
            run: { try segment($0) }
        ),
        FuzzTarget(
            "record-header",
            maximumLength: Block.size,
            seeds: { try DiskSeeds.records() },
            run: { try record($0) }
        ),
        FuzzTarget(
            "record-trailer",
            maximumLength: 8_192,
            seeds: { try DiskSeeds.trailers() },
            run: { try trailer($0) }
        ),
        FuzzTarget("segment-footer", maximumLength: 8_192, seeds: { DiskSeeds.footers() }, run: { try footer($0) }),
    ]

    /// A block of these bytes, with zeros behind them and the right checksum.
    static func sealedBlock(_ bytes: [UInt8]) -> [UInt8] {
        var block = Array(bytes.prefix(Block.size - 4))
        block.append(contentsOf: repeatElement(0, count: Block.size - block.count))
        block.set(Block.size - 4, CRC32C.checksum(Array(block[..<(Block.size - 4)])))
        return block
    }

    private static func identity(_ bytes: [UInt8]) throws -> Bool {
        let block = sealedBlock(bytes)
        guard let identity = try? block.withUnsafeBytes({ try DiskIdentity.decode($0) }) else {
            return bytes.withUnsafeBytes { try? DiskIdentity.decode($0) } != nil
        }
        guard let encoded = identity.encoded() else { throw FuzzFinding("an identity that was read has no encoding") }
        try require(encoded.count == DiskIdentity.encodedLength, "length of an identity")
        try roundTrip(identity, "identity") {
            $0.encoded() ?? []
        } decode: { bytes in
            try bytes.withUnsafeBytes { try DiskIdentity.decode($0) }
        }
        // Either copy is enough, and the first is preferred.
        var rotten = encoded
        rotten[bytes.count % Block.size] ^= 0x10
        let second = try? rotten.withUnsafeBytes { try DiskIdentity.decode($0) }
        try require(second == identity, "the second copy of an identity does not stand in for the first")
        return true
    }

    private static func segment(_ bytes: [UInt8]) throws -> Bool {
        let block = sealedBlock(bytes)
        _ = bytes.withUnsafeBytes { try? SegmentHeader.decode($0) }
        guard let header = try? block.withUnsafeBytes({ try SegmentHeader.decode($0) }) else { return false }
        try roundTrip(header, "segment header") {
            $0.encoded()
        } decode: { bytes in
            try bytes.withUnsafeBytes { try SegmentHeader.decode($0) }
        }
        return true
    }

    static let salt: UInt64 = 0xA5A5_5A5A_0F0F_F0F0

    static func segmentHeader(_ kind: SegmentKind, segment: UInt64 = 0x101) -> SegmentHeader {
        let identifier = Identifier128(high: 1, low: 2)
        return SegmentHeader(
            kind: kind,
            segment: segment,
            salt: salt,
            cluster: ClusterID(identifier),
            disk: DiskID(identifier),
            diskEpoch: 1,
            created: 0,
            plannedLength: 256 << 20
        )
    }

    /// The record's own word for its place, which its checksum is then right for.
    private static func place(_ record: [UInt8]) -> RecordPlace? {
        guard let segment = record.field(24, as: UInt64.self), let offset = record.field(32, as: UInt64.self),
            let place = Int(exactly: offset)
        else { return nil }
        return RecordPlace(salt: salt, segment: segment, offset: place)
    }

    /// Puts the checksum of a record's header right, when its length lies within.
    private static func seal(_ record: inout [UInt8], at place: RecordPlace) {
        guard let length = record.field(6, as: UInt16.self), length >= 4, Int(length) <= record.count else { return }
        record.set(Int(length) - 4, record.raw(0..<Int(length) - 4) { place.checksum($0) })
    }

    // MARK: Records

    /// The first byte chooses the kind of segment, the rest is a record from its beginning.
    private static func record(_ bytes: [UInt8]) throws -> Bool {
        var input = FuzzInput(bytes)
        let kind: SegmentKind = input.choice(2) == 0 ? .packed : .aligned
        var record = input.rest()
        guard let place = place(record) else {
            let nowhere = RecordPlace(salt: salt, segment: 0, offset: 0)
            return record.withUnsafeBytes { try? RecordHeader.decode($0, at: nowhere, in: kind) } != nil
        }
        _ = record.withUnsafeBytes { try? RecordHeader.decode($0, at: place, in: kind) }
        seal(&record, at: place)
        guard let (header, head) = record.withUnsafeBytes({ try? RecordHeader.decode($0, at: place, in: kind) }) else {
            return false
        }
        try require(head.recordLength % kind.alignment == 0, "a record's length is no multiple of its alignment")
        try require(head.recordLength >= head.headerLength, "a record is shorter than its header")
        switch header {
        case .shard(let header): try shard(header, at: place, in: kind, head)
        case .tombstone(let tombstone):
            try roundTrip(tombstone, "tombstone") {
                $0.encoded(at: place)
            } decode: { bytes in
                guard case .tombstone(let again) = try decodeHeader(bytes, at: place, in: .packed) else {
                    throw FuzzFinding("a tombstone becomes another record")
                }
                return again
            }
        case .supersededMark(let mark):
            let segment = segmentHeader(kind)
            try roundTrip(mark, "mark") {
                $0.encoded(in: segment)
            } decode: { bytes in
                let place = segment.place(SegmentHeader.markOffset)
                guard case .supersededMark(let again) = try decodeHeader(bytes, at: place, in: kind) else {
                    throw FuzzFinding("a mark becomes another record")
                }
                return again
            }
        case .footer(let footer):
            try require(footer.recordLength == head.recordLength, "two lengths of a footer")
        case .unknown: break
        }
        return true
    }

    private static func decodeHeader(
        _ bytes: [UInt8],
        at place: RecordPlace,
        in kind: SegmentKind
    ) throws -> RecordHeader {
        try bytes.withUnsafeBytes { try RecordHeader.decode($0, at: place, in: kind).header }
    }

    private static func shard(
        _ header: ShardRecordHeader,
        at place: RecordPlace,
        in kind: SegmentKind,
        _ head: RecordHead
    ) throws {
        let layout = header.layout(in: kind)
        try require(
            header.headerLength <= layout.bodyOffset
                && layout.bodyOffset + header.header.bodyCapacity <= layout.tableOffset
                && layout.tableOffset + 4 * Leaf.count(of: header.header.bodyCapacity) <= layout.trailerOffset
                && layout.trailerOffset + header.trailerCapacity <= layout.length && layout.length == head.recordLength,
            "the parts of a shard record overlap: \(layout)"
        )
        try roundTrip(header, "shard header") {
            $0.encoded(at: place, in: kind)
        } decode: { bytes in
            guard case .shard(let again) = try decodeHeader(bytes, at: place, in: kind) else {
                throw FuzzFinding("a shard becomes another record")
            }
            return again
        }
    }

    /// Four bytes are the capacity of the body, the rest is a trailer; the header it must fit is made for it.
    private static func trailer(_ bytes: [UInt8]) throws -> Bool {
        var input = FuzzInput(bytes)
        let capacity = Int(input.integer(UInt32.self)) % (RecordLayout.maximumBodyLength + 1)
        var trailer = input.rest()
        guard let header = headerFor(trailer, bodyCapacity: capacity) else { return false }
        _ = trailer.withUnsafeBytes { try? ShardRecordTrailer.decode($0, header) }
        if let length = trailer.field(4, as: UInt32.self), length >= 4, Int(length) <= trailer.count {
            let end = Int(length) - 4
            let checksum = trailer.raw(0..<end) { bytes in
                // The leaf number of trailers (`Docs/DiskFormat.md`).
                ShardRecordTrailer.seed(header).checksum(of: bytes, leaf: .max)
            }
            trailer.set(end, checksum)
        }
        guard let decoded = trailer.withUnsafeBytes({ try? ShardRecordTrailer.decode($0, header) }) else {
            return false
        }
        try require(decoded.bodyLength <= capacity, "a body that is longer than its capacity")
        try require(decoded.trailer.shardDigests.count == header.scheme.shardCount, "digests of a trailer")
        try roundTrip(decoded, "trailer") {
            $0.encoded(header)
        } decode: { bytes in
            try bytes.withUnsafeBytes { try ShardRecordTrailer.decode($0, header) }
        }
        return true
    }

    /// The header of the shard that a trailer says it belongs to.
    private static func headerFor(_ trailer: [UInt8], bodyCapacity: Int) -> ShardHeader? {
        guard let incarnation = trailer.field(8, as: UInt32.self), let lease = trailer.field(12, as: UInt32.self),
            let sequence = trailer.field(16, as: UInt64.self), let index = trailer.field(24, as: UInt8.self),
            let digests = trailer.field(25, as: UInt8.self),
            let scheme = Scheme(dataCount: Int(digests) - 1, parityCount: 1)
        else { return nil }
        let blob = BlobID(incarnation: incarnation, lease: lease, sequence: sequence)
        return ShardHeader(
            shard: ShardID(blob: blob, index: index),
            group: GroupID(1),
            groupEpoch: 1,
            scheme: scheme,
            writeStamp: 0xDEAD_BEEF_0BAD_F00D,
            bodyCapacity: bodyCapacity
        )
    }

    // MARK: Footers

    /// The first byte chooses the kind of segment, the rest is a footer.
    private static func footer(_ bytes: [UInt8]) throws -> Bool {
        var input = FuzzInput(bytes)
        let kind: SegmentKind = input.choice(2) == 0 ? .packed : .aligned
        var record = input.rest()
        guard let place = place(record) else { return false }
        let segment = segmentHeader(kind, segment: place.segment)
        if let count = record.field(48, as: UInt32.self) {
            let end = footerHeaderLength + Int(count) * SegmentFooter.entryLength
            if end <= record.count { record.set(64, record.raw(footerHeaderLength..<end) { place.checksum($0) }) }
        }
        seal(&record, at: place)
        try locate(record, at: place.offset, in: segment)
        let decode = { (bytes: [UInt8]) throws -> SegmentFooter in
            try bytes.withUnsafeBytes { try SegmentFooter.decode($0, at: place.offset, in: segment) }
        }
        guard let footer = try? decode(record) else { return false }
        try roundTrip(footer, "footer") { footer in
            let encoded = footer.encoded(at: place.offset, in: segment, sequence: 9)
            try require(
                encoded.count == SegmentFooter.length(entryCount: footer.entries.count, in: kind),
                "length of a footer"
            )
            return encoded
        } decode: {
            try decode($0)
        }
        let encoded = footer.encoded(at: place.offset, in: segment, sequence: 9)
        guard let fileLength = Int(exactly: UInt64(place.offset) + UInt64(encoded.count)) else { return true }
        let found = encoded.raw(encoded.count - SegmentFooter.locatorLength..<encoded.count) { locator in
            SegmentFooter.locate(locator, fileLength: fileLength, in: segment)
        }
        try require(found == place.offset..<fileLength, "a footer is not found from the end of its file")
        return true
    }

    /// Bytes of a footer before its entries.
    private static let footerHeaderLength = 72

    /// Looks for a footer whose locator is the end of these bytes, with the right checksum.
    private static func locate(_ record: [UInt8], at offset: Int, in segment: SegmentHeader) throws {
        let start = record.count - SegmentFooter.locatorLength
        guard start >= 0, offset <= Int.max - record.count else { return }
        let fileLength = offset + record.count
        let place = segment.place(fileLength - SegmentFooter.locatorLength)
        var locator = Array(record[start...])
        locator.set(SegmentFooter.locatorLength - 4, record.raw(start..<record.count - 4) { place.checksum($0) })
        let found = locator.withUnsafeBytes { SegmentFooter.locate($0, fileLength: fileLength, in: segment) }
        guard let found else { return }
        try require(found.lowerBound >= 0 && found.upperBound == fileLength, "a footer outside its file")
    }
}
