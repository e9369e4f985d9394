import DiskFormat
import Foundation
import ObjectModel
import Testing

/// Bytes of format version 1, written once: they are decoded, and encoded to the same bytes, for ever.
@Suite struct GoldenFileTests {
    static func load(_ name: String) throws -> [UInt8] {
        let url = try #require(Bundle.module.url(forResource: "Golden/\(name)", withExtension: "v1"))
        return [UInt8](try Data(contentsOf: url))
    }

    @Test("values encode to the golden bytes", arguments: Samples.golden.map(\.name))
    func encodes(name: String) throws {
        let expected = try #require(Samples.golden.first { $0.name == name }).bytes
        #expect(try Self.load(name) == expected)
    }

    @Test("the identity decodes, from either copy")
    func identity() throws {
        var bytes = try Self.load("identity")
        #expect(try bytes.withUnsafeBytes { try DiskIdentity.decode($0) } == Samples.identity)
        bytes[100] ^= 1
        #expect(try bytes.withUnsafeBytes { try DiskIdentity.decode($0) } == Samples.identity)
        bytes[4_096 + 100] ^= 1
        #expect(throws: DiskFormatError.badChecksum) { try bytes.withUnsafeBytes { try DiskIdentity.decode($0) } }
    }

    @Test("the slot in an identity decodes, and one that is no name is refused")
    func slot() throws {
        let bytes = try Self.load("identity-slot")
        #expect(try bytes.withUnsafeBytes { try DiskIdentity.decode($0) } == Samples.servedIdentity)
        // As a version that knows no slot reads it and writes it again.
        var unknowing = Samples.identity
        unknowing.unknownFields.insert(TaggedField(tag: 0x8001, bytes: Array("Fach-3ü".utf8)), at: 0)
        #expect(unknowing.encoded() == bytes)
        unknowing.unknownFields[0].bytes = [0xFF]
        let broken = try #require(unknowing.encoded())
        #expect(throws: DiskFormatError.inconsistent("slot")) {
            try broken.withUnsafeBytes { try DiskIdentity.decode($0) }
        }
    }

    @Test("segment headers decode", arguments: SegmentKind.allCases)
    func segments(kind: SegmentKind) throws {
        let bytes = try Self.load(kind == .packed ? "segment-packed" : "segment-aligned")
        #expect(try bytes.withUnsafeBytes { try SegmentHeader.decode($0) } == Samples.segment(kind))
    }

    @Test(
        "shard records decode, every part of them",
        arguments: [
            ("shard-packed", SegmentKind.packed, 12_288, 976, false),
            ("shard-packed-full", .packed, 64_000, 70_000, true),
            ("shard-aligned", .aligned, 16_384, 70_000, true),
        ]
    )
    func shards(name: String, kind: SegmentKind, offset: Int, bodyLength: Int, isFull: Bool) throws {
        let bytes = try Self.load(name)
        try bytes.withUnsafeBytes { bytes in
            let place = Samples.segment(kind).place(offset)
            let decoded = try RecordHeader.decode(bytes, at: place, in: kind)
            guard case .shard(let record) = decoded.header else { throw DiskFormatError.notFound }
            #expect(decoded.head.recordLength == bytes.count)
            #expect(record.header == Samples.header(bodyCapacity: record.header.bodyCapacity))
            #expect(record.sequence == 77)
            let layout = record.layout(in: kind)
            let end = UnsafeRawBufferPointer(rebasing: bytes[layout.trailerOffset...])
            let trailer = try ShardRecordTrailer.decode(end, record.header)
            #expect(trailer.trailer == (isFull ? Samples.fullTrailer : Samples.plainTrailer))
            #expect(trailer.bodyLength == bodyLength)
            let body = bytes[layout.bodyOffset..<layout.bodyOffset + bodyLength]
            #expect(body.elementsEqual(Samples.body(bodyLength)))
            let tableEnd = layout.tableOffset + 4 * Leaf.count(of: bodyLength)
            let table = UnsafeRawBufferPointer(rebasing: bytes[layout.tableOffset..<tableEnd])
            #expect(ShardRecordTrailer.tableChecksum(table, record.header) == trailer.tableChecksum)
        }
    }

    @Test("tombstone, mark and footers decode")
    func others() throws {
        try Self.load("tombstone").withUnsafeBytes { bytes in
            let decoded = try RecordHeader.decode(bytes, at: Samples.segment(.packed).place(13_568), in: .packed)
            #expect(decoded.header == .tombstone(Samples.tombstone))
        }
        try Self.load("superseded-mark").withUnsafeBytes { bytes in
            let place = Samples.segment(.aligned).place(SegmentHeader.markOffset)
            let header = try RecordHeader.decode(bytes, at: place, in: .aligned).header
            #expect(header == .supersededMark(Samples.mark))
        }
        let footers = [("footer-packed", SegmentKind.packed, 1_078_656), ("footer-aligned", .aligned, 1_081_344)]
        for (name, kind, offset) in footers {
            try Self.load(name).withUnsafeBytes { bytes in
                let segment = Samples.segment(kind)
                let locator = UnsafeRawBufferPointer(rebasing: bytes.suffix(SegmentFooter.locatorLength))
                let range = SegmentFooter.locate(locator, fileLength: offset + bytes.count, in: segment)
                #expect(range == offset..<offset + bytes.count)
                let footer = try SegmentFooter.decode(bytes, at: offset, in: segment)
                #expect(footer == Samples.footer)
            }
        }
    }

    @Test("a 1 KiB body costs at most 320 bytes more in a packed segment")
    func overhead() {
        let record = Samples.record(.packed, offset: 12_288, bodyLength: 1_024, trailer: Samples.plainTrailer)
        #expect(record.count - 1_024 <= 320)
    }
}
