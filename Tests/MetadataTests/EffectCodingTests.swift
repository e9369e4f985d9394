import ClusterProtocol
import DiskFormat
import Metadata
import ObjectInterface
import ObjectModel
import SystemInterface
import TestKit
import Testing

@Suite("Effects as bytes")
struct EffectCodingTests {
    private static let lease = WriteLease(incarnation: 3, number: 4)

    private static func samples() throws -> [MetadataEffect] {
        let frames = [
            Frame(logicalLength: 262_144, storedLength: 99, filter: .shuffle16, codec: .lz4, keySlot: 1),
            Frame(logicalLength: 7, storedLength: 7),
        ]
        var blob = Sample.blob(lease, 1, length: 106, frames: .explicit(frames), missing: [0, 5])
        blob.dataKeys = [DataKey(slot: 1, wrapped: [1, 2], nonceBase: [3])]
        var version = Sample.version("b", "k\u{0}ä", [Sample.extent(blob, length: 50)], eTag: "odd")
        version.tags = [ObjectTag(key: "a", value: "")]
        version.parts = [
            PartSummary(
                number: 2,
                eTag: "0123456789abcdef0123456789abcdef",
                length: 50,
                modified: WallTime(milliseconds: 3),
                checksum: ObjectChecksum(algorithm: .sha1, kind: .fullObject, value: [9])
            )
        ]
        var completed = version
        completed.madeBy = UploadID("u")
        let group = GroupRecord(
            id: GroupID(1),
            epoch: 2,
            scheme: try Sample.scheme(),
            members: Array(Sample.disks.prefix(6))
        )
        let disk = DiskRecord(
            id: Sample.disks[0],
            site: SiteName("s"),
            node: Sample.node,
            slot: "d",
            state: .active,
            epoch: 1
        )
        let checkpoint = CheckpointRecord(
            position: .origin,
            pieces: [.init(digest: ContentDigest(high: 1, low: 2), length: 3, extents: [Sample.extent(blob)])]
        )
        return [
            .bucketCreated(Sample.bucket("b")), .bucketDeleted("b"), .userPut(Sample.user("u")),
            .userRemoved(name: "u"), .blobAdded(blob), .versionPut(version),
            .versionPut(completed), .versionRemoved(bucket: "b", key: "k", number: .max),
            .tagsPut(bucket: "b", key: "k", tags: version.tags),
            .uploadCreated(Sample.upload("b", "k", "u")), .uploadEnded(UploadID("u")),
            .partPut(Sample.part("u", 1, version.extents)),
            .shardsMissing([ShardID(blob: blob.id, index: 31)]), .shardPresent(ShardID(blob: blob.id, index: 0)),
            .blobsForgotten([blob.id]), .extentsMoved(.version(bucket: "b", key: "k", number: 1), version.extents),
            .extentsMoved(.part(UploadID("u"), number: 2), []), .leaseGranted(lease, holder: Sample.node),
            .leaseEnded(lease), .diskPut(disk), .groupPut(group),
            .memberReplaced(Sample.disks[0], with: Sample.disks[1]), .incarnationBegan(9),
            .memberSpread(Sample.disks[0], over: [GroupID(7): Sample.disks[2]]),
            .checkpointsPut([checkpoint]), .membersMoved([GroupID(7): [3: Sample.disks[2]]]),
            .movesEnded([GroupID(7): [0, 3]]), .shardsMoving([ShardID(blob: blob.id, index: 2)]),
            .classPut(StorageClass(name: "COLD", scheme: try Sample.scheme())), .classRemoved(name: "COLD"),
            .bucketClassPut(bucket: "b", name: "COLD"), .bucketClassPut(bucket: "b", name: nil),
            .versionClassPut(bucket: "b", key: "k", storageClass: "COLD"),
            .classRewritePut(ClassRewrite(bucket: "b", prefix: "p/", storageClass: "COLD", before: 9, rate: 1 << 20)),
            .classRewritePut(ClassRewrite(bucket: "b", storageClass: "STANDARD", isPaused: true, rate: 0)),
            .classRewriteEnded(bucket: "b"),
            .maintenancePut(
                NodeMaintenance(site: SiteName("s"), node: NodeName("n"), until: WallTime(milliseconds: 1 << 40))
            ),
            .maintenanceEnded(SiteName("s"), NodeName("n")),
            .forcedStartPut(ForcedStart(time: WallTime(milliseconds: 1 << 40), isAccepted: true)),
            .forcedStartPut(ForcedStart(time: WallTime(milliseconds: 1 << 40), forgotten: .max)),
            .certificateFloorPut(CertificateFloor(node: NodeName("n"), generation: .max)),
        ]
    }

