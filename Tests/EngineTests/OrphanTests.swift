import BlobStorage
import Coordination
import DiskFormat
import Metadata
import ObjectInterface
import ObjectModel
import ObjectStorage
import Placement
import ShardStorage
import StorageNode
import TestKit
import Testing

@Suite("Orphans and surplus")
struct OrphanTests {
    private static func collector(
        _ harness: RepackHarness,
        quarantine: Duration = .zero,
        isCurrent: @escaping @Sendable () -> Bool = { true }
    ) throws -> OrphanCollector {
        let store = try harness.store.store
        return OrphanCollector(
            metadata: store.metadata,
            blobs: store.blobs,
            time: harness.store.time,
            quarantine: quarantine,
            isCurrent: isCurrent
        )
    }

    /// A store with some packs, and a blob that was written and never committed.
    private static func withOrphan() async throws -> (RepackHarness, BlobRecord) {
        let harness = try await RepackHarness.open(count: 40)
        for number in 0..<40 where number % 8 != 0 { try await harness.delete(RepackHarness.key(number)) }
        return (harness, try await harness.writeRepack().record)
    }

    private static func endLeases(_ harness: RepackHarness) async throws {
        try await harness.store.store.objects.leases.rotate()
        try await harness.store.store.objects.leases.endDrained()
    }

    private static func shards(of blob: BlobRecord, _ harness: RepackHarness) async throws -> Int {
        let store = try harness.store.store
        let members = store.blobs.view.group(blob.group)?.members ?? []
        var count = 0
        for (index, disk) in members.enumerated()
        where try await harness.isThere(ShardID(blob: blob.id, index: UInt8(index)), on: disk) { count += 1 }
        return count
    }

