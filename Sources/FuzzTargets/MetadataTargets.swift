import DiskFormat
import Metadata
import ObjectInterface
import ObjectModel
import SystemInterface

/// What journal records and the ranges of a checkpoint hold.
extension FuzzTarget {
    static let metadataTargets: [FuzzTarget] = [
        FuzzTarget(
            "journal-payload",
            maximumLength: 2_048,
            seeds: { try MetadataSeeds.payloads() },
            run: { try payload($0) }
        ),
        FuzzTarget(
            "metadata-replay",
            maximumLength: 2_048,
            seeds: { try MetadataSeeds.journals() },
            run: { try await replay($0) }
        ),
        FuzzTarget(
            "metadata-rows",
            maximumLength: 2_048,
            seeds: { try await MetadataSeeds.exports() },
            run: { try await rows($0) }
        ),
    ]

    private static func payload(_ bytes: [UInt8]) throws -> Bool {
        guard let effects = try? MetadataEffect.decode(bytes) else { return false }
        let encoded = MetadataEffect.encode(effects)
        let again: [MetadataEffect]
        do {
            again = try MetadataEffect.decode(encoded)
        } catch {
            throw FuzzFinding("effects that were encoded cannot be decoded: \(error)")
        }
        try require(again.count == effects.count, "another number of effects comes back")
        try require(MetadataEffect.encode(again) == encoded, "other effects come back")
        return !effects.isEmpty
    }

    /// Payloads behind their lengths (2 bytes), replayed one after another until one is refused.
    private static func replay(_ bytes: [UInt8]) async throws -> Bool {
        let store = JournaledMetadataStore.inMemory(journal: NoJournal())
        var input = FuzzInput(bytes)
        var sequence: UInt64 = 0
        while !input.isAtEnd {
            let payload = input.bytes(Int(input.integer(UInt16.self)))
            let position = JournalPosition(incarnation: 1, sequence: sequence + 1)
            do throws(MetadataError) {
                try await store.apply([JournalRecord(position: position, payload: payload)])
            } catch {
                break
            }
            sequence += 1
        }
        try await examine(store)
        return sequence > 0
    }

    /// The rows of an export.
    private static func rows(_ bytes: [UInt8]) async throws -> Bool {
        guard let store = try? await imported([bytes]) else { return false }
        try await examine(store)
        return true
    }

    private static func imported(_ ranges: [[UInt8]]) async throws -> JournaledMetadataStore {
        let store = JournaledMetadataStore.inMemory(journal: NoJournal())
        try await store.beginImport()
        for range in ranges { try await store.importRows(range) }
        try await store.finishImport()
        return store
    }

    /// What a store exports makes the same store again, and every question is answered or refused.
    private static func examine(_ store: JournaledMetadataStore) async throws {
        let ranges = try await exported(store)
        if (try? await store.position()) != nil, let copy = try? await imported(ranges) {
            try require(try await exported(copy) == ranges, "an import is exported as something else")
        }
        _ = try? await store.users()
        for bucket in (try? await store.buckets(owner: nil)) ?? [] {
            for delimiter in ["", "/"] {
                let request = ListRequest(bucket: bucket.name, delimiter: delimiter, limit: 10)
                guard let page = try? await store.list(request) else { continue }
                for entry in page.entries { _ = try? await store.version(bucket: bucket.name, key: entry.name) }
            }
            _ = try? await store.listUploads(ListUploadsRequest(bucket: bucket.name, limit: 10))
        }
        for upload in (try? await store.uploads(createdBefore: WallTime(milliseconds: .max), limit: 10)) ?? [] {
            _ = try? await store.parts(of: upload.id, after: 0, limit: 10)
        }
        for blob in (try? await store.blobs(after: nil, limit: 10)) ?? [] { _ = try? await store.owners(of: blob.id) }
        _ = try? await store.missingShards(limit: 10)
        _ = try? await store.missingShardCount()
        _ = try? await store.deadBlobs(after: nil, limit: 10)
        _ = try? await store.sparseBlobs(share: 0.5, limit: 10)
        _ = try? await store.activeLeases()
        _ = try? await store.disks()
        _ = try? await store.groups()
        _ = try? await store.checkpoints()
        _ = try? await store.keeperSet()
        _ = try? await store.statistics()
    }

    private static func exported(_ store: JournaledMetadataStore) async throws -> [[UInt8]] {
        guard let snapshot = try? await store.snapshot() else { return [] }
        var ranges: [[UInt8]] = []
        var cursor: [UInt8]?
        repeat {
            let range = try await snapshot.exportRows(from: cursor, limit: 512)
            ranges.append(range.bytes)
            cursor = range.next
        } while cursor != nil
        return ranges
    }
}

/// Nothing is written while a journal is replayed.
private struct NoJournal: JournalWriter {
    var shortage: StorageError? { nil }

    func append(_ records: [JournalRecord]) async throws {}
}

enum MetadataSeeds {
    static let owner = UserID("owner")
    static let blob = BlobRecord(
        id: BlobID(incarnation: 1, lease: 1, sequence: 1),
        group: GroupID(1),
        length: 300,
        frames: .explicit([
            Frame(logicalLength: 262_144, storedLength: 200, codec: .lz4), Frame(logicalLength: 100, storedLength: 100),
        ]),
        ingestDigest: ContentDigest(high: 1, low: 2),
        missing: [2]
    )
    private static let extent = Extent(blob: blob.id, firstFrame: 0, offset: 0, length: 262_244)
    private static let disks = (1...3).map { DiskID(Identifier128(high: 7, low: UInt64($0))) }

