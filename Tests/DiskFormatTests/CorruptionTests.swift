import DiskFormat
import ObjectModel
import TestKit
import Testing

/// Corrupt and hostile bytes give an error, never a wrong value and never a trap.
@Suite struct CorruptionTests {
    /// How each golden structure is read; nil when it is refused.
    static func decode(_ name: String, _ bytes: UnsafeRawBufferPointer) -> [AnyHashable]? {
        switch name {
        case "identity", "identity-slot":
            return (try? DiskIdentity.decode(UnsafeRawBufferPointer(rebasing: bytes.prefix(Block.size)))).map { [$0] }
        case "segment-packed", "segment-aligned": return (try? SegmentHeader.decode(bytes)).map { [$0] }
        case "shard-packed": return record(bytes, .packed, 12_288)
        case "shard-packed-full": return record(bytes, .packed, 64_000)
        case "shard-aligned": return record(bytes, .aligned, 16_384)
        case "tombstone": return header(bytes, .packed, 13_568)
        case "superseded-mark": return header(bytes, .aligned, SegmentHeader.markOffset)
        case "footer-packed": return footer(bytes, .packed, 1_078_656)
        default: return footer(bytes, .aligned, 1_081_344)
        }
    }

    private static func header(_ bytes: UnsafeRawBufferPointer, _ kind: SegmentKind, _ offset: Int) -> [AnyHashable]? {
        let place = Samples.segment(kind).place(offset)
        guard let decoded = try? RecordHeader.decode(bytes, at: place, in: kind) else { return nil }
        if case .unknown = decoded.header { return nil }
        return [decoded.header]
    }

    private static func record(_ bytes: UnsafeRawBufferPointer, _ kind: SegmentKind, _ offset: Int) -> [AnyHashable]? {
        let place = Samples.segment(kind).place(offset)
        guard let decoded = try? RecordHeader.decode(bytes, at: place, in: kind),
            case .shard(let header) = decoded.header
        else { return nil }
        let layout = header.layout(in: kind)
        guard layout.length <= bytes.count else { return nil }
        let end = UnsafeRawBufferPointer(rebasing: bytes[layout.trailerOffset...])
        guard let trailer = try? ShardRecordTrailer.decode(end, header.header) else { return nil }
        return [header, trailer]
    }

    private static func footer(_ bytes: UnsafeRawBufferPointer, _ kind: SegmentKind, _ offset: Int) -> [AnyHashable]? {
        (try? SegmentFooter.decode(bytes, at: offset, in: Samples.segment(kind))).map { [$0] }
    }

    /// The bytes of a structure that carry meaning; padding, body and table are checked by other means.
    static func meaning(_ name: String) -> [Range<Int>] {
        switch name {
        case "identity", "identity-slot", "segment-packed", "segment-aligned": [0..<Block.size]
        case "tombstone": [0..<108]
        case "superseded-mark": [0..<68]
        case "footer-packed", "footer-aligned": [0..<72 + 3 * 64]
        case "shard-packed": [0..<108, 108 + 976 + 4..<108 + 976 + 4 + 164]
        default: [0..<108]
        }
    }

    @Test("every byte of every header and trailer flipped: refused", arguments: Samples.golden.map(\.name))
    func flips(name: String) throws {
        var bytes = try #require(Samples.golden.first { $0.name == name }).bytes
        #expect(bytes.withUnsafeBytes { Self.decode(name, $0) } != nil)
        for position in Self.meaning(name).joined() {
            for bit in 0..<8 {
                bytes[position] ^= 1 << UInt8(bit)
                if bytes.withUnsafeBytes({ Self.decode(name, $0) }) != nil {
                    Issue.record("\(name): byte \(position), bit \(bit) flipped passes")
                }
                bytes[position] ^= 1 << UInt8(bit)
            }
        }
    }

    @Test("cut short anywhere: refused or the same, never a trap", arguments: Samples.golden.map(\.name))
    func cuts(name: String) throws {
        let bytes = try #require(Samples.golden.first { $0.name == name }).bytes
        let whole = bytes.withUnsafeBytes { Self.decode(name, $0) }
        for length in Array(0..<min(bytes.count, 600)) + [bytes.count - 1, bytes.count / 2] {
            let result = Array(bytes.prefix(length)).withUnsafeBytes { Self.decode(name, $0) }
            #expect(result == nil || result == whole)
        }
    }

    @Test("random bytes decode to nothing", arguments: 0..<20 as Range<UInt64>)
    func noise(seed: UInt64) {
        var generator = SplitMix64(seed: seed)
        for (name, bytes) in Samples.golden {
            // The magic number in front, so that more than the first check is met.
            let noise = bytes.prefix(8) + generator.bytes(bytes.count)
            #expect(Array(noise).withUnsafeBytes { Self.decode(name, $0) } == nil)
        }
    }

    @Test("a record read at another place, in another segment or with another salt is refused")
    func misplaced() throws {
        let bytes = try #require(Samples.golden.first { $0.name == "shard-packed" }).bytes
        let place = Samples.segment(.packed).place(12_288)
        for change in 0..<3 {
            var other = place
            switch change {
            case 0: other.offset += 64
            case 1: other.segment += 1
            default: other.salt ^= 1
            }
            #expect(throws: DiskFormatError.badChecksum) {
                try bytes.withUnsafeBytes { try RecordHeader.decode($0, at: other, in: .packed) }
            }
        }
    }
}
