import DiskFormat
import ObjectModel

/// Real encodings of what lies on a disk.
enum DiskSeeds {
    private static let cluster = ClusterID(Identifier128(high: 0x0011_2233_4455_6677, low: 0x8899_AABB_CCDD_EEFF))
    private static let disk = DiskID(Identifier128(high: 0x0123_4567_89AB_CDEF, low: 0xFEDC_BA98_7654_3210))
    private static let later = TaggedField(tag: 0x8123, bytes: [1, 2, 3])

    static func identities() -> [[UInt8]] {
        let identity = DiskIdentity(
            cluster: cluster,
            disk: disk,
            site: SiteName("süd-1"),
            node: NodeName("node-7"),
            slot: "disk-3",
            epoch: 42,
            features: FeatureBits(compatible: 5, readOnly: 6),
            segmentLimit: 257,
            created: 1_767_225_600_123,
            unknownFields: [later]
        )
        return [withoutZeros(identity.encoded() ?? [])]
    }

    static func segments() -> [[UInt8]] {
        SegmentKind.allCases.map { kind in
            var header = FuzzTarget.segmentHeader(kind)
            header.unknownFields = [later]
            return withoutZeros(header.encoded())
        }
    }

    /// The first block without its checksum and the zeros before it: what a target puts back.
    private static func withoutZeros(_ bytes: [UInt8]) -> [UInt8] {
        let content = bytes.prefix(Block.size - 4)
        return Array(content[...(content.lastIndex { $0 != 0 } ?? 0)])
    }

    private static let shard = ShardID(blob: BlobID(incarnation: 3, lease: 0x44, sequence: 0x5_5555_5555), index: 5)

    private static func header(bodyCapacity: Int) throws -> ShardHeader {
        guard let scheme = Scheme(dataCount: 5, parityCount: 1) else { throw FuzzFinding("a scheme of six shards") }
        return ShardHeader(
            shard: shard,
            group: GroupID(1_234),
            groupEpoch: 9,
            scheme: scheme,
            writeStamp: 0xDEAD_BEEF_0BAD_F00D,
            bodyCapacity: bodyCapacity
        )
    }

    static func records() throws -> [[UInt8]] {
        let shard = ShardRecordHeader(
            header: try header(bodyCapacity: 70_000),
            sequence: 77,
            trailerCapacity: 4_000,
            unknownFields: [later]
        )
        let tombstone = Tombstone(
            sequence: 78,
            shard: Self.shard,
            deadSequence: 77,
            deadStamp: 5,
            deadSegment: 0x102,
            deadOffset: 12_288
        )
        let packed = FuzzTarget.segmentHeader(.packed)
        let aligned = FuzzTarget.segmentHeader(.aligned)
        let mark = SupersededMark(time: 1_767_225_600_789, copiedCount: 3)
        return [
            [0] + shard.encoded(at: packed.place(12_288), in: .packed),
            [1] + shard.encoded(at: aligned.place(16_384), in: .aligned),
            [0] + tombstone.encoded(at: packed.place(13_568)),
            [1] + mark.encoded(in: aligned).prefix(68),
            [0] + footer.encoded(at: 64_000, in: packed, sequence: 80).prefix(72),
        ]
    }

    static func trailers() throws -> [[UInt8]] {
        let header = try header(bodyCapacity: 70_000)
        let digests = (0..<6).map { ContentDigest(high: UInt64($0), low: ~UInt64($0)) }
        let frames = [
            Frame(logicalLength: 262_144, storedLength: 262_144),
            Frame(logicalLength: 262_144, storedLength: 99_999, filter: .shuffle16, codec: .lz4),
            Frame(logicalLength: 7, storedLength: 127, codec: .lz4, keySlot: 2),
        ]
        let plain = ShardTrailer(
            blobLength: 3_904,
            shardDigests: digests,
            ingestDigest: ContentDigest(high: 7, low: 8),
            frames: .uniform
        )
        var full = plain
        full.frames = .explicit(frames)
        full.dataKeys = [
            DataKey(slot: 1, wrapped: [9, 8, 7], nonceBase: [1, 2]), DataKey(slot: 2, wrapped: [], nonceBase: []),
        ]
        full.identity = IdentityBlock(encoding: .json, bytes: Array("{}".utf8))
        full.unknownFields = [later]
        return [plain, full].map { trailer in
            let record = ShardRecordTrailer(shard: shard, trailer: trailer, bodyLength: 976, tableChecksum: 1)
            return [0x70, 0x11, 0x01, 0x00] + record.encoded(header)
        }
    }

    private static let footer = SegmentFooter(entries: [
        SegmentFooter.Entry(
            content: .shard(bodyLength: 976, bodyCapacity: 976, trailerCapacity: 164, headerLength: 108),
            isSealed: true,
            offset: 12_288,
            length: 1_280,
            shard: shard,
            writeStamp: 5,
            sequence: 77
        ),
        SegmentFooter.Entry(
            content: .tombstone(deadSequence: 12, deadSegment: 0x55),
            isSealed: true,
            offset: 13_568,
            length: 128,
            shard: shard,
            writeStamp: 99,
            sequence: 78
        ),
    ])

    static func footers() -> [[UInt8]] {
        [
            [0] + footer.encoded(at: 64_000, in: FuzzTarget.segmentHeader(.packed), sequence: 80),
            [1] + footer.encoded(at: 1_081_344, in: FuzzTarget.segmentHeader(.aligned), sequence: 80),
        ]
    }
}
