import DiskFormat
import JournalStorage
import ObjectModel
import SystemInterface
import TestKit
import Testing

/// Bytes of format version 1: what is here must be read, and written, for ever.
@Suite("Golden bytes of the journal's format")
struct JournalGoldenTests {
    private static let salt: UInt64 = 0x1122_3344_5566_7788
    private static let point = JournalLogPoint(last: position(2, 40), written: 3, cuts: 1, chain: 0xCAFE_F00D)

    static let batch =
        "434a423140000000880000000200000003000000000000002800000000000000020000000df0feca1100000000000000"
        + "010000000000000000000000df29d41c03000000020000002900000000000000df29d41cd1cfe7e30102030000000000"
        + "10000000030000002a00000000000000d1cfe7e35686ca8161206c6f6e676572207061796c6f6164"
    static let header =
        "434149524e4a4e4c01008000000000000000000000000000060000000000000088776655443322110300000000000000"
        + "110000000000000000008000000000001e000000000000000200000000000000090000000000000003000000b8fac6aa"
        + "0df0feca2800000000000000020000000300000001000000010000009a91945f070809"
    static let promise =
        "434149524e50524d01004000000000000500000000000000cdab00000000000007000000000000000000000000000000"
        + "00000000000000000000000062d52157"
    static let change =
        "4349524e4b53455401000000040000000200000001000000000000000200000000000000010000000000000003000000"
        + "00000000050000000200000000000000000000000900000000000000010000000000000003000000000000009a0b2830"
    static let reference =
        "4349524e4a52454601000000050000000200000000000000000000000900000000000000010000000000000003000000"
        + "000000000200000001024f32ba27"
    static let list =
        "4349524e434b5054010000001e0000000000000002000000000000000200000005000000000000009c2cd36d1deed813"
        + "e34bd1b1ead84b2400000100aa0000000000000000d8984701d306aa997f498d4624c301600100020061bbcce52b600c"

    private static let records = [
        JournalRecord(position: position(2, 41), payload: [1, 2, 3]),
        JournalRecord(position: position(3, 42), payload: Array("a longer payload".utf8)),
    ]
    private static let before = KeeperSet(
        generation: 4,
        keepers: [DiskID(Identifier128(high: 1, low: 2)), DiskID(Identifier128(high: 1, low: 3))]
    )
    private static let after = KeeperSet(
        generation: 5,
        keepers: [DiskID(Identifier128(high: 1, low: 3)), DiskID(Identifier128(high: 0, low: 9))]
    )

    @Test("A batch")
    func batchBytes() throws {
        let encoded = JournalBatch.encode(
            Self.records,
            after: position(2, 40),
            written: 3,
            point: Self.point,
            ordinal: 17,
            salt: Self.salt
        )
        #expect(Hexadecimal.text(encoded.bytes) == Self.batch)
        let bytes = try #require(Hexadecimal.bytes(Self.batch))
        let decoded = try bytes.withUnsafeBytes { try JournalBatch(decoding: $0, salt: Self.salt) }
        #expect(decoded.records == Self.records && decoded.isWhole && decoded.endChain == encoded.endChain)
        #expect(decoded.header.previous == position(2, 40) && decoded.header.written == 3)
        #expect(decoded.header.ordinal == 17 && decoded.header.cuts == 1 && decoded.header.chain == 0xCAFE_F00D)
        let other = bytes.withUnsafeBytes { bytes in (try? JournalBatch(decoding: bytes, salt: 1)) == nil }
        #expect(other)
    }

    @Test("A log file's header")
    func headerBytes() throws {
        let header = JournalLogHeader(
            number: 6,
            salt: Self.salt,
            generation: 3,
            firstOrdinal: 17,
            start: Self.point,
            startsAnew: true,
            length: 8 << 20,
            base: position(2, 30),
            referenceGeneration: 9,
            reference: [7, 8, 9]
        )
        #expect(Hexadecimal.text(header.encoded) == Self.header)
        let bytes = try #require(Hexadecimal.bytes(Self.header))
        let decoded = try bytes.withUnsafeBytes { try JournalLogHeader(decoding: $0) }
        #expect(decoded == header && decoded.slotOffset == 65_536)
    }

    @Test("A promise")
    func promiseBytes() throws {
        let promise = JournalPromise(generation: 5, incarnation: 7, holder: 0xABCD)
        #expect(Hexadecimal.text(promise.encoded) == Self.promise)
        let bytes = try #require(Hexadecimal.bytes(Self.promise))
        #expect(try bytes.withUnsafeBytes { try JournalPromise(decoding: $0) } == promise)
    }

    @Test("A keeper set change and a reference")
    func keeperSetBytes() throws {
        let change = KeeperSetChange(before: Self.before, after: Self.after)
        #expect(Hexadecimal.text(change.payload) == Self.change)
        #expect(try KeeperSetChange.decode(try #require(Hexadecimal.bytes(Self.change))) == change)
        let reference = JournalReference(keepers: Self.after, checkpoint: [1, 2])
        #expect(Hexadecimal.text(reference.encoded) == Self.reference)
        #expect(try JournalReference(decoding: try #require(Hexadecimal.bytes(Self.reference))) == reference)
        #expect(try KeeperSetChange.decode([1, 2, 3]) == nil)
    }

    @Test("A checkpoint's list")
    func listBytes() throws {
        let list = CheckpointList(
            position: position(2, 30),
            entries: [
                .init(firstKey: [], length: 5, digest: CheckpointList.digest(of: [1, 2, 3, 4, 5]), reference: [0xAA]),
                .init(firstKey: [0x61], length: 0, digest: CheckpointList.digest(of: []), reference: [0xBB, 0xCC]),
            ]
        )
        #expect(Hexadecimal.text(list.encoded) == Self.list)
        #expect(try CheckpointList(decoding: try #require(Hexadecimal.bytes(Self.list))) == list)
    }
}