    static let version = VersionRecord(
        bucket: "ct",
        key: "a/b",
        number: 1,
        owner: owner,
        modified: WallTime(milliseconds: 5_000),
        length: 262_244,
        eTag: "0123456789abcdef0123456789abcdef-2",
        checksum: ObjectChecksum(algorithm: .sha1, kind: .composite, value: [9], partCount: 2),
        attributes: ObjectAttributes(contentType: "a/b", headers: [.init(name: "expires", value: "0")]),
        tags: [ObjectTag(key: "k", value: "v")],
        extents: [extent],
        parts: [],
        madeBy: UploadID("up")
    )

    static let upload = UploadRecord(
        upload: Upload(
            id: UploadID("up"),
            bucket: "ct",
            key: "a/c",
            owner: owner,
            created: WallTime(milliseconds: 1),
            attributes: ObjectAttributes(),
            checksum: .xxhash128,
            checksumKind: .composite
        ),
        tags: []
    )

    static let part = PartRecord(
        upload: UploadID("up"),
        summary: PartSummary(
            number: 1,
            eTag: "d41d8cd98f00b204e9800998ecf8427e",
            length: 262_244,
            modified: WallTime(milliseconds: 2),
            checksum: nil
        ),
        extents: [extent]
    )

    /// The life of a small store, one list of effects a record.
    private static func effects() throws -> [[MetadataEffect]] {
        guard let scheme = Scheme(dataCount: 2, parityCount: 1) else { throw FuzzFinding("a scheme of three shards") }
        let lease = WriteLease(incarnation: 1, number: 1)
        let user = UserRecord(
            id: owner,
            name: "u",
            displayName: "U",
            email: "",
            accessKey: "AK",
            sealedSecret: [1]
        )
        let disk = DiskRecord(
            id: disks[0],
            site: SiteName("s"),
            node: NodeName("n"),
            slot: "d",
            state: .active,
            epoch: 1
        )
        let bucket = Bucket(name: "ct", owner: owner, region: "us-east-1", created: WallTime(milliseconds: 1_000))
        let checkpoint = CheckpointRecord(
            position: .origin,
            pieces: [.init(digest: ContentDigest(high: 1, low: 2), length: 3, extents: [extent])]
        )
        return [
            [.incarnationBegan(1), .userPut(user), .diskPut(disk)],
            [.groupPut(GroupRecord(id: GroupID(1), epoch: 1, scheme: scheme, members: disks))],
            [.bucketCreated(bucket), .leaseGranted(lease, holder: NodeName("n"))],
            [.blobAdded(blob), .versionPut(version)],
            [.tagsPut(bucket: "ct", key: "a/b", tags: [])],
            [.uploadCreated(upload), .partPut(part)],
            [.shardsMissing([ShardID(blob: blob.id, index: 0)]), .shardPresent(ShardID(blob: blob.id, index: 2))],
            [.extentsMoved(.part(UploadID("up"), number: 1), [extent]), .checkpointsPut([checkpoint])],
            [.membersMoved([GroupID(1): [0: DiskID(Identifier128(high: 7, low: 8))]])],
            [.shardsMoving([ShardID(blob: blob.id, index: 0)]), .movesEnded([GroupID(1): [0]])],
            [.memberReplaced(disks[0], with: DiskID(Identifier128(high: 7, low: 9))), .leaseEnded(lease)],
            [.classPut(StorageClass(name: "COLD", scheme: scheme)), .bucketClassPut(bucket: "ct", name: "COLD")],
            [
                .classRewritePut(ClassRewrite(bucket: "ct", prefix: "a", storageClass: "COLD", before: 2, rate: 1)),
                .versionClassPut(bucket: "ct", key: "a/b", storageClass: "COLD"), .classRewriteEnded(bucket: "ct"),
            ],
            [.bucketClassPut(bucket: "ct", name: nil), .classRemoved(name: "COLD")],
            [
                .maintenancePut(
                    NodeMaintenance(site: SiteName("s"), node: NodeName("n"), until: WallTime(milliseconds: 1))
                ),
                .maintenanceEnded(SiteName("s"), NodeName("n")),
            ],
            [.uploadEnded(UploadID("up")), .versionRemoved(bucket: "ct", key: "a/b", number: 1)],
            [.checkpointsPut([]), .blobsForgotten([blob.id]), .bucketDeleted("ct"), .userRemoved(name: "u")],
        ]
    }

    static func payloads() throws -> [[UInt8]] { try effects().map(MetadataEffect.encode) }

    /// Journals of different lengths.
    static func journals() throws -> [[UInt8]] {
        let payloads = try payloads()
        return [4, 6, 8, 12, payloads.count].map { count in
            payloads.prefix(count).flatMap { payload in
                [UInt8(truncatingIfNeeded: payload.count), UInt8(payload.count >> 8)] + payload
            }
        }
    }

    /// What stores export into which those journals were replayed.
    static func exports() async throws -> [[UInt8]] {
        var exports: [[UInt8]] = []
        for count in [4, 6, 8, 12] {
            let store = JournaledMetadataStore.inMemory(journal: NoJournal())
            for (index, payload) in try payloads().prefix(count).enumerated() {
                let position = JournalPosition(incarnation: 1, sequence: UInt64(index) + 1)
                try await store.apply([JournalRecord(position: position, payload: payload)])
            }
            exports.append(try await store.snapshot().exportRows(from: nil, limit: 1 << 20).bytes)
        }
        return exports
    }
}
