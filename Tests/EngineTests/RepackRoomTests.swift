import Coordination
import Metadata
import ObjectInterface
import ObjectModel
import ShardStorage
import StorageNode
import TestKit
import Testing

@Suite("Repack on full disks")
struct RepackRoomTests {
    /// Goal: no pack dies as a whole, so that nothing comes back unless full disks can be repacked.
    @Test("disks filled with small objects take new ones again once nine in ten were deleted")
    func full() async throws {
        let harness = try await RepackHarness.open(count: 0) { configuration in
            configuration.disk.segmentLength = 1 << 20
            configuration.disk.growthLength = 256 << 10
            configuration.disk.reserveLength = 8 << 20
        }
        let store = harness.store
        // Twice what a keeper of the journal sets aside: below that nothing new is let in.
        for disk in store.disks { disk.capacity = disk.used + (16 << 20) }
        try await store.store.watchDisks()
        var count = 0
        while try await put(harness, count..<count + 64) { count += 64 }
        #expect(count > 500)
        #expect(try await harness.wrongKeys().isEmpty)
        for key in harness.expected.keys.sorted().enumerated().filter({ $0.offset % 10 != 0 }).map(\.element) {
            try await harness.delete(key)
        }
        // What the background does, without its pauses: some rounds, as each has only half of the reserve to write to.
        let repacker = try harness.repacker()
        var rounds = 0
        var isFull = true
        while isFull, rounds < 20 {
            rounds += 1
            try? await repacker.pass()
            try await harness.collectGarbage()
            for (_, disk) in try store.store.hosted { _ = try await disk.shards.compact() }
            try await store.store.watchDisks()
            isFull = try await !put(harness, 100_000..<100_100)
        }
        #expect(!isFull, "after \(rounds) rounds: \(repacker.progress)")
        #expect(try await harness.sparseBlobs().count <= 1)
        #expect(try await harness.wrongKeys().isEmpty)
        try await store.close()
    }

    /// False when the disks are full.
    private func put(_ harness: RepackHarness, _ numbers: Range<Int>) async throws -> Bool {
        await withTaskGroup(of: Bool.self) { group in
            for number in numbers {
                group.addTask {
                    let bytes = Content.random(40_000, seed: UInt64(number))
                    return (try? await harness.put("full/\(number)", bytes)) != nil
                }
            }
            return await group.reduce(true) { $0 && $1 }
        }
    }
}
