import BlobStorage
import ClusterProtocol
import DiskFormat
import ObjectModel
import Placement
import Testing

/// Erasures that were decided under one placement of a shard and are carried out under another.
@Suite("Late erasures")
struct LateErasureTests {
    /// A blob whose first shard stands on its disk since an earlier epoch of its group, and that group as it is now.
    private struct Fixture {
        let harness: BlobHarness
        let blob: BlobID
        let bytes: [UInt8]
        let group: ClusterMap.Group
        var disk: DiskID { harness.disks[0] }
        var shard: ShardID { ShardID(blob: blob, index: 0) }

        init(length: Int) async throws {
            harness = try await BlobHarness()
            blob = harness.nextBlob()
            bytes = BlobHarness.bytes(length)
            _ = try await harness.write(blob, bytes)
            var group = try #require(harness.store.view.group(GroupID(0)))
            group.epoch += 1
            self.group = group
        }

        func request(missing: [UInt8] = [0]) -> RepairRequest {
            RepairRequest(
                location: BlobLocation(blob: blob, length: bytes.count, group: group, missing: missing),
                group: group,
                frames: .uniform,
                ingestDigest: BlobHarness.digest(bytes),
                shards: [0]
            )
        }

        func stamp() async throws -> UInt64 {
            try await harness.store.nodes.describe(disk, shard).header.writeStamp
        }
    }

    @Test(
        "a shard that comes back to a disk is written anew, so that an old erasure misses it",
        arguments: [5_000, 900_000]
    )
    func comesBack(length: Int) async throws {
        let fixture = try await Fixture(length: length)
        let nodes = fixture.harness.store.nodes
        let old = try await fixture.stamp()
        #expect(try await fixture.harness.store.repair(fixture.request()) == [0])
        let new = try await fixture.stamp()
        #expect(new != old)
        try await nodes.eraseRecord(fixture.disk, fixture.shard, writeStamp: old)
        #expect(try await nodes.verify(fixture.disk, fixture.shard))
        // Nor does a decision of the earlier placement take it, made late.
        try await nodes.erase(fixture.shard, on: fixture.disk, asOf: fixture.group.epoch - 1)
        #expect(try await nodes.verify(fixture.disk, fixture.shard))
        // What was written for this placement is taken up as it is.
        #expect(try await fixture.harness.store.repair(fixture.request()) == [0])
        #expect(try await fixture.stamp() == new)
        try await nodes.erase(fixture.shard, on: fixture.disk, asOf: fixture.group.epoch)
        await #expect(throws: ShardFailure.notFound) { try await nodes.verify(fixture.disk, fixture.shard) }
    }

    @Test("one without which the blob would be lost is made anew from itself: an old erasure misses that, too")
    func lastResort() async throws {
        let fixture = try await Fixture(length: 70_000)
        for index in 1...2 {
            try await fixture.harness.store.nodes.erase(
                fixture.harness.disks[index],
                [ShardID(blob: fixture.blob, index: UInt8(index))]
            )
        }
        let old = try await fixture.stamp()
        #expect(try await fixture.harness.store.repair(fixture.request(missing: [0, 1, 2])) == [0])
        let nodes = fixture.harness.store.nodes
        #expect(try await fixture.stamp() != old)
        try await nodes.eraseRecord(fixture.disk, fixture.shard, writeStamp: old)
        #expect(try await nodes.verify(fixture.disk, fixture.shard))
    }
}