    @Test("every effect comes back as it was")
    func roundtrip() throws {
        let effects = try Self.samples()
        let decoded = try MetadataEffect.decode(MetadataEffect.encode(effects))
        #expect(decoded.map { "\($0)" } == effects.map { "\($0)" })
        for effect in effects {
            #expect(try MetadataEffect.decode(MetadataEffect.encode([effect])).map { "\($0)" } == ["\(effect)"])
        }
    }

    @Test("the layout of version 1 stays what it is")
    func layout() {
        let bytes = MetadataEffect.encode([.incarnationBegan(300), .uploadEnded(UploadID("ab"))])
        #expect(
            bytes == [
                1, 21, 0, 8, 0, 0, 0, 1, 0, 2, 0, 0, 0, 0xAC, 2, 10, 0, 9, 0, 0, 0, 1, 0, 3, 0, 0, 0, 2, 0x61, 0x62,
            ]
        )
    }

    @Test(
        "the numbers of checksum algorithms stay what they are",
        arguments: [
            (ObjectChecksum.Algorithm.crc32, 1), (.crc32c, 2), (.crc64nvme, 3), (.sha1, 4), (.sha256, 5), (.sha512, 6),
            (.md5, 7), (.xxhash64, 8), (.xxhash3, 9), (.xxhash128, 10),
        ] as [(ObjectChecksum.Algorithm, UInt8)]
    )
    func checksumLayout(algorithm: ObjectChecksum.Algorithm, number: UInt8) throws {
        var part = Sample.part("u", 1, [])
        part.summary.checksum = ObjectChecksum(algorithm: algorithm, kind: .fullObject, value: [9])
        var bytes = MetadataEffect.encode([.partPut(part)])
        // Kind 1, one byte of digest, no extents.
        #expect(bytes.suffix(4) == [number << 4 | 1, 1, 9, 0])
        #expect(try MetadataEffect.decode(bytes).map { "\($0)" } == ["\(MetadataEffect.partPut(part))"])
        let unknown = UInt8(ObjectChecksum.Algorithm.allCases.count) + 1
        bytes[bytes.count - 4] = unknown << 4 | 1
        #expect(throws: MetadataError.self) { try MetadataEffect.decode(bytes) }

        var upload = Sample.upload("b", "k", "u")
        upload.upload.checksum = algorithm
        upload.tags = []
        bytes = MetadataEffect.encode([.uploadCreated(upload)])
        #expect(bytes.suffix(3) == [number, 2, 0])
        #expect(try MetadataEffect.decode(bytes).map { "\($0)" } == ["\(MetadataEffect.uploadCreated(upload))"])
        bytes[bytes.count - 3] = unknown
        #expect(throws: MetadataError.self) { try MetadataEffect.decode(bytes) }
    }

    @Test("the layout of a completed version stays what it is, and what notes no upload is read as before")
    func completedLayout() throws {
        var version = Sample.version("b", "k")
        let before = MetadataEffect.encode([.versionPut(version)])
        #expect(try MetadataEffect.decode(before).map { "\($0)" } == ["\(MetadataEffect.versionPut(version))"])
        version.madeBy = UploadID("ab")
        var bytes = MetadataEffect.encode([.versionPut(version)])
        // Two fields' heads, bucket and key are before the flags: the owner's, and now bit 10 in a second byte.
        #expect(before[17] == 1 && Array(bytes[17...18]) == [0x81, 8])
        // Behind everything else: there are no extents.
        #expect(before.last == 0 && bytes.suffix(4) == [0, 2, 0x61, 0x62])
        #expect(bytes.count == before.count + 4)
        #expect(try MetadataEffect.decode(bytes).map { "\($0)" } == ["\(MetadataEffect.versionPut(version))"])
        bytes[18] = 1 << 4
        #expect(throws: MetadataError.self) { try MetadataEffect.decode(bytes) }
    }

    @Test("the layout of storage classes stays what it is")
    func classLayout() throws {
        let item = StorageClass(name: "C", scheme: try Sample.scheme())
        #expect(
            MetadataEffect.encode([.classPut(item)]) == [
                1, 27, 0, 16, 0, 0, 0, 1, 0, 10, 0, 0, 0, 1, 0x43, 1, 4, 2, 0, 1, 0x80, 0x80, 0x40,
            ]
        )
        #expect(
            MetadataEffect.encode([.bucketClassPut(bucket: "b", name: "C"), .classRemoved(name: "C")]) == [
                1, 29, 0, 10, 0, 0, 0, 1, 0, 4, 0, 0, 0, 1, 0x62, 1, 0x43, 28, 0, 8, 0, 0, 0, 1, 0, 2, 0, 0, 0, 1, 0x43,
            ]
        )
    }

    @Test("the layout of rewrites into classes stays what it is")
    func rewriteLayout() {
        let rewrite = ClassRewrite(bucket: "b", prefix: "p", storageClass: "C", before: 300, isPaused: true, rate: 5)
        #expect(
            MetadataEffect.encode([.classRewritePut(rewrite), .classRewriteEnded(bucket: "b")]) == [
                1, 31, 0, 16, 0, 0, 0, 1, 0, 10, 0, 0, 0, 1, 0x62, 1, 0x70, 1, 0x43, 0xAC, 2, 1, 5, 32, 0, 8, 0, 0, 0,
                1, 0, 2, 0, 0, 0, 1, 0x62,
            ]
        )
        #expect(
            MetadataEffect.encode([.versionClassPut(bucket: "b", key: "k", storageClass: "C")]) == [
                1, 30, 0, 12, 0, 0, 0, 1, 0, 6, 0, 0, 0, 1, 0x62, 1, 0x6B, 1, 0x43,
            ]
        )
    }

    @Test("the layout of maintenances stays what it is")
    func maintenanceLayout() {
        let (site, node) = (SiteName("s"), NodeName("n"))
        let maintenance = NodeMaintenance(site: site, node: node, until: WallTime(milliseconds: 150))
        #expect(
            MetadataEffect.encode([.maintenancePut(maintenance), .maintenanceEnded(site, node)]) == [
                1, 33, 0, 12, 0, 0, 0, 1, 0, 6, 0, 0, 0, 1, 0x73, 1, 0x6E, 0xAC, 2, 34, 0, 10, 0, 0, 0, 1, 0, 4, 0, 0,
                0, 1, 0x73, 1, 0x6E,
            ]
        )
    }

    @Test("the layout of a forced start stays what it is")
    func forcedStartLayout() {
        let start = ForcedStart(time: WallTime(milliseconds: 150), isAccepted: true)
        #expect(
            MetadataEffect.encode([.forcedStartPut(start)]) == [1, 35, 0, 9, 0, 0, 0, 1, 0, 3, 0, 0, 0, 0xAC, 2, 1]
        )
        let back = ForcedStart(time: WallTime(milliseconds: 150), forgotten: 300)
        #expect(
            MetadataEffect.encode([.forcedStartPut(back)]) == [
                1, 35, 0, 11, 0, 0, 0, 1, 0, 5, 0, 0, 0, 0xAC, 2, 0, 0xAC, 2,
            ]
        )
    }

    @Test("the layout of a node's certificates stays what it is")
    func certificateFloorLayout() {
        let floor = CertificateFloor(node: NodeName("n"), generation: 300)
        #expect(
            MetadataEffect.encode([.certificateFloorPut(floor)])
                == [1, 36, 0, 10, 0, 0, 0, 1, 0, 4, 0, 0, 0, 1, 0x6E, 0xAC, 2]
        )
    }

    @Test("unknown optional tags are skipped, unknown mandatory ones refused")
    func tags() throws {
        let known = MetadataEffect.encode([.incarnationBegan(3)])
        let optional: [UInt8] = [0xFF, 0x80, 1, 0, 0, 0, 7]
        let mandatory: [UInt8] = [0xFF, 0x7F, 1, 0, 0, 0, 7]
        #expect(try MetadataEffect.decode(known + optional).count == 1)
        #expect(throws: MetadataError.self) { try MetadataEffect.decode(known + mandatory) }
        // The same within an effect: its length grows by the field's 7 bytes.
        var inside = known
        inside[3] += 7
        #expect(try MetadataEffect.decode(inside + optional).count == 1)
        #expect(throws: MetadataError.self) { try MetadataEffect.decode(inside + mandatory) }
        #expect(throws: MetadataError.self) { try MetadataEffect.decode([2]) }
        #expect(throws: MetadataError.self) { try MetadataEffect.decode([]) }
    }

    @Test("hostile bytes give an error or effects, never a trap")
    func hostile() throws {
        let good = MetadataEffect.encode(try Self.samples())
        for length in 0..<good.count { _ = try? MetadataEffect.decode(Array(good.prefix(length))) }
        var generator = SplitMix64(seed: 11)
        for _ in 0..<3_000 {
            var bytes = good
            for _ in 0...Int.random(in: 0..<4, using: &generator) {
                bytes[Int.random(in: 1..<bytes.count, using: &generator)] = UInt8.random(in: 0...255, using: &generator)
            }
            guard let effects = try? MetadataEffect.decode(bytes) else { continue }
            _ = MetadataEffect.encode(effects)
        }
        for _ in 0..<2_000 {
            let noise = (0..<Int.random(in: 0..<64, using: &generator)).map { _ in
                UInt8.random(in: 0...255, using: &generator)
            }
            #expect((try? MetadataEffect.decode([1] + noise)) == nil || noise.isEmpty)
        }
    }
}