    @Test("an orphan goes once its lease has ended and a quarantine has passed; nothing that is live does")
    func orphan() async throws {
        let (harness, orphan) = try await Self.withOrphan()
        let store = harness.store
        // Parts of an upload that is open, and an object of several stripes.
        let upload = try await store.objects.createUpload(
            CreateUploadRequest(
                bucket: StoreHarness.bucket,
                key: "made",
                owner: StoreHarness.owner,
                attributes: ObjectAttributes()
            )
        )
        let bytes = Content.random(6 << 20)
        let part = try await store.objects.uploadPart(
            UploadPartRequest(
                bucket: StoreHarness.bucket,
                key: "made",
                upload: upload.id,
                partNumber: 1,
                length: bytes.count
            ),
            body: ArrayBody(bytes)
        )
        try await harness.put("large", Content.random(9 << 20))
        let live = try await harness.shardCount() - 6

        let collector = try Self.collector(harness)
        for _ in 0..<3 { #expect(try await collector.pass() == 0, "its lease is active") }
        try await Self.endLeases(harness)
        let patient = try Self.collector(harness, quarantine: .seconds(3_600))
        for _ in 0..<3 { #expect(try await patient.pass() == 0, "in quarantine") }
        #expect(patient.report.suspects == 6)
        #expect(try await Self.shards(of: orphan, harness) == 6)
        #expect(try await collector.pass() == 0, "seen for the first time")
        #expect(try await collector.pass() == 6)
        #expect(collector.report.erasedShards == 6)
        #expect(try await collector.pass() == 0)
        #expect(try await harness.shardCount() == live)

        _ = try await store.objects.completeUpload(
            CompleteUploadRequest(
                bucket: StoreHarness.bucket,
                key: "made",
                upload: upload.id,
                parts: [CompleteUploadRequest.Part(number: 1, eTag: part.eTag)]
            )
        )
        harness.expect("made", bytes)
        #expect(try await harness.wrongKeys().isEmpty)
        try await store.close()
    }

    @Test("a write under way is never taken for an orphan, however old its lease")
    func writing() async throws {
        let harness = try await RepackHarness.open(count: 40)
        for number in 0..<40 where number % 8 != 0 { try await harness.delete(RepackHarness.key(number)) }
        let objects = try harness.store.store.objects
        let repack = try await harness.writeRepack()
        let collector = try Self.collector(harness)
        for _ in 0..<3 {
            try await Self.endLeases(harness)
            #expect(try await collector.pass() == 0)
        }
        let outcome = try await objects.commit(repack)
        #expect(outcome.moved > 0 && outcome.refused == 0)
        try await harness.collectGarbage()
        #expect(try await harness.wrongKeys().isEmpty)
        try await harness.store.close()
    }

    @Test("nothing is erased while metadata may be behind")
    func behind() async throws {
        let (harness, _) = try await Self.withOrphan()
        try await Self.endLeases(harness)
        let behind = try Self.collector(harness) { false }
        for _ in 0..<3 { #expect(try await behind.pass() == 0) }
        try await harness.store.close()
    }

    @Test("nothing is erased while a disk is away")
    func away() async throws {
        let (harness, orphan) = try await Self.withOrphan()
        try await Self.endLeases(harness)
        let collector = try Self.collector(harness)
        #expect(try await collector.pass() == 0)
        try Self.takeAway(3, harness)
        for _ in 0..<3 { #expect(try await collector.pass() == 0) }
        try await Self.bringBack(3, harness)
        for _ in 0..<2 { _ = try await collector.pass() }
        #expect(try await Self.shards(of: orphan, harness) == 0, "seen twice with every disk there")
        try await harness.store.close()
    }

    @Test("nothing is erased once a shard of a later incarnation is seen: somebody else has gone on with this store")
    func laterIncarnation() async throws {
        let (harness, orphan) = try await Self.withOrphan()
        try await Self.endLeases(harness)
        let collector = try Self.collector(harness)
        #expect(try await collector.pass() == 0)
        let live = try #require(try await harness.store.store.metadata.blobs(after: nil, limit: 1).first)
        let later = BlobID(incarnation: .max, lease: 1, sequence: 1)
        let target = try await harness.members(of: live.id)[2]
        try await harness.plant(ShardID(blob: live.id, index: 0), as: later, on: target)
        for _ in 0..<3 { #expect(try await collector.pass() == 0) }
        #expect(try await Self.shards(of: orphan, harness) == 6)
        #expect(try await harness.store.store.forcedStart()?.forgotten == .max, "an operator is told")
        try await harness.store.store.blobs.nodes.erase(target, [ShardID(blob: later, index: 0)])
        #expect(try await collector.pass() == 6, "seen before, and again")
        #expect(try await harness.wrongKeys().isEmpty)
        try await harness.store.close()
    }

    @Test("an orphan goes also behind later starts, which know whose it was")
    func laterStarts() async throws {
        let (harness, orphan) = try await Self.withOrphan()
        for _ in 0..<2 {
            try await harness.store.close()
            try await harness.store.start()
        }
        #expect(try await Self.shards(of: orphan, harness) == 6)
        let collector = try Self.collector(harness)
        #expect(try await collector.pass() == 0)
        #expect(try await collector.pass() == 6)
        #expect(try await harness.store.store.forcedStart() == nil)
        #expect(try await harness.wrongKeys().isEmpty)
        try await harness.store.close()
    }

    private static func takeAway(_ slot: Int, _ harness: RepackHarness) throws {
        harness.store.disk(slot).isGone = true
        try harness.store.store.blobs.view.noteUnusable(try diskID(slot, harness))
    }

    private static func bringBack(_ slot: Int, _ harness: RepackHarness) async throws {
        harness.store.disk(slot).isGone = false
        let store = try harness.store.store
        let id = try diskID(slot, harness)
        try await harness.store.running {
            try await harness.store.wait { try await store.status().disks.allSatisfy(\.isServed) }
            try await harness.store.wait { store.blobs.view.isUsable(id) }
        }
    }

    private static func diskID(_ slot: Int, _ harness: RepackHarness) throws -> DiskID {
        let hosted = try harness.store.store.hosted.map(\.disk.shards.identity.disk)
        return hosted[slot]
    }

    @Test("surplus goes only when the shard that metadata names is there and good, and its blob misses none")
    func surplus() async throws {
        let harness = try await RepackHarness.open(count: 40)
        let store = harness.store
        let blob = try #require(try await store.store.metadata.blobs(after: nil, limit: 1).first)
        let members = try await harness.members(of: blob.id)
        let shard = ShardID(blob: blob.id, index: 1)
        try await harness.plant(shard, on: members[4])
        let collector = try Self.collector(harness)
        #expect(try await collector.pass() == 0)
        #expect(collector.report.suspects == 1)

        // The named one is lost: what was planted may be the last of it.
        try await store.store.blobs.nodes.erase(members[1], [shard])
        #expect(try await collector.pass() == 0)
        try await store.store.metadata.markMissing(wherePlaced: [ShardID(blob: blob.id, index: 0)])
        #expect(try await collector.pass() == 0)
        try await store.store.metadata.markMissing(wherePlaced: [shard])
        #expect(try await collector.pass() == 0)
        #expect(try await harness.isThere(shard, on: members[4]))
        try await store.store.repairer.pass()
        #expect(try await store.store.metadata.missingShardCount() == 0)
        #expect(try await collector.pass() == 1)
        #expect(try await !harness.isThere(shard, on: members[4]))
        #expect(try await harness.isThere(shard, on: members[1]))
        #expect(try await harness.shardCount() == store.store.metadata.statistics().blobs * 6)
        #expect(try await harness.wrongKeys().isEmpty)
        try await store.close()
    }
}
