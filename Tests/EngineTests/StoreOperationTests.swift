import Checksums
import Coordination
import Metadata
import ObjectInterface
import ObjectModel
import Testing

@Suite("A store keeps S3's promises about keys")
struct StoreOperationTests {
    static let bucket = StoreHarness.bucket
    static let owner = StoreHarness.owner

    @Test("an overwrite replaces, a delete removes, and both forget the old bytes")
    func overwriteAndDelete() async throws {
        let store = try await StoreHarness.open()
        for size in [0, 100, 2 << 20] {
            try await store.put("k", Content.random(size, seed: 1))
            try await store.put("k", Content.random(size, seed: 2))
            #expect(try await store.holds("k", Content.random(size, seed: 2)))
            try await store.delete("k")
            #expect(await code(of: { _ = try await store.get("k") }) == .noSuchKey)
            #expect(try await store.keys().isEmpty)
            // Deleting what is not there succeeds, as on AWS.
            try await store.delete("k")
        }
        #expect(await code(of: { _ = try await store.objects.bucket("other") }) == .noSuchBucket)
        try await store.close()
    }

    @Test("a conditional PUT is decided by the version that is there")
    func conditions() async throws {
        let store = try await StoreHarness.open()
        let first = try await store.put("k", [1], condition: .isAbsent)
        #expect(await code(of: { try await store.put("k", [2], condition: .isAbsent) }) == .preconditionFailed)
        #expect(await code(of: { try await store.put("k", [2], condition: .matches("00")) }) == .preconditionFailed)
        #expect(await code(of: { try await store.put("none", [2], condition: .matches("*")) }) == .noSuchKey)
        try await store.put("k", [3], condition: .matches(first.eTag))
        #expect(try await store.get("k") == [3])
        #expect(
            await code(of: { try await store.put("k", [4], condition: .matches(first.eTag)) }) == .preconditionFailed
        )
        try await store.close()
    }

    @Test("of many conditional creations at once exactly one wins, small or large", arguments: [10, 2 << 20])
    func race(size: Int) async throws {
        let store = try await StoreHarness.open()
        let winners = await withTaskGroup(of: Int?.self) { group in
            for number in 0..<12 {
                group.addTask {
                    let bytes = Content.random(size, seed: UInt64(number))
                    let code = await code(of: { try await store.put("k", bytes, condition: .isAbsent) })
                    return code == nil ? number : nil
                }
            }
            return await group.reduce(into: [Int]()) { if let number = $1 { $0.append(number) } }
        }
        #expect(winners.count == 1)
        let winner = try #require(winners.first)
        #expect(try await store.holds("k", Content.random(size, seed: UInt64(winner))))
        try await store.close()
    }

    @Test("conditions of a read: what matches is answered, what does not is 304 or 412")
    func readConditions() async throws {
        let store = try await StoreHarness.open()
        let eTag = try await store.put("k", [1, 2, 3]).eTag
        func get(_ conditions: ReadConditions) async -> StorageError.Code? {
            await code(of: {
                _ = try await store.objects.get(
                    GetRequest(bucket: Self.bucket, key: "k", conditions: conditions, isHead: true)
                )
            })
        }
        #expect(await get(ReadConditions(ifMatch: [eTag])) == nil)
        #expect(await get(ReadConditions(ifMatch: ["00"])) == .preconditionFailed)
        #expect(await get(ReadConditions(ifNoneMatch: [eTag])) == .notModified)
        #expect(await get(ReadConditions(ifNoneMatch: ["00"])) == nil)
        try await store.close()
    }

    @Test("declared digests are compared and wrong ones refused, small or large", arguments: [1_000, 3 << 20])
    func checksums(size: Int) async throws {
        let store = try await StoreHarness.open()
        let bytes = Content.random(size)
        for algorithm in ObjectChecksum.Algorithm.allCases {
            let value = Content.checksum(bytes, algorithm)
            let declared = DeclaredChecksum(algorithm: algorithm, value: value)
            let result = try await store.put("k", bytes, checksum: .declared(declared))
            #expect(result.checksum == ObjectChecksum(algorithm: algorithm, kind: .fullObject, value: value))
            #expect(try await store.head("k").checksum == result.checksum)
            var wrong = declared
            wrong.value[0] ^= 1
            #expect(await code(of: { try await store.put("k", [9], checksum: .declared(wrong)) }) == .badDigest)
            #expect(await code(of: { try await store.put("k", bytes, checksum: .declared(wrong)) }) == .badDigest)
            #expect(try await store.put("k", bytes, checksum: .computed(algorithm)).checksum?.value == value)
        }
        let md5 = MessageDigest.md5.digest(bytes)
        try await store.put("k", bytes, contentMD5: md5)
        #expect(await code(of: { try await store.put("k", [1], contentMD5: md5) }) == .badDigest)
        #expect(try await store.holds("k", bytes))
        try await store.close()
    }

    @Test("a copy has the bytes, and keeps them when the source goes")
    func copies() async throws {
        let store = try await StoreHarness.open()
        for size in [0, 500, 6 << 20] {
            let bytes = Content.random(size)
            try await store.put("source", bytes, tags: [ObjectTag(key: "a", value: "b")])
            _ = try await store.objects.copy(
                CopyRequest(
                    sourceBucket: Self.bucket,
                    sourceKey: "source",
                    bucket: Self.bucket,
                    key: "copy",
                    owner: Self.owner
                )
            )
            try await store.delete("source")
            try await store.running {
                try await store.wait { try await store.store.metadata.statistics().deadBlobs == 0 }
            }
            #expect(try await store.holds("copy", bytes))
            #expect(try await store.head("copy").tags == [ObjectTag(key: "a", value: "b")])
            try await store.delete("copy")
        }
        try await store.close()
    }

    @Test("tags are set, replaced and taken away")
    func tags() async throws {
        let store = try await StoreHarness.open()
        try await store.put("k", [1], tags: [ObjectTag(key: "x", value: "1")])
        #expect(try await store.head("k").tags == [ObjectTag(key: "x", value: "1")])
        try await store.objects.putTags(
            bucket: Self.bucket,
            key: "k",
            version: .current,
            tags: [ObjectTag(key: "y", value: "2")]
        )
        #expect(try await store.head("k").tags == [ObjectTag(key: "y", value: "2")])
        try await store.objects.putTags(bucket: Self.bucket, key: "k", version: .current, tags: [])
        #expect(try await store.head("k").tags.isEmpty)
        #expect(try await store.get("k") == [1])
        try await store.close()
    }

    @Test("lists page through all keys in order and fold them at a delimiter")
    func lists() async throws {
        let store = try await StoreHarness.open()
        let names = ["a", "b/1", "b/2", "b/c/1", "d", "e/1", "z", "é"]
        for name in names.shuffled() { try await store.put(name, Array(name.utf8)) }
        for limit in 1...9 {
            var found: [String] = []
            var isDone = false
            while !isDone {
                let page = try await store.objects.list(
                    ListRequest(bucket: Self.bucket, after: found.last ?? "", limit: limit)
                )
                found += page.entries.map(\.name)
                isDone = !page.isTruncated
            }
            #expect(found == names)
        }
        let folded = try await store.objects.list(ListRequest(bucket: Self.bucket, delimiter: "/", limit: 100))
        #expect(folded.entries.map(\.name) == ["a", "b/", "d", "e/", "z", "é"])
        let within = try await store.objects.list(
            ListRequest(bucket: Self.bucket, prefix: "b/", delimiter: "/", limit: 100)
        )
        #expect(within.entries.map(\.name) == ["b/1", "b/2", "b/c/"])
        let deleted = try await store.objects.deleteMany(
            bucket: Self.bucket,
            names.map { DeleteRequest(bucket: Self.bucket, key: $0) }
        )
        #expect(try deleted.allSatisfy { try $0.get().existed })
        #expect(try await store.keys().isEmpty)
        try await store.objects.deleteBucket(Self.bucket)
        try await store.close()
    }

    @Test("small PUTs that arrive together share blobs")
    func packs() async throws {
        let store = try await StoreHarness.open()
        let count = 200
        try await withThrowingTaskGroup(of: Void.self) { group in
            for number in 0..<count {
                group.addTask { try await store.put("k\(number)", Content.random(300 + number)) }
            }
            try await group.waitForAll()
        }
        for number in 0..<count { #expect(try await store.holds("k\(number)", Content.random(300 + number))) }
        let statistics = try await store.store.metadata.statistics()
        #expect(statistics.versions == count)
        #expect(statistics.blobs < count / 4)
        try await store.close()
    }

    @Test("a small PUT whose lease has ended at its commit is written again, with the same digests")
    func leaseEndedAtCommit() async throws {
        let store = try await StoreHarness.open()
        try await store.put("before", Content.random(10))
        let bytes = Content.random(70_000)
        for algorithm in [ObjectChecksum.Algorithm.sha1, .sha256, .crc64nvme, .md5, .xxhash128] {
            for (lease, _) in try await store.store.metadata.activeLeases() {
                try await store.store.metadata.endLease(lease)
            }
            let written = try await store.put("k", bytes, checksum: .computed(algorithm))
            #expect(written.checksum?.value == Content.checksum(bytes, algorithm))
            #expect(try await store.holds("k", bytes))
        }
        try await store.close()
    }

    @Test("what deletes and overwrites free is erased from every disk, and nothing else")
    func garbage() async throws {
        let store = try await StoreHarness.open()
        try await store.put("kept", Content.random(3 << 20))
        for number in 0..<20 { try await store.put("k\(number)", Content.random(number % 2 == 0 ? 900 : 2 << 20)) }
        for number in 0..<20 where number % 4 < 2 { try await store.put("k\(number)", Content.random(50)) }
        for number in 0..<20 { try await store.delete("k\(number)") }
        try await store.running {
            try await store.wait {
                let status = try await store.store.status()
                return status.statistics.deadBlobs == 0 && status.statistics.blobs == 1
                    && status.disks.allSatisfy { $0.shardCount == 1 }
            }
        }
        #expect(try await store.holds("kept", Content.random(3 << 20)))
        try await store.close()
    }
}
