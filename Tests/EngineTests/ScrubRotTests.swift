import BlobStorage
import Coordination
import DiskFormat
import Metadata
import ObjectModel
import StorageNode
import SystemInterface
import TestKit
import Testing

@Suite("The scrub: what it finds")
struct ScrubRotTests {
    /// One byte of another value somewhere in a shard.
    private static func change(_ body: inout [UInt8]) { body[body.count / 3] ^= 0x40 }

    private static func repair(_ scrub: ScrubHarness) async throws {
        await (try scrub.store.repairer).pass()
        #expect(try await scrub.store.metadata.missingShardCount() == 0)
        for number in 0..<ScrubHarness.objects {
            #expect(try await scrub.harness.holds(ScrubHarness.key(number), ScrubHarness.content(number)))
        }
    }

    @Test("rot in a data shard and in a parity shard, and a shard that is gone, are found and repaired")
    func rot() async throws {
        let scrub = try await ScrubHarness.open()
        let data = ShardID(blob: try await scrub.blob(of: ScrubHarness.key(1)).id, index: 2)
        let parity = ShardID(blob: try await scrub.blob(of: ScrubHarness.key(5)).id, index: 4)
        let lost = ShardID(blob: try await scrub.blob(of: ScrubHarness.key(9)).id, index: 0)
        try await scrub.rot(data)
        try await scrub.rot(parity)
        try await scrub.store.blobs.nodes.erase(scrub.disk(of: lost), [lost])
        try scrub.start()
        try await scrub.advance(days: 13)
        for shard in [data, parity, lost] { #expect(try await scrub.missing(shard), "\(shard)") }
        let totals = try scrub.status.totals
        #expect((totals.bad, totals.absent) == (3, 1), "the one that is gone is not damaged")
        #expect(try await scrub.store.metadata.missingShardCount() == 3)
        try await Self.repair(scrub)
        await scrub.stop()
    }

    @Test("the disk on which a bad shard was found is named in the log, and known after the repair")
    func diskIsNamed() async throws {
        let scrub = try await ScrubHarness.open()
        let told = StoreEventTests.Told()
        try scrub.store.events.observe(told.note)
        let shard = ShardID(blob: try await scrub.blob(of: ScrubHarness.key(1)).id, index: 2)
        let disk = try await scrub.disk(of: shard)
        let record = try #require(try await scrub.store.metadata.disks().first { $0.id == disk })
        try await scrub.rot(shard)
        try scrub.start()
        try await scrub.advance(days: 13)
        try await Self.repair(scrub)
        let events = told.events.filter { if case .shardsBad = $0 { true } else { false } }
        let words = ["\(record.site)", record.name, "\(disk)", "\(shard.blob)", "1"]
        #expect(events.map { $0.details.map(\.value) } == [words])
        #expect(events.allSatisfy { $0.isWarning })
        for one in try await scrub.store.metadata.disks() {
            #expect(try scrub.store.badShards.count(on: one.id) == (one.id == disk ? 1 : 0))
        }
        await scrub.stop()
    }

    @Test("a shard that a read found bad, or a count of everything, is counted on its disk, once")
    func readAndCounted() async throws {
        let scrub = try await ScrubHarness.open()
        // Of two blobs: a repair reads the others of its blob.
        let read = ShardID(blob: try await scrub.blob(of: ScrubHarness.key(1)).id, index: 1)
        let counted = ShardID(blob: try await scrub.blob(of: ScrubHarness.key(5)).id, index: 3)
        let disks = [try await scrub.disk(of: read), try await scrub.disk(of: counted)]
        #expect(disks[0] != disks[1])
        try await scrub.rot(read)
        try await scrub.rot(counted)
        let (store, badShards) = (try scrub.store, try scrub.store.badShards)
        store.repairer.suspect(read)
        await store.repairer.pass()
        #expect(disks.map { badShards.count(on: $0) } == [1, 0])
        for _ in 0..<2 {
            store.verifier.request()
            await store.verifier.pass()
        }
        #expect(disks.map { badShards.count(on: $0) } == [1, 1])
        try await Self.repair(scrub)
    }

    @Test("a count of everything tells shards that are not there from those that are damaged")
    func absentAndDamaged() async throws {
        let scrub = try await ScrubHarness.open()
        let store = try scrub.store
        for (number, index) in [(2, UInt8(0)), (6, 5)] {
            let lost = ShardID(blob: try await scrub.blob(of: ScrubHarness.key(number)).id, index: index)
            try await store.blobs.nodes.erase(scrub.disk(of: lost), [lost])
        }
        try await scrub.rot(ShardID(blob: try await scrub.blob(of: ScrubHarness.key(3)).id, index: 1))
        store.verifier.request()
        await store.verifier.pass()
        let report = store.verifier.report
        #expect((report.shardsBad, report.shardsAbsent) == (3, 2))
        #expect(try await store.metadata.missingShardCount() == 3, "both kinds are made anew")
        try await Self.repair(scrub)
    }

    @Test(
        "coding again finds a shard that is whole and not this blob's, data or parity, and has it made anew",
        arguments: [UInt8(1), 5]
    )
    func stranger(index: UInt8) async throws {
        let scrub = try await ScrubHarness.open(period: 10_000, codingPeriod: 10)
        let blob = try await scrub.blob(of: ScrubHarness.key(4))
        let shard = ShardID(blob: blob.id, index: index)
        let right = try await scrub.store.blobs.nodes.describe(scrub.disk(of: shard), shard).trailer
        try await scrub.substitute(shard, body: Self.change)
        try scrub.start()
        try await scrub.advance(days: 9.2)
        #expect(try await scrub.missing(shard))
        let status = try scrub.status
        #expect(status.totals.blobsMiscoded == 1 && status.damaged.isEmpty && status.stripes.lastEnded != nil)
        #expect(status.totals.blobsChecked >= ScrubHarness.objects)
        try await Self.repair(scrub)
        let after = try await scrub.store.blobs.nodes.describe(scrub.disk(of: shard), shard).trailer
        #expect(after.shardDigests == right.shardDigests)
        await scrub.stop()
    }

    @Test("a shard that does not fit is kept while it may be needed: the blob is written anew instead")
    func strangerIsNeeded() async throws {
        let scrub = try await ScrubHarness.open(period: 10_000, codingPeriod: 10)
        let key = ScrubHarness.key(3)
        let blob = try await scrub.blob(of: key)
        // Two trailers state a wrong digest of a shard that is right, and of the four that fit one is rotten: without
        // the two only three good shards would be left.
        let wrong = ContentDigest(high: 1, low: 2)
        for index in [0, 1] as [UInt8] {
            try await scrub.substitute(ShardID(blob: blob.id, index: index), digests: [5: wrong])
        }
        try await scrub.rot(ShardID(blob: blob.id, index: 4))
        try scrub.start()
        try await scrub.advance(days: 9.2)
        #expect(try await scrub.blob(of: key).id != blob.id)
        #expect(try scrub.status.damaged.isEmpty)
        try await Self.repair(scrub)
        await scrub.stop()
    }

    @Test("a blob whose parity was coded wrongly, as all its trailers say, is written anew")
    func miscoded() async throws {
        let scrub = try await ScrubHarness.open(period: 10_000, codingPeriod: 10)
        let key = ScrubHarness.key(7)
        let blob = try await scrub.blob(of: key)
        try await scrub.substitute(ShardID(blob: blob.id, index: 5), body: Self.change)
        let parity = ShardID(blob: blob.id, index: 5)
        let wrong = try await scrub.store.blobs.nodes.describe(scrub.disk(of: parity), parity).trailer.shardDigests[5]
        for index in 0..<5 as Range<UInt8> {
            try await scrub.substitute(ShardID(blob: blob.id, index: index), digests: [5: wrong])
        }
        try scrub.start()
        try await scrub.advance(days: 9.2)
        let now = try await scrub.blob(of: key)
        #expect(now.id != blob.id)
        let location = try scrub.store.blobs.locate(
            now.id,
            length: now.length,
            group: now.group,
            missing: now.missing,
            moving: []
        )
        let check = try await scrub.store.blobs.checkCoding(
            location,
            frames: now.frames,
            ingestDigest: now.ingestDigest
        )
        #expect(check.isGood && check.fitting.count == 6)
        #expect(try scrub.status.damaged.isEmpty && scrub.status.totals.blobsMiscoded == 1)
        try await Self.repair(scrub)
        await scrub.stop()
    }

    @Test("a blob that is consistently not what came in is named, and nothing of it is touched")
    func damaged() async throws {
        let scrub = try await ScrubHarness.open(period: 10_000, codingPeriod: 10)
        let blob = try await scrub.blob(of: ScrubHarness.key(2))
        var wrong = blob.ingestDigest
        wrong.low ^= 1
        let location = try scrub.store.blobs.locate(
            blob.id,
            length: blob.length,
            group: blob.group,
            missing: [],
            moving: []
        )
        let check = try await scrub.store.blobs.checkCoding(location, frames: blob.frames, ingestDigest: wrong)
        #expect(!check.isAsIngested && check.deviating.isEmpty)
        let first = ShardID(blob: blob.id, index: 0)
        try await scrub.substitute(first, body: Self.change)
        let stated = try await scrub.store.blobs.nodes.describe(scrub.disk(of: first), first).trailer.shardDigests[0]
        for index in 1..<6 as Range<UInt8> {
            try await scrub.substitute(ShardID(blob: blob.id, index: index), digests: [0: stated])
        }
        try scrub.start()
        try await scrub.advance(days: 9.2)
        #expect(try scrub.status.damaged == [blob.id])
        #expect(try await scrub.store.metadata.missingShardCount() == 0)
        await scrub.stop()
    }

    @Test("a blob of which shards are missing is checked all the same")
    func degraded() async throws {
        let scrub = try await ScrubHarness.open(objects: 1)
        let blob = try await scrub.blob(of: ScrubHarness.key(0))
        let group = try #require(try scrub.store.blobs.view.group(blob.group))
        for missing in [[0, 5], [1, 3]] as [[UInt8]] {
            let location = BlobLocation(blob: blob.id, length: blob.length, group: group, missing: missing)
            let check = try await scrub.store.blobs.checkCoding(
                location,
                frames: blob.frames,
                ingestDigest: blob.ingestDigest
            )
            #expect(check.isGood && check.fitting.count == 4)
        }
        let location = BlobLocation(blob: blob.id, length: blob.length, group: group, missing: [0, 1, 2])
        await #expect(throws: BlobError.unreadable(blob.id, good: 3, needed: 4)) {
            try await scrub.store.blobs.checkCoding(location, frames: blob.frames, ingestDigest: blob.ingestDigest)
        }
    }
}
