import LinuxSystem
import Metadata
import ObjectModel
import Recovery
import SystemInterface
import TestKit
import Testing

@Suite("Inspection of disks, shards, objects and journals")
struct RecoveryInspectionTests {
    private static let inspection = Inspection(time: LinuxTime(), random: SeededRandom(seed: 2))

    private static func rows(_ report: InspectionReport, _ title: String) -> [[String]] {
        report.tables.first { $0.title == title }?.rows ?? []
    }

    @Test("an object's shards are found and verified, absent and rotten ones told, while the store has the disks open")
    func object() async throws {
        let store = try await StoreHarness.open()
        try await store.put("k\u{1B}", Content.random(300_000))
        let lost = store.disk(1)
        let sources = store.disks.indices.filter { $0 != 1 }
            .map { DiskSource(path: StoreHarness.name($0), files: store.disk($0).mount()) }
        let report = try await Self.inspection.object(sources, bucket: StoreHarness.bucket, key: "k\u{1B}") {
            JournaledMetadataStore.inMemory(journal: $0)
        }
        let shards = Self.rows(report, "shards")
        #expect(shards.count == 6)
        #expect(shards.count { $0[4] == "good" } == 5)
        #expect(shards.count { $0[3] == "-" && $0[4] == "absent" } == 1)
        #expect(report.text.contains("k\\u{1b}"))
        #expect(JSONValue(parsing: report.json.encoded().utf8)?["shards"]?.array?.count == 6)
        #expect(lost.files.contains("disk"))
        await #expect(throws: RecoveryError.self) {
            try await Self.inspection.object(sources, bucket: StoreHarness.bucket, key: "none") {
                JournaledMetadataStore.inMemory(journal: $0)
            }
        }
    }

    @Test("a disk lists its shards; a shard tells what it is, and when it is bad")
    func diskAndShard() async throws {
        let store = try await StoreHarness.open()
        try await store.put("image", Content.random(2 << 20))
        let disk = store.disk(0).copy()
        let source = DiskSource(path: "d", files: disk.mount())
        let listed = try await Self.inspection.disk(source, listsShards: true)
        #expect(listed.fields.contains { $0.name == "shards" && $0.value == "1" })
        let row = try #require(Self.rows(listed, "shard list").first)
        let parts = row[0].split(separator: "/")
        let shard = ShardID(
            blob: try #require(BlobID(text: parts[0])),
            index: try #require(UInt8(parts[1]))
        )
        let good = try await Self.inspection.shard(source, shard)
        #expect(good.fields.contains { $0.name == "verified" && $0.value == "good" })
        let objects = Self.rows(good, "objects")
        #expect(objects.isEmpty || objects[0].prefix(2) == ["archive", "image"])
        let name = Hexadecimal.text(UInt64(row[2]) ?? 0)
        let segment = try #require(disk.files.first { $0.hasPrefix("segments/") && $0.contains(name) })
        disk.flip(segment, offset: (Int(row[3]) ?? 0) + 200_000, mask: 1)
        let bad = try await Self.inspection.shard(source, shard)
        #expect(bad.fields.contains { $0.name == "verified" && $0.value.hasPrefix("BAD") })
        let missing = ShardID(blob: BlobID(incarnation: 9, lease: 9, sequence: 9), index: 0)
        await #expect(throws: RecoveryError.self) { try await Self.inspection.shard(source, missing) }
    }

    @Test("a journal tells its end, its keepers and its last records; a disk that keeps none says so")
    func journal() async throws {
        let store = try await StoreHarness.open()
        for number in 0..<5 { try await store.put("k\(number)", Content.random(100)) }
        var keepers = 0
        for slot in 0..<6 {
            let source = DiskSource(path: "d", files: store.disk(slot).mount())
            do {
                let report = try await Self.inspection.journal(source, records: 3)
                #expect(Self.rows(report, "last records").count == 3)
                #expect(Self.rows(report, "keepers").count == 5)
                keepers += 1
            } catch RecoveryError.notFound {
                continue
            }
        }
        #expect(keepers == 5)
    }
}
