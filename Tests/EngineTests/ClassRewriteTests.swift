import BlobStorage
import Coordination
import LinuxSystem
import Metadata
import ObjectInterface
import ObjectModel
import ObjectStorage
import Placement
import SystemInterface
import TestKit
import Testing

/// Objects that are there are rewritten into another class while clients go on, interrupted wherever it may be.
@Suite("Objects are rewritten into another class")
struct ClassRewriteTests {
    private static let bucket = StoreHarness.bucket
    private static let lengths = [0, 1, 900, 5_000, 70_000, 1 << 20, 3 << 20, 9 << 20, 66 << 20]

    /// A store of rs-4-2 on nine disks with the class COLD of rs-6-3, and objects of all kinds.
    private static func filled(seed: UInt64 = 1, lengths: [Int] = lengths) async throws -> StoreHarness {
        let harness = try await StoreHarness.open(seed: seed, disks: 9)
        try await addCold(harness)
        for length in lengths {
            let bytes = Content.random(length)
            try await harness.put(
                "k/\(length)",
                bytes,
                checksum: .computed(.crc32c),
                tags: [ObjectTag(key: "a", value: "b")]
            )
        }
        // Side by side, so that they share packs.
        try await withThrowingTaskGroup(of: Void.self) { group in
            for number in 0..<150 {
                group.addTask { try await harness.put(small(number), Content.random(600 + number)) }
            }
            try await group.waitForAll()
        }
        return harness
    }

    private static func addCold(_ harness: StoreHarness) async throws {
        let scheme = try #require(Scheme(name: "rs-6-3"))
        _ = try await harness.store.addClass(StorageClass(name: "COLD", scheme: scheme))
    }

    /// Every third is in another folder.
    private static func small(_ number: Int) -> String { number % 3 == 0 ? "other/\(number)" : "k/small-\(number)" }

    private static func into(_ name: String, prefix: String = "", bucket: String = bucket) -> ClassRewrite {
        ClassRewrite(bucket: bucket, prefix: prefix, storageClass: name, rate: 1 << 40)
    }

    private static func version(_ harness: StoreHarness, _ key: String) async throws -> VersionRecord {
        try #require(try await harness.store.metadata.version(bucket: bucket, key: key)).version
    }

    /// Without what a rewrite changes.
    private static func rest(_ version: VersionRecord) -> VersionRecord {
        var version = version
        version.extents = []
        version.attributes.storageClass = ""
        return version
    }

    private static func schemes(_ harness: StoreHarness, _ key: String) async throws -> Set<String> {
        let store = try harness.store
        let detail = try #require(try await store.metadata.version(bucket: bucket, key: key))
        return Set(detail.blobs.values.compactMap { store.blobs.view.group($0.group)?.scheme.name })
    }

    /// The class by label and by bytes; a version never has the label of a class that its bytes are not in.
    private static func isIn(_ name: String, _ harness: StoreHarness, _ key: String) async throws -> Bool {
        let label = try await version(harness, key).attributes.storageClass
        let found = try await schemes(harness, key)
        let scheme = name == "COLD" ? "rs-6-3" : "rs-4-2"
        #expect(label != "COLD" || found.isSubset(of: ["rs-6-3"]), "\(key) is labelled with what it is not")
        return label == name && found.isSubset(of: [scheme])
    }

    private static func versions(_ harness: StoreHarness) async throws -> [String: VersionRecord] {
        var result: [String: VersionRecord] = [:]
        for key in try await harness.keys() { result[key] = rest(try await version(harness, key)) }
        return result
    }

