import Checksums
import DiskFormat
import ObjectModel

/// The values that the golden files of version 1 hold.
enum Samples {
    static let identity = DiskIdentity(
        cluster: ClusterID(Identifier128(high: 0x0011_2233_4455_6677, low: 0x8899_AABB_CCDD_EEFF)),
        disk: DiskID(Identifier128(high: 0x0123_4567_89AB_CDEF, low: 0xFEDC_BA98_7654_3210)),
        site: SiteName("süd-1"),
        node: NodeName("node-7"),
        epoch: 42,
        features: FeatureBits(compatible: 5, readOnly: 6),
        segmentLimit: 257,
        created: 1_767_225_600_123,
        unknownFields: [TaggedField(tag: 0x8123, bytes: [1, 2, 3])]
    )

    /// As it is once a node has served the disk.
    static var servedIdentity: DiskIdentity {
        var served = identity
        served.slot = "Fach-3ü"
        return served
    }

    static func segment(_ kind: SegmentKind) -> SegmentHeader {
        SegmentHeader(
            kind: kind,
            segment: 0x101 + UInt64(kind.rawValue),
            salt: 0xA5A5_5A5A_0F0F_F0F0,
            cluster: identity.cluster,
            disk: identity.disk,
            diskEpoch: 42,
            created: 1_767_225_600_456,
            plannedLength: 256 << 20
        )
    }

    static let shard = ShardID(blob: BlobID(incarnation: 3, lease: 0x44, sequence: 0x5_5555_5555), index: 5)

    static func header(bodyCapacity: Int) -> ShardHeader {
        guard let scheme = Scheme(dataCount: 4, parityCount: 2) else { preconditionFailure("a valid scheme") }
        return ShardHeader(
            shard: shard,
            group: GroupID(1_234),
            groupEpoch: 9,
            scheme: scheme,
            writeStamp: 0xDEAD_BEEF_0BAD_F00D,
            bodyCapacity: bodyCapacity
        )
    }

    static let frames: [Frame] = [
        Frame(logicalLength: 262_144, storedLength: 262_144),
        Frame(logicalLength: 262_144, storedLength: 99_999, filter: .shuffle16, codec: .lz4),
        Frame(logicalLength: 262_144, storedLength: 127, codec: .lz4, keySlot: 2),
        Frame(logicalLength: 1, storedLength: 1),
        Frame(logicalLength: 0, storedLength: 0, keySlot: 255),
    ]

    static let digests = (0..<6).map { ContentDigest(high: 0x1111 * UInt64($0 + 1), low: ~UInt64($0)) }

    /// Everything a trailer can hold.
    static let fullTrailer = ShardTrailer(
        blobLength: 1_000_001,
        shardDigests: digests,
        ingestDigest: ContentDigest(high: 7, low: 8),
        frames: .explicit(frames),
        dataKeys: [
            DataKey(slot: 1, wrapped: [9, 8, 7], nonceBase: [1, 2, 3, 4]), DataKey(slot: 2, wrapped: [], nonceBase: []),
        ],
        identity: IdentityBlock(encoding: .json, bytes: Array(#"{"bucket":"ct"}"#.utf8)),
        unknownFields: [TaggedField(tag: 0x9000, bytes: Array("later".utf8))]
    )

    /// What a trailer holds at least.
    static let plainTrailer = ShardTrailer(
        blobLength: 3_904,
        shardDigests: digests,
        ingestDigest: ContentDigest(high: 7, low: 8),
        frames: .uniform
    )

    static func body(_ length: Int) -> [UInt8] {
        (0..<length).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ $0 >> 8) }
    }

