import DiskFormat
import ObjectModel
import TestKit
import Testing

/// How this version meets what a later one wrote.
@Suite struct CompatibilityTests {
    private func decodeTrailer(_ trailer: ShardTrailer) throws -> ShardTrailer {
        let header = Samples.header(bodyCapacity: 100)
        let record = ShardRecordTrailer(shard: Samples.shard, trailer: trailer, bodyLength: 100, tableChecksum: 1)
        return try record.encoded(header).withUnsafeBytes { try ShardRecordTrailer.decode($0, header) }.trailer
    }

    @Test("unknown optional fields of a trailer are kept, mandatory ones refused")
    func trailerFields() throws {
        var trailer = Samples.plainTrailer
        trailer.unknownFields = [TaggedField(tag: 0x8FFF, bytes: [1]), TaggedField(tag: 0xFFFF, bytes: [])]
        #expect(try decodeTrailer(trailer) == trailer)
        trailer.unknownFields = [TaggedField(tag: 3, bytes: [1])]
        #expect(throws: DiskFormatError.unsupported("field 3 of a trailer")) { try decodeTrailer(trailer) }
        // An identity in an encoding of a later version.
        trailer.unknownFields = [TaggedField(tag: 0x8001, bytes: [9, 1, 2])]
        #expect(try decodeTrailer(trailer) == trailer)
    }

    @Test("incompatible features refuse a segment and a disk; others are kept")
    func features() throws {
        var segment = Samples.segment(.packed)
        segment.features = FeatureBits(compatible: 1 << 40, readOnly: 2)
        #expect(try segment.encoded().withUnsafeBytes { try SegmentHeader.decode($0) } == segment)
        #expect(!segment.features.allowsChanges)
        segment.features.incompatible = 1
        #expect(throws: DiskFormatError.self) { try segment.encoded().withUnsafeBytes { try SegmentHeader.decode($0) } }
        var identity = Samples.identity
        identity.features.incompatible = 1 << 63
        let bytes = try #require(identity.encoded())
        #expect(throws: DiskFormatError.self) { try bytes.withUnsafeBytes { try DiskIdentity.decode($0) } }
    }

    @Test("a shard header with unknown optional fields keeps them, with a mandatory one it is refused")
    func headerFields() throws {
        let place = Samples.segment(.packed).place(4_096)
        var record = ShardRecordHeader(
            header: Samples.header(bodyCapacity: 100),
            sequence: 5,
            trailerCapacity: 164,
            unknownFields: [TaggedField(tag: 0x8002, bytes: [1, 2, 3])]
        )
        let decoded = try record.encoded(at: place, in: .packed).withUnsafeBytes {
            try RecordHeader.decode($0, at: place, in: .packed).header
        }
        #expect(decoded == .shard(record))
        record.unknownFields = [TaggedField(tag: 7, bytes: [])]
        #expect(throws: DiskFormatError.unsupported("field 7 of a shard record")) {
            try record.encoded(at: place, in: .packed).withUnsafeBytes {
                try RecordHeader.decode($0, at: place, in: .packed)
            }
        }
        record.unknownFields = []
        record.features.incompatible = 1
        let unknown = try record.encoded(at: place, in: .packed).withUnsafeBytes {
            try RecordHeader.decode($0, at: place, in: .packed)
        }
        guard case .unknown(let head) = unknown.header else {
            Issue.record("a record with unknown incompatible features was read")
            return
        }
        #expect(head.recordLength == record.layout(in: .packed).length)
    }

    @Test("frame indexes of every shape come back", arguments: 0..<50 as Range<UInt64>)
    func frames(seed: UInt64) throws {
        var generator = SplitMix64(seed: seed)
        let frames = (0..<Int(generator.next() % 300)).map { _ in
            let isFull = generator.next() % 2 == 0
            return Frame(
                logicalLength: isFull ? Limits.frameLength : Int(generator.next() % UInt64(Limits.frameLength + 1)),
                storedLength: Int(generator.next() % UInt64(Limits.frameLength + 1)),
                filter: generator.next() % 2 == 0 ? .none : .shuffle16,
                codec: generator.next() % 2 == 0 ? .plain : .lz4,
                keySlot: UInt8(generator.next() % 3)
            )
        }
        var trailer = Samples.plainTrailer
        trailer.frames = .explicit(frames)
        #expect(try decodeTrailer(trailer) == trailer)
    }

    @Test("names of segment files are read strictly")
    func names() {
        #expect(SegmentHeader.segment(fileName: SegmentHeader.fileName(0xABC)) == 0xABC)
        let wrong = [
            "1.seg", "0000000000000ABC.seg", "0000000000000abc.sex", "0000000000000abc.seg2", "+000000000000abc.seg",
        ]
        for name in wrong {
            #expect(SegmentHeader.segment(fileName: name) == nil)
        }
    }
}