    private static func check(_ harness: StoreHarness, lengths: [Int] = lengths) async throws {
        for length in lengths { #expect(try await harness.holds("k/\(length)", Content.random(length)), "\(length)") }
        for number in 0..<150 {
            #expect(try await harness.holds(small(number), Content.random(600 + number)), "\(small(number))")
        }
    }

    private static func open(_ harness: StoreHarness) async throws -> [ClassRewrite] {
        try await harness.store.metadata.classRewrites()
    }

    @Test("objects of every kind go over, and nothing of them changes but the class and where the bytes lie")
    func everything() async throws {
        let harness = try await Self.filled()
        _ = try await harness.objects.copy(
            CopyRequest(
                sourceBucket: Self.bucket,
                sourceKey: "k/9437184",
                bucket: Self.bucket,
                key: "k/copy",
                owner: StoreHarness.owner
            )
        )
        let before = try await Self.versions(harness)
        let store = try harness.store
        let plan = try await store.planClassRewrite(Self.into("COLD", prefix: "k/"))
        #expect(plan.objects == Self.lengths.count + 1 + 100 && plan.isComplete)
        #expect(plan.bytes > Self.lengths.reduce(0, +) && abs(plan.bytesOnDisks - plan.bytesOnDisksThen) < 4_000)
        #expect(try await Self.open(harness).isEmpty, "a plan begins nothing")
        try await store.beginClassRewrite(Self.into("COLD", prefix: "k/"))
        await store.classRewriter.pass()
        #expect(try await Self.open(harness).isEmpty)
        let after = try await Self.versions(harness)
        #expect(after == before)
        for key in before.keys {
            let isMeant = key.hasPrefix("k/")
            #expect(try await Self.isIn(isMeant ? "COLD" : "STANDARD", harness, key), "\(key)")
        }
        try await Self.check(harness)
        #expect(try await harness.holds("k/copy", Content.random(9 << 20)))
        // A copy shares its bytes still; small objects share packs.
        let blobs = try await store.metadata.statistics().blobs
        #expect(blobs < 100, "\(blobs) blobs")
        #expect(try await Self.version(harness, "k/copy").extents == Self.version(harness, "k/9437184").extents)
        // There is nothing left to do, and the way back is the same.
        #expect(try await store.planClassRewrite(Self.into("COLD", prefix: "k/")).objects == 0)
        try await store.beginClassRewrite(Self.into("STANDARD"))
        await store.classRewriter.pass()
        for key in before.keys { #expect(try await Self.isIn("STANDARD", harness, key), "\(key)") }
        #expect(try await Self.versions(harness) == before)
        try await Self.check(harness)
        try await harness.close()
    }

    @Test("a completed upload keeps its parts, and one that is open the class it was created with")
    func multipart() async throws {
        let harness = try await Self.filled(lengths: [])
        let objects = try harness.objects
        let (large, small) = (Content.random(6 << 20), Content.random(5_000))
        var uploads: [Upload] = []
        for key in ["done", "open"] {
            let upload = try await objects.createUpload(
                CreateUploadRequest(
                    bucket: Self.bucket,
                    key: key,
                    owner: StoreHarness.owner,
                    attributes: ObjectAttributes()
                )
            )
            uploads.append(upload)
            var parts: [PartResult] = []
            for (number, bytes) in [(1, large), (2, small)] {
                parts.append(
                    try await objects.uploadPart(
                        UploadPartRequest(
                            bucket: Self.bucket,
                            key: key,
                            upload: upload.id,
                            partNumber: number,
                            length: bytes.count
                        ),
                        body: ArrayBody(bytes)
                    )
                )
            }
            guard key == "done" else { continue }
            _ = try await objects.completeUpload(
                CompleteUploadRequest(
                    bucket: Self.bucket,
                    key: key,
                    upload: upload.id,
                    parts: parts.enumerated().map { .init(number: $0 + 1, eTag: $1.eTag) }
                )
            )
        }
        let head = try await harness.head("done")
        try await harness.store.beginClassRewrite(Self.into("COLD"))
        try await harness.store.classRewriter.pass()
        #expect(try await Self.isIn("COLD", harness, "done"))
        #expect(try await harness.head("done").parts == head.parts)
        #expect(try await harness.head("done").eTag == head.eTag)
        #expect(try await Self.version(harness, "done").madeBy == uploads[0].id)
        #expect(try await harness.holds("done", large + small))
        #expect(try await harness.get("done", part: 2) == small)
        let parts = try await harness.store.metadata.parts(of: uploads[1].id, after: 0, limit: 9)
        for extent in parts.flatMap(\.extents) {
            let blob = try #require(try await harness.store.metadata.blob(extent.blob))
            #expect(try harness.store.blobs.view.group(blob.group)?.scheme.name == "rs-4-2")
        }
        try await harness.close()
    }

    @Test("crashed again and again, it goes on where it was and ends", arguments: [1, 2, 3])
    func crashes(seed: UInt64) async throws {
        let lengths = [0, 900, 70_000, 3 << 20, 9 << 20]
        let harness = try await Self.filled(seed: seed, lengths: lengths)
        let before = try await Self.versions(harness)
        try await harness.store.beginClassRewrite(Self.into("COLD"))
        var crashes = 0
        for round in 0..<30 where try await !Self.open(harness).isEmpty {
            let rewriter = try harness.store.classRewriter
            let work = Task { await rewriter.pass() }
            try await harness.time.sleep(for: .milliseconds(Int(harness.random() % 12) + round))
            try await harness.crash()
            crashes += 1
            work.cancel()
            await work.value
            for key in before.keys { _ = try await Self.isIn("COLD", harness, key) }
            #expect(try await Self.versions(harness) == before)
        }
        #expect(crashes > 1)
        try await harness.store.classRewriter.pass()
        #expect(try await Self.open(harness).isEmpty)
        for key in before.keys { #expect(try await Self.isIn("COLD", harness, key), "\(key)") }
        try await Self.check(harness, lengths: lengths)
        // Blobs that a crash left half made are orphans, and go as all do: no shard of theirs is named.
        #expect(try await Self.versions(harness) == before)
        try await harness.close()
    }

    @Test("what clients overwrite, delete or tag while its bytes are copied is as they left it")
    func crossed() async throws {
        let harness = try await Self.filled(lengths: [3 << 20])
        let store = try harness.store
        let scheme = try #require(store.blobs.view.scheme(named: "COLD"))
        let rewrite = try await store.metadata.beginClassRewrite(Self.into("COLD"))
        let keys = ["k/3145728", Self.small(1), Self.small(2), Self.small(4)]
        var blobs: Set<BlobID> = []
        for key in keys { blobs.formUnion(try await Self.version(harness, key).extents.map(\.blob)) }
        let target = ClassTarget(rewrite, scheme: scheme)
        guard let repack = try await store.objects.repack(blobs.sorted(), into: target) else {
            Issue.record("nothing to rewrite")
            return
        }
        try await harness.put(keys[0], Content.random(100))
        try await harness.delete(keys[1])
        let tags = [ObjectTag(key: "new", value: "tag")]
        try await harness.objects.putTags(bucket: Self.bucket, key: keys[2], version: .current, tags: tags)
        let outcome = try await store.objects.commit(repack)
        #expect(outcome.refused == 2 && outcome.moved > 0)
        #expect(try await harness.holds(keys[0], Content.random(100)))
        #expect(try await Self.isIn("STANDARD", harness, keys[0]))
        #expect(try await store.metadata.version(bucket: Self.bucket, key: keys[1]) == nil)
        #expect(try await Self.version(harness, keys[2]).tags == tags)
        #expect(try await Self.isIn("COLD", harness, keys[2]))
        // The rest goes over; the newer version is not meant.
        await store.classRewriter.pass()
        #expect(try await Self.open(harness).isEmpty)
        #expect(try await Self.isIn("STANDARD", harness, keys[0]))
        #expect(try await Self.isIn("COLD", harness, keys[3]))
        try await harness.close()
    }

    @Test("writers that go on meanwhile lose nothing, and it ends while they go on")
    func writers() async throws {
        let harness = try await Self.filled(lengths: [900, 70_000])
        try await harness.store.beginClassRewrite(Self.into("COLD"))
        let rewriter = try harness.store.classRewriter
        async let writing: [String: Int?] = Self.write(harness, rounds: 400)
        await rewriter.pass()
        let last = try await writing
        for _ in 0..<5 where try await !Self.open(harness).isEmpty { await rewriter.pass() }
        #expect(try await Self.open(harness).isEmpty)
        for (key, length) in last {
            if let length {
                #expect(try await harness.holds(key, Content.random(length)), "\(key)")
            } else {
                #expect(try await harness.store.metadata.version(bucket: Self.bucket, key: key) == nil)
            }
        }
        for number in 0..<150 where last[Self.small(number)] == nil {
            #expect(try await Self.isIn("COLD", harness, Self.small(number)))
            #expect(try await harness.holds(Self.small(number), Content.random(600 + number)))
        }
        try await harness.close()
    }

    /// Overwrites and deletes; what each key came to.
    private static func write(_ harness: StoreHarness, rounds: Int) async throws -> [String: Int?] {
        var generator = SplitMix64(seed: 3)
        var last: [String: Int?] = [:]
        for round in 0..<rounds {
            let key = small(Int(generator.next() % 75))
            if generator.next() % 5 == 0 {
                try await harness.delete(key)
                last[key] = .some(nil)
            } else {
                try await harness.put(key, Content.random(2_000 + round))
                last[key] = 2_000 + round
            }
        }
        return last
    }

    @Test("a pause holds over a restart, and a cancelled one leaves every object whole in one class or the other")
    func control() async throws {
        let harness = try await Self.filled(lengths: [900, 9 << 20])
        try await harness.store.beginClassRewrite(Self.into("COLD"))
        try await harness.store.pauseClassRewrite(Self.bucket, true)
        try await harness.store.classRewriter.pass()
        #expect(try await Self.isIn("STANDARD", harness, "k/900"))
        let old = harness.database.copy()
        for database in [nil, old] {
            try await harness.crash(database: database)
            try await harness.store.classRewriter.pass()
            #expect(try await Self.open(harness).map(\.isPaused) == [true])
            #expect(try await Self.isIn("STANDARD", harness, "k/900"))
        }
        try await harness.store.pauseClassRewrite(Self.bucket, false)
        let work = Task { [harness] in await (try? harness.store.classRewriter)?.pass() }
        try await harness.time.sleep(for: .milliseconds(10))
        // It may have ended by itself.
        try? await harness.store.cancelClassRewrite(Self.bucket)
        await work.value
        #expect(try await Self.open(harness).isEmpty)
        for key in try await harness.keys() {
            let isCold = try await Self.isIn("COLD", harness, key)
            let isStandard = try await Self.isIn("STANDARD", harness, key)
            #expect(isCold || isStandard, "\(key)")
        }
        try await Self.check(harness, lengths: [900, 9 << 20])
        await #expect(throws: ClassChangeError.notRewriting(Self.bucket)) {
            try await harness.store.cancelClassRewrite(Self.bucket)
        }
        // Who looks on learns how it ended, until another one begins.
        try await harness.store.beginClassRewrite(Self.into("COLD"))
        #expect(try harness.store.classRewriter.cancelled.isEmpty)
        try await harness.store.cancelClassRewrite(Self.bucket)
        #expect(try harness.store.classRewriter.cancelled == [Self.bucket])
        try await harness.close()
    }

    @Test("what makes no rewrite is refused; one goes with its bucket, and holds its class")
    func refusals() async throws {
        let harness = try await Self.filled(lengths: [900])
        let store = try harness.store
        await #expect(throws: ClassChangeError.noSuchClass("WARM")) {
            try await store.beginClassRewrite(Self.into("WARM"))
        }
        await #expect(throws: ClassChangeError.noSuchBucket("none")) {
            try await store.beginClassRewrite(Self.into("COLD", bucket: "none"))
        }
        #expect(try await Self.open(harness).isEmpty)
        try await store.beginClassRewrite(Self.into("COLD"))
        await #expect(throws: ClassChangeError.isRewriting(Self.bucket)) {
            try await store.beginClassRewrite(Self.into("STANDARD"))
        }
        await #expect(throws: ClassChangeError.isTarget("COLD", buckets: [Self.bucket])) {
            try await store.removeClass("COLD")
        }
        for key in try await harness.keys() { try await harness.delete(key) }
        try await harness.objects.deleteBucket(Self.bucket)
        #expect(try await Self.open(harness).isEmpty)
        try await store.removeClass("COLD")
        try await harness.close()
    }

    @Test("objects in a class of the same scheme, and labels that were no class yet, get what they lack")
    func labels() async throws {
        let harness = try await StoreHarness.open(disks: 9)
        let standard = try #require(Scheme(name: "rs-4-2"))
        _ = try await harness.store.addClass(StorageClass(name: "IA", scheme: standard))
        try await harness.put("k", Content.random(2 << 20))
        let extents = try await Self.version(harness, "k").extents
        try await harness.store.beginClassRewrite(Self.into("IA"))
        try await harness.store.classRewriter.pass()
        #expect(try await Self.version(harness, "k").attributes.storageClass == "IA")
        #expect(try await Self.version(harness, "k").extents == extents)
        _ = try await harness.objects.put(
            PutRequest(
                bucket: Self.bucket,
                key: "cold",
                owner: StoreHarness.owner,
                length: 5_000,
                attributes: ObjectAttributes(storageClass: "COLD")
            ),
            body: ArrayBody(Content.random(5_000))
        )
        try await Self.addCold(harness)
        #expect(try await Self.schemes(harness, "cold") == ["rs-4-2"])
        try await harness.store.beginClassRewrite(Self.into("COLD"))
        try await harness.store.classRewriter.pass()
        #expect(try await Self.isIn("COLD", harness, "cold"))
        #expect(try await Self.isIn("COLD", harness, "k"))
        try await harness.close()
    }

    @Test("a blob that cannot be read is said and left, and the others go over")
    func unreadable() async throws {
        let harness = try await Self.filled(lengths: [900, 3 << 20])
        let store = try harness.store
        let extent = try #require(try await Self.version(harness, "k/3145728").extents.first)
        let blob = try #require(try await store.metadata.blob(extent.blob))
        let group = try #require(store.blobs.view.group(blob.group))
        let trailers = try await Self.take(0..<3, of: extent.blob, in: group, harness)
        try await store.beginClassRewrite(Self.into("COLD"))
        await store.classRewriter.pass()
        let rewrite = try #require(try await Self.open(harness).first)
        let progress = try #require(store.classRewriter.progress(of: rewrite))
        #expect(progress.objectsDone == 151 && !trailers.isEmpty)
        #expect(progress.problem.contains("could not be rewritten"))
        #expect(try await Self.isIn("STANDARD", harness, "k/3145728"))
        for number in 0..<150 { #expect(try await Self.isIn("COLD", harness, Self.small(number))) }
        try await harness.close()
    }

    /// Erases shards of a blob, more of them than it can bear.
    private static func take(
        _ shards: Range<UInt8>,
        of blob: BlobID,
        in group: ClusterMap.Group,
        _ harness: StoreHarness
    ) async throws -> [DiskID] {
        var disks: [DiskID] = []
        for shard in shards {
            let disk = group.members[Int(shard)]
            try await harness.store.blobs.nodes.erase(disk, [ShardID(blob: blob, index: shard)])
            disks.append(disk)
        }
        return disks
    }
}
