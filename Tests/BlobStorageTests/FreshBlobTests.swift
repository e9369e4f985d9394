import BlobStorage
import ObjectModel
import SystemInterface
import TestKit
import Testing

@Suite("The blobs written last, in memory")
struct FreshBlobTests {
    @Test("hold what was written, for any range of it")
    func ranges() async throws {
        let harness = try await BlobHarness()
        let bytes = BlobHarness.bytes(100_000)
        let blob = harness.nextBlob()
        _ = try await harness.write(blob, bytes)
        for range in [0..<100_000, 0..<1, 99_999..<100_000, 40_000..<70_000] {
            #expect(harness.store.fresh.slice(blob, range)?.copied() == Array(bytes[range]))
        }
        #expect(harness.store.fresh.slice(blob, 0..<100_001) == nil)
        #expect(harness.store.fresh.slice(harness.nextBlob(), 0..<1) == nil)
    }

    @Test("are bounded: the oldest go first")
    func bound() async throws {
        let harness = try await BlobHarness(cellSize: 1 << 20)
        var blobs: [BlobID] = []
        for _ in 0..<2 * FreshBlobs.limit / (4 << 20) {
            blobs.append(harness.nextBlob())
            _ = try await harness.write(blobs[blobs.count - 1], BlobHarness.bytes(4 << 20))
        }
        let kept = blobs.filter { harness.store.fresh.slice($0, 0..<1) != nil }
        #expect(!kept.isEmpty)
        #expect(kept.count * 6 << 20 <= FreshBlobs.limit)
        #expect(kept == blobs.suffix(kept.count))
    }

    @Test("never stand in for a disk where what lies on it is to be proved")
    func proofs() async throws {
        let harness = try await BlobHarness()
        let bytes = BlobHarness.bytes(100_000)
        let blob = harness.nextBlob()
        _ = try await harness.write(blob, bytes)
        for disk in harness.disks.prefix(3) {
            harness.transport.set(.fail(.unreachable(node: "node-1")), for: disk)
        }
        let location = try harness.location(blob, length: bytes.count)
        await #expect(throws: BlobError.self) { _ = try await harness.read(location, 0..<bytes.count) }
    }
}
