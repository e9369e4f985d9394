import BlobStorage
import Coordination
import DiskFormat
import Metadata
import ObjectInterface
import ObjectModel
import ObjectStorage
import Placement
import TestKit
import Testing

@Suite("Storage classes")
struct StoreClassTests {
    private static let bucket = StoreHarness.bucket

    /// A store of rs-4-2 on nine disks, with the class COLD of rs-6-3.
    private static func open(seed: UInt64 = 1) async throws -> StoreHarness {
        let harness = try await StoreHarness.open(seed: seed, disks: 9)
        _ = try await harness.store.addClass(StorageClass(name: "COLD", scheme: try scheme("rs-6-3")))
        return harness
    }

    private static func scheme(_ name: String) throws -> Scheme { try #require(Scheme(name: name)) }

    /// nil says no class.
    private static func put(_ harness: StoreHarness, _ key: String, _ bytes: [UInt8], _ label: String?) async throws {
        _ = try await harness.objects.put(
            PutRequest(
                bucket: bucket,
                key: key,
                owner: StoreHarness.owner,
                length: bytes.count,
                attributes: ObjectAttributes(storageClass: label ?? ObjectAttributes.storageClassNotSaid)
            ),
            body: ArrayBody(bytes)
        )
    }

    private static func copy(
        _ harness: StoreHarness,
        _ source: String,
        _ key: String,
        _ label: String?,
        checksum: ObjectChecksum.Algorithm? = nil
    ) async throws -> WriteResult {
        try await harness.objects.copy(
            CopyRequest(
                sourceBucket: bucket,
                sourceKey: source,
                bucket: bucket,
                key: key,
                owner: StoreHarness.owner,
                storageClass: label ?? ObjectAttributes.storageClassNotSaid,
                checksum: checksum
            )
        )
    }

    /// By name, of all blobs of an object.
    private static func schemes(_ harness: StoreHarness, _ key: String) async throws -> Set<String> {
        let store = try harness.store
        let detail = try #require(try await store.metadata.version(bucket: bucket, key: key))
        return Set(detail.blobs.values.compactMap { store.blobs.view.group($0.group)?.scheme.name })
    }

    private static func blobs(_ harness: StoreHarness, _ key: String) async throws -> Set<BlobID> {
        Set(try #require(try await harness.store.metadata.version(bucket: bucket, key: key)).blobs.keys)
    }

    @Test("objects of every size get the scheme of their label's class, and unknown labels that of STANDARD")
    func labels() async throws {
        let harness = try await Self.open()
        let lengths = [1, 300_000, 1 << 20, (1 << 20) + 1, 5 << 20, 9 << 20, 65 << 20]
        for (label, name) in [("COLD", "rs-6-3"), ("STANDARD", "rs-4-2"), ("GLACIER", "rs-4-2"), (nil, "rs-4-2")] {
            for length in lengths where label == "COLD" || length < 9 << 20 {
                let key = "\(label ?? "none")/\(length)"
                let bytes = Content.random(length)
                try await Self.put(harness, key, bytes, label)
                #expect(try await Self.schemes(harness, key) == [name], "\(key)")
                #expect(try await harness.holds(key, bytes), "\(key)")
                #expect(try await harness.head(key).attributes.storageClass == label ?? "STANDARD")
            }
        }
        try await harness.close()
    }

    @Test("small objects of two classes that arrive together never share a pack")
    func packs() async throws {
        let harness = try await Self.open()
        try await withThrowingTaskGroup(of: Void.self) { group in
            for number in 0..<200 {
                group.addTask {
                    let label = number % 3 == 0 ? "COLD" : "STANDARD"
                    try await Self.put(harness, "k\(number)", Content.random(900 + number), label)
                }
            }
            try await group.waitForAll()
        }
        var blobs: [String: Set<BlobID>] = [:]
        for number in 0..<200 {
            let name = number % 3 == 0 ? "rs-6-3" : "rs-4-2"
            #expect(try await Self.schemes(harness, "k\(number)") == [name])
            #expect(try await harness.holds("k\(number)", Content.random(900 + number)))
            blobs[name, default: []].formUnion(try await Self.blobs(harness, "k\(number)"))
        }
        #expect(blobs.values.allSatisfy { $0.count < 60 }, "there are packs: \(blobs.mapValues(\.count))")
        try await harness.close()
    }

    @Test("a write that names no class gets the bucket's default, and its label; one that does gets what it names")
    func bucketDefault() async throws {
        let harness = try await Self.open()
        try await harness.store.setBucketClass(Self.bucket, "COLD")
        for (key, label, name) in [
            ("none", nil, "rs-6-3"), ("standard", "STANDARD", "rs-4-2"), ("other", "GLACIER", "rs-6-3"),
        ] {
            try await Self.put(harness, key, Content.random(40_000), label)
            #expect(try await Self.schemes(harness, key) == [name], "\(key)")
            #expect(try await harness.head(key).attributes.storageClass == label ?? "COLD")
        }
        await #expect(throws: ClassChangeError.inUse("COLD", buckets: [Self.bucket])) {
            try await harness.store.removeClass("COLD")
        }
        try await harness.store.setBucketClass(Self.bucket, "STANDARD")
        try await harness.store.removeClass("COLD")
        try await Self.put(harness, "later", Content.random(40_000), "COLD")
        #expect(try await Self.schemes(harness, "later") == ["rs-4-2"])
        // What was written before stays.
        #expect(try await Self.schemes(harness, "none") == ["rs-6-3"])
        #expect(try await harness.holds("none", Content.random(40_000)))
        try await harness.close()
    }

    @Test("a copy into another class is written anew with the same ETag; one into its own shares the bytes")
    func copies() async throws {
        let harness = try await Self.open()
        for length in [1_000, (1 << 20) + 5, 70 << 20] {
            let bytes = Content.random(length)
            let key = "\(length)"
            try await Self.put(harness, key, bytes, "STANDARD")
            let eTag = try await harness.head(key).eTag
            let copied = try await Self.copy(harness, key, key + "/cold", "COLD", checksum: .crc32c)
            #expect(copied.eTag == eTag)
            #expect(copied.checksum?.value == Content.checksum(bytes, .crc32c))
            #expect(try await Self.schemes(harness, key + "/cold") == ["rs-6-3"])
            #expect(try await harness.head(key + "/cold").attributes.storageClass == "COLD")
            _ = try await Self.copy(harness, key + "/cold", key + "/again", "COLD")
            #expect(try await Self.blobs(harness, key + "/again") == Self.blobs(harness, key + "/cold"))
            _ = try await Self.copy(harness, key + "/cold", key + "/back", nil)
            #expect(try await Self.schemes(harness, key + "/back") == ["rs-4-2"])
            _ = try await Self.copy(harness, key, key, "COLD")
            for copy in ["", "/cold", "/again", "/back"] { #expect(try await harness.holds(key + copy, bytes)) }
            #expect(try await Self.schemes(harness, key) == ["rs-6-3"])
        }
        try await harness.close()
    }

    @Test("an upload's parts, copied ones too, get the class it was created with; a copy keeps its parts")
    func multipart() async throws {
        let harness = try await Self.open()
        let objects = try harness.objects
        let (large, small) = (Content.random(6 << 20), Content.random(5_000))
        try await Self.put(harness, "source", large, "STANDARD")
        let upload = try await objects.createUpload(
            CreateUploadRequest(
                bucket: Self.bucket,
                key: "k",
                owner: StoreHarness.owner,
                attributes: ObjectAttributes(storageClass: "COLD")
            )
        )
        let first = try await objects.uploadPart(
            UploadPartRequest(bucket: Self.bucket, key: "k", upload: upload.id, partNumber: 1, length: large.count),
            body: ArrayBody(large)
        )
        let second = try await objects.copyPart(
            CopyPartRequest(
                sourceBucket: Self.bucket,
                sourceKey: "source",
                sourceRange: 7...(5 << 20) + 6,
                bucket: Self.bucket,
                key: "k",
                upload: upload.id,
                partNumber: 2
            )
        )
        let third = try await objects.uploadPart(
            UploadPartRequest(bucket: Self.bucket, key: "k", upload: upload.id, partNumber: 3, length: small.count),
            body: ArrayBody(small)
        )
        let done = try await objects.completeUpload(
            CompleteUploadRequest(
                bucket: Self.bucket,
                key: "k",
                upload: upload.id,
                parts: [first, second, third].enumerated().map { .init(number: $0 + 1, eTag: $1.eTag) }
            )
        )
        let whole = large + large[7...(5 << 20) + 6] + small
        #expect(try await Self.schemes(harness, "k") == ["rs-6-3"])
        #expect(try await harness.holds("k", whole))
        let copied = try await Self.copy(harness, "k", "copy", "STANDARD")
        #expect(copied.eTag == done.eTag)
        #expect(try await Self.schemes(harness, "copy") == ["rs-4-2"])
        #expect(try await harness.head("copy").parts == harness.head("k").parts)
        #expect(try await harness.get("copy", part: 2) == Array(large[7...(5 << 20) + 6]))
        #expect(try await harness.holds("copy", whole))
        try await harness.close()
    }

    @Test("a repack keeps each object in its scheme")
    func repack() async throws {
        let harness = try await Self.open()
        for number in 0..<120 {
            let label = number < 60 ? "COLD" : "STANDARD"
            try await Self.put(harness, "k\(number)", Content.random(2_000 + number), label)
        }
        for key in ["large/COLD", "large/STANDARD"] {
            let label = String(key.dropFirst("large/".count))
            try await Self.put(harness, key, Content.random(3 << 20), label)
        }
        for number in 0..<120 where number % 10 != 3 { try await harness.delete("k\(number)") }
        let store = try harness.store
        let repacker = Repacker(metadata: store.metadata, objects: store.objects, time: harness.time, grace: .zero)
        // Each object went alone where nothing else was waiting: then there is nothing to rewrite.
        let sparse = try await store.metadata.sparseBlobs(share: Repacker.share, limit: 1_000).count
        try await repacker.pass()
        #expect(repacker.progress.blobsDone == sparse)
        for number in 0..<120 where number % 10 == 3 {
            #expect(try await Self.schemes(harness, "k\(number)") == [number < 60 ? "rs-6-3" : "rs-4-2"])
            #expect(try await harness.holds("k\(number)", Content.random(2_000 + number)))
        }
        try await harness.close()
    }

    @Test("blobs of two schemes are never made one")
    func mixedRepack() async throws {
        let harness = try await Self.open()
        try await Self.put(harness, "a", Content.random(2_000), "COLD")
        try await Self.put(harness, "b", Content.random(2_000), "STANDARD")
        let both = try await Self.blobs(harness, "a").union(Self.blobs(harness, "b"))
        let objects = try harness.store.objects
        #expect(await code { _ = try await objects.repack(both.sorted()) } == .internalFailure)
        try await harness.close()
    }

    @Test("the journal gets the keepers of the strongest class, and then three disks may go", arguments: [1, 2, 3])
    func losses(seed: UInt64) async throws {
        let harness = try await Self.open(seed: seed)
        let bytes = Content.random(2 << 20)
        try await Self.put(harness, "cold", bytes, "COLD")
        try await Self.put(harness, "small", Content.random(700), "COLD")
        try await harness.running {
            try await harness.wait { try harness.store.journal.report.keepers.keepers.count == 7 }
        }
        #expect(try await harness.store.keepersWanted() == 7)
        for slot in [0, 3 + Int(seed), 8] { harness.disk(slot).isGone = true }
        #expect(try await harness.holds("cold", bytes))
        #expect(try await harness.holds("small", Content.random(700)))
        // Six of nine are no durable write of rs-6-3; metadata goes on.
        #expect(await code { try await Self.put(harness, "new", bytes, "COLD") } == .unavailable)
        try await harness.delete("small")
        try await harness.close()
    }

    @Test("a class that has too few disks because one is being emptied is told so")
    func drained() async throws {
        let harness = try await StoreHarness.open(disks: 9)
        let disk = try #require(try await harness.store.metadata.disks().first)
        _ = try await harness.store.beginMoves(.empty([disk.id]))
        let scheme = try Self.scheme("rs-6-3")
        await #expect(throws: ClassChangeError.refused(.tooFewDisks(usable: 8, scheme: scheme, emptied: 1))) {
            try await harness.store.planClass(scheme)
        }
        try await harness.close()
    }

    @Test("classes, defaults and groups are there after a crash, and after a start from an older database")
    func crashes() async throws {
        let harness = try await StoreHarness.open(disks: 9)
        let old = harness.database.copy()
        _ = try await harness.store.addClass(StorageClass(name: "COLD", scheme: try Self.scheme("rs-6-3")))
        try await harness.store.setBucketClass(Self.bucket, "COLD")
        let bytes = Content.random(100_000)
        try await Self.put(harness, "k", bytes, nil)
        let groups = try await harness.store.metadata.groups()
        for database in [nil, old] {
            try await harness.crash(database: database)
            #expect(try await harness.store.metadata.classes().map(\.name) == ["COLD"])
            #expect(try await harness.store.metadata.groups() == groups)
            #expect(try await Self.schemes(harness, "k") == ["rs-6-3"])
            #expect(try await harness.holds("k", bytes))
            try await Self.put(harness, "new", bytes, nil)
            #expect(try await Self.schemes(harness, "new") == ["rs-6-3"])
        }
        try await harness.close()
    }

    @Test("checkpoints are written in the strongest scheme, those of before anew")
    func checkpoints() async throws {
        let harness = try await StoreHarness.open(disks: 9)
        let store = try harness.store
        let schemes = { () async throws -> Set<String> in
            var names: Set<String> = []
            let last = try #require(try await store.metadata.checkpoints().first)
            for extent in last.pieces.flatMap(\.extents) {
                let blob = try #require(try await store.metadata.blob(extent.blob))
                names.insert(try #require(store.blobs.view.group(blob.group)).scheme.name)
            }
            return names
        }
        try await store.checkpointer.take()
        #expect(try await schemes() == ["rs-4-2"])
        _ = try await store.addClass(StorageClass(name: "COLD", scheme: try Self.scheme("rs-6-3")))
        try await store.checkpointer.take()
        #expect(try await schemes() == ["rs-6-3"])
        try await harness.close()
    }

    @Test("a class in which nothing lies weakens nothing that is said of what is stored, once that is known")
    func unused() async throws {
        let harness = try await StoreHarness.open(disks: 9)
        let standard = try Self.scheme("rs-4-2")
        let weak = StorageClass(name: "WEAK", scheme: try Self.scheme("rs-2-1"))
        func survived() async throws -> [Int?] {
            let store = try harness.store
            let status = try await store.status()
            return [Survival(try await store.snapshot(status).store.layout)?.disks, status.reach.fewestSpares]
        }
        try await Self.put(harness, "before", Content.random(40_000), nil)
        #expect(try await survived() == [2, 2])
        _ = try await harness.store.addClass(weak)
        #expect(try await survived() == [1, 1], "nobody has looked yet what lies where")
        #expect(await (try harness.store).inventory.pass())
        #expect(try await survived() == [2, 2])

        // Writes would still go there.
        let layout = try await harness.store.snapshot(harness.store.status()).store.layout
        #expect(Set(layout.groups.map(\.scheme)) == [standard, weak.scheme])
        // From the first blob on it counts.
        try await Self.put(harness, "weak", Content.random(40_000), "WEAK")
        #expect(try await survived() == [1, 1])
        try await harness.store.removeClass("WEAK")
        #expect(try await survived() == [1, 1], "its objects stay")
        // And it does after a restart, looked at or not.
        try await harness.close()
        try await harness.start()
        #expect(try await survived() == [1, 1])
        #expect(await (try harness.store).inventory.pass())
        #expect(try await survived() == [1, 1])
        try await harness.close()
    }

    @Test("a class that was added by mistake and removed leaves no trace in what is said of the store")
    func removedUnused() async throws {
        let harness = try await StoreHarness.open(disks: 9)
        try await Self.put(harness, "before", Content.random(40_000), nil)
        let before = try await harness.store.snapshot(harness.store.status()).store.layout
        _ = try await harness.store.addClass(StorageClass(name: "WEAK", scheme: try Self.scheme("rs-2-1")))
        try await harness.store.removeClass("WEAK")
        #expect(await (try harness.store).inventory.pass())
        let after = try await harness.store.snapshot(harness.store.status()).store.layout
        #expect(after.groups == before.groups && Survival(after) == Survival(before))
        #expect(try await harness.store.metadata.groups().count > before.groups.count, "their numbers are taken")
        try await harness.close()
    }

    @Test("names, schemes and disks that make no class are refused, and nothing is changed")
    func refusals() async throws {
        let harness = try await Self.open()
        let store = try harness.store
        let groups = try await store.metadata.groups().count
        for (name, scheme) in [
            ("cold", "rs-2-1"), ("", "rs-2-1"), ("STANDARD", "rs-2-1"), ("COLD", "rs-2-1"), ("DEEP", "rs-8-7"),
            ("DEEP", "rs-4-5"),
        ] {
            let item = StorageClass(name: name, scheme: try Self.scheme(scheme))
            await #expect(throws: ClassChangeError.self) { _ = try await store.addClass(item) }
        }
        await #expect(throws: ClassChangeError.noSuchClass("WARM")) { try await store.removeClass("WARM") }
        await #expect(throws: ClassChangeError.standard) { try await store.removeClass("STANDARD") }
        await #expect(throws: ClassChangeError.noSuchBucket("none")) { try await store.setBucketClass("none", "COLD") }
        #expect(try await store.metadata.groups().count == groups)
        #expect(try await store.metadata.classes().map(\.name) == ["COLD"])
        // The same once more, and another name for the same scheme, make no groups.
        #expect(try await store.addClass(StorageClass(name: "COLD", scheme: try Self.scheme("rs-6-3"))).added.isEmpty)
        #expect(try await store.addClass(StorageClass(name: "IA", scheme: try Self.scheme("rs-4-2"))).added.isEmpty)
        #expect(try await store.metadata.groups().count == groups)
        try await harness.close()
    }

    @Test("a disk that is lost is replaced, and the shards of both schemes are put back")
    func repair() async throws {
        let harness = try await Self.open()
        let bytes = Content.random(3 << 20)
        for label in ["COLD", "STANDARD"] {
            for number in 0..<6 { try await Self.put(harness, "\(label)/\(number)", bytes, label) }
        }
        harness.disk(2).isGone = true
        _ = try await harness.store.status()
        harness.swapDisk(2)
        _ = try await harness.store.replaceDisk(inSlot: StoreHarness.name(2), of: NodeName("node-1"))
        #expect(try await harness.store.metadata.missingShardCount() > 6)
        try await harness.running {
            try await harness.wait { try await harness.store.metadata.missingShardCount() == 0 }
        }
        for slot in [0, 5] { harness.disk(slot).isGone = true }
        for label in ["COLD", "STANDARD"] {
            for number in 0..<6 { #expect(try await harness.holds("\(label)/\(number)", bytes)) }
        }
        try await harness.close()
    }

    @Test("larger disks are in more groups, of a new store and of a new class")
    func larger() async throws {
        let harness = try await StoreHarness.open(disks: 16, doubled: [3, 11])
        _ = try await harness.store.addClass(StorageClass(name: "COLD", scheme: try Self.scheme("rs-3-2")))
        let disks = try await harness.store.metadata.disks()
        let groups = try await harness.store.metadata.groups()
        for scheme in ["rs-4-2", "rs-3-2"] {
            let members = groups.filter { $0.scheme.name == scheme }.flatMap(\.members)
            for slot in 0..<16 {
                let disk = disks.first { $0.slot == StoreHarness.name(slot) }
                let places = members.count { $0 == disk?.id }
                let share = Double(members.count) * (slot == 3 || slot == 11 ? 2 : 1) / 18
                #expect(abs(Double(places) - share) < 3, "\(scheme), slot \(slot): \(places) of \(share)")
            }
        }
        try await harness.close()
    }
}
