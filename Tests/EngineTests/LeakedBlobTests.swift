import Coordination
import Simulation
import Testing

/// What the simulator takes for a leak of the metadata's own.
@Suite("The simulator's look at live blobs")
struct LeakedBlobTests {
    @Test("when all is deleted, none is left that is live; before, each that is has an owner")
    func leaked() async throws {
        let harness = try await StoreHarness.open()
        let store = try harness.store
        try await harness.put("k", Array(repeating: 1, count: 1_000))
        #expect(try await store.leakedBlobs(isEmptied: false).isEmpty)
        let left = try await store.leakedBlobs(isEmptied: true)
        #expect(left.count == 1 && left.allSatisfy { $0.contains("is live, and ") }, "\(left)")
        try await harness.delete("k")
        #expect(try await store.leakedBlobs(isEmptied: true).isEmpty)
        try await harness.close()
    }
}