    /// A whole record: header, body, table and trailer where they belong, zeros between.
    static func record(
        _ kind: SegmentKind,
        offset: Int,
        bodyLength: Int,
        bodyCapacity: Int? = nil,
        trailer: ShardTrailer,
        trailerCapacity: Int? = nil,
        unknownFields: [TaggedField] = []
    ) -> [UInt8] {
        let header = header(bodyCapacity: bodyCapacity ?? bodyLength)
        let body = body(bodyLength)
        var checksums: [UInt32] = []
        body.withUnsafeBytes { ShardRecordTrailer.seed(header).checksums(of: $0, firstLeaf: 0, into: &checksums) }
        let table = ShardRecordTrailer.table(checksums)
        let end = ShardRecordTrailer(
            shard: shard,
            trailer: trailer,
            bodyLength: bodyLength,
            tableChecksum: table.withUnsafeBytes { ShardRecordTrailer.tableChecksum($0, header) }
        ).encoded(header)
        let record = ShardRecordHeader(
            header: header,
            sequence: 77,
            trailerCapacity: trailerCapacity ?? end.count,
            unknownFields: unknownFields
        )
        let layout = record.layout(in: kind)
        var bytes = [UInt8](repeating: 0, count: layout.length)
        let parts = [
            (0, record.encoded(at: segment(kind).place(offset), in: kind)), (layout.bodyOffset, body),
            (layout.tableOffset, table), (layout.trailerOffset, end),
        ]
        for (offset, part) in parts { bytes.replaceSubrange(offset..<offset + part.count, with: part) }
        return bytes
    }

    static let tombstone = Tombstone(
        sequence: 78,
        shard: shard,
        deadSequence: 77,
        deadStamp: 0xDEAD_BEEF_0BAD_F00D,
        deadSegment: 0x102,
        deadOffset: 12_288
    )

    static let footer = SegmentFooter(entries: [
        SegmentFooter.Entry(
            content: .shard(bodyLength: 976, bodyCapacity: 976, trailerCapacity: 164, headerLength: 108),
            isSealed: true,
            offset: 12_288,
            length: 1_280,
            shard: shard,
            writeStamp: 0xDEAD_BEEF_0BAD_F00D,
            sequence: 77
        ),
        SegmentFooter.Entry(
            content: .tombstone(deadSequence: 12, deadSegment: 0x55),
            isSealed: true,
            offset: 13_568,
            length: 128,
            shard: ShardID(blob: shard.blob, index: 1),
            writeStamp: 99,
            sequence: 78
        ),
        SegmentFooter.Entry(
            content: .shard(bodyLength: 0, bodyCapacity: 1 << 20, trailerCapacity: 12_288, headerLength: 108),
            isSealed: false,
            offset: 13_696,
            length: 1_064_960,
            shard: ShardID(blob: shard.blob, index: 2),
            writeStamp: 100,
            sequence: 79
        ),
    ])

    static let mark = SupersededMark(time: 1_767_225_600_789, copiedCount: 3)

    /// Name of the golden file and what it must hold.
    static let golden: [(name: String, bytes: [UInt8])] = [
        ("identity", identity.encoded() ?? []),
        ("identity-slot", servedIdentity.encoded() ?? []),
        ("segment-packed", segment(.packed).encoded()),
        ("segment-aligned", segment(.aligned).encoded()),
        ("shard-packed", record(.packed, offset: 12_288, bodyLength: 976, trailer: plainTrailer)),
        (
            "shard-packed-full",
            record(
                .packed,
                offset: 64_000,
                bodyLength: 70_000,
                trailer: fullTrailer,
                unknownFields: [TaggedField(tag: 0x8001, bytes: [1, 2, 3, 4, 5])]
            )
        ),
        (
            "shard-aligned",
            record(
                .aligned,
                offset: 16_384,
                bodyLength: 70_000,
                bodyCapacity: 150_000,
                trailer: fullTrailer,
                trailerCapacity: 4_000
            )
        ),
        ("tombstone", tombstone.encoded(at: segment(.packed).place(13_568))),
        ("footer-packed", footer.encoded(at: 1_078_656, in: segment(.packed), sequence: 80)),
        ("footer-aligned", footer.encoded(at: 1_081_344, in: segment(.aligned), sequence: 80)),
        ("superseded-mark", mark.encoded(in: segment(.aligned))),
    ]
}
