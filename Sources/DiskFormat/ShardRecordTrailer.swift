package import Checksums
package import ObjectModel

/// The trailer of a shard record as it lies on disk: the proof that the record is whole.
package struct ShardRecordTrailer: Hashable, Sendable {
    package var shard: ShardID
    package var trailer: ShardTrailer
    /// Bytes of the body; no more than the header's capacity.
    package var bodyLength: Int
    /// Of the body's entries of the leaf table (`tableChecksum`).
    package var tableChecksum: UInt32

    package init(shard: ShardID, trailer: ShardTrailer, bodyLength: Int, tableChecksum: UInt32) {
        self.shard = shard
        self.trailer = trailer
        self.bodyLength = bodyLength
        self.tableChecksum = tableChecksum
    }

    private static let magic: UInt32 = 0x6C72_5443
    private static let frameIndexTag: UInt16 = 1
    private static let dataKeyTag: UInt16 = 2
    private static let identityTag: UInt16 = 0x8001
    private static let trailerLeaf = UInt32.max
    private static let tableLeaf = UInt32.max - 1
    /// Bytes before the digests.
    private static let fixedLength = 64

    /// The leaf table of a body as it lies on disk.
    package static func table(_ checksums: [UInt32]) -> [UInt8] {
        var writer = FormatWriter(capacity: 4 * checksums.count)
        for checksum in checksums { writer.put(checksum) }
        return writer.bytes
    }

    /// The checksum of a leaf table.
    package static func tableChecksum(_ table: UnsafeRawBufferPointer, _ header: ShardHeader) -> UInt32 {
        seed(header).checksum(of: table, leaf: tableLeaf)
    }

    /// Bytes of a trailer that end with the checksum of the leaf table.
    package static let tableChecksumEnd = 32

    /// Whether the leaf table of a shard's body is the one that was written with it. `trailer` begins as the record's.
    package static func proves(
        _ table: UnsafeRawBufferPointer,
        trailer: UnsafeRawBufferPointer,
        shard: ShardID,
        writeStamp: UInt64
    ) -> Bool {
        guard trailer.count >= tableChecksumEnd else { return false }
        let place = tableChecksumEnd - MemoryLayout<UInt32>.size
        let written = UInt32(littleEndian: trailer.loadUnaligned(fromByteOffset: place, as: UInt32.self))
        return seed(shard, writeStamp: writeStamp).checksum(of: table, leaf: tableLeaf) == written
    }

    /// What the checksums of a record's leaves, table and trailer are seeded with.
    package static func seed(_ header: ShardHeader) -> LeafSeed {
        seed(header.shard, writeStamp: header.writeStamp)
    }

    private static func seed(_ shard: ShardID, writeStamp: UInt64) -> LeafSeed {
        LeafSeed(
            incarnation: shard.blob.incarnation,
            lease: shard.blob.lease,
            sequence: shard.blob.sequence,
            shard: shard.index,
            stamp: writeStamp
        )
    }

    /// The trailer with its checksum; `header` is the record's.
    package func encoded(_ header: ShardHeader) -> [UInt8] {
        var writer = FormatWriter(capacity: 256)
        writer.put(Self.magic)
        writer.put(UInt32(0))
        writer.put(shard)
        writer.put(UInt8(clamping: trailer.shardDigests.count))
        writer.put(UInt16(0))
        writer.put(tableChecksum)
        writer.put(UInt64(clamping: trailer.blobLength))
        writer.put(UInt64(clamping: bodyLength))
        writer.put(trailer.ingestDigest)
        for digest in trailer.shardDigests { writer.put(digest) }
        putFields(&writer)
        writer.replace(at: 4, with: UInt32(clamping: writer.count + 4))
        writer.put(writer.bytes.withUnsafeBytes { Self.seed(header).checksum(of: $0, leaf: Self.trailerLeaf) })
        return writer.bytes
    }

    private func putFields(_ writer: inout FormatWriter) {
        if case .explicit(let frames) = trailer.frames {
            writer.put(TaggedField(tag: Self.frameIndexTag, bytes: FrameIndexCoding.encoded(frames)))
        }
        for key in trailer.dataKeys {
            var field = FormatWriter(capacity: 128)
            field.put(key.slot)
            field.put(UInt16(clamping: key.wrapped.count))
            field.put(bytes: key.wrapped)
            field.put(bytes: key.nonceBase)
            writer.put(TaggedField(tag: Self.dataKeyTag, bytes: field.bytes))
        }
        if let identity = trailer.identity {
            writer.put(TaggedField(tag: Self.identityTag, bytes: [identity.encoding.rawValue] + identity.bytes))
        }
        for field in trailer.unknownFields { writer.put(field) }
    }

    /// Reads and checks the trailer that `bytes` begin with; `header` is the record's.
    package static func decode(
        _ bytes: UnsafeRawBufferPointer,
        _ header: ShardHeader
    ) throws(DiskFormatError) -> ShardRecordTrailer {
        var reader = FormatReader(bytes)
        guard try reader.get(UInt32.self) == magic else { throw .notFound }
        let length = Int(try reader.get(UInt32.self))
        guard length >= fixedLength + 4, length <= RecordLayout.maximumTrailerLength else { throw .badChecksum }
        guard length <= bytes.count else { throw .truncated }
        let content = UnsafeRawBufferPointer(rebasing: bytes[..<(length - 4)])
        var end = FormatReader(bytes, at: length - 4)
        guard try end.get(UInt32.self) == seed(header).checksum(of: content, leaf: trailerLeaf) else {
            throw .badChecksum
        }
        reader = FormatReader(content, at: 8)
        let shard = try reader.getShard()
        let digestCount = Int(try reader.get(UInt8.self))
        let features: UInt16 = try reader.get()
        guard features == 0 else { throw .unsupported("incompatible features \(features) of a trailer") }
        guard shard == header.shard, digestCount == header.scheme.shardCount else {
            throw .inconsistent("trailer of another shard")
        }
        return try decodeContent(&reader, shard, digestCount, header)
    }

    private static func decodeContent(
        _ reader: inout FormatReader,
        _ shard: ShardID,
        _ digestCount: Int,
        _ header: ShardHeader
    ) throws(DiskFormatError) -> ShardRecordTrailer {
        let tableChecksum: UInt32 = try reader.get()
        let blobLength = try reader.getLength()
        let bodyLength = try reader.getLength()
        guard blobLength <= Limits.blobLength, bodyLength <= header.bodyCapacity else {
            throw .inconsistent("length of a shard")
        }
        let ingest = try reader.getDigest()
        var digests: [ContentDigest] = []
        for _ in 0..<digestCount { digests.append(try reader.getDigest()) }
        var trailer = ShardTrailer(
            blobLength: blobLength,
            shardDigests: digests,
            ingestDigest: ingest,
            frames: .uniform
        )
        while reader.remaining > 0 { try decodeField(try reader.getField(), into: &trailer) }
        return ShardRecordTrailer(
            shard: shard,
            trailer: trailer,
            bodyLength: bodyLength,
            tableChecksum: tableChecksum
        )
    }

    private static func decodeField(_ field: TaggedField, into trailer: inout ShardTrailer) throws(DiskFormatError) {
        switch field.tag {
        case frameIndexTag:
            trailer.frames = .explicit(try FrameIndexCoding.decode(field.bytes))
        case dataKeyTag:
            trailer.dataKeys.append(try decodeKey(field.bytes))
        case identityTag:
            guard let number = field.bytes.first, let encoding = IdentityBlock.Encoding(rawValue: number) else {
                // Optional as a whole: an encoding of a later version is kept unread.
                trailer.unknownFields.append(field)
                return
            }
            trailer.identity = IdentityBlock(encoding: encoding, bytes: Array(field.bytes.dropFirst()))
        default:
            guard field.isOptional else { throw .unsupported("field \(field.tag) of a trailer") }
            trailer.unknownFields.append(field)
        }
    }

    private static func decodeKey(_ bytes: [UInt8]) throws(DiskFormatError) -> DataKey {
        try bytes.read { reader throws(DiskFormatError) in
            let slot: UInt8 = try reader.get()
            let wrapped = try reader.getBytes(Int(try reader.get(UInt16.self)))
            return DataKey(slot: slot, wrapped: wrapped, nonceBase: try reader.getBytes(reader.remaining))
        }
    }
}
