import Coordination
import Metadata
import ObjectModel
import TestKit
import Testing

@Suite("Repair within its budget")
struct RepairOrderTests {
    /// At a byte a second nothing would be whole in years.
    private static func slowStore() async throws -> StoreHarness {
        try await StoreHarness.open { $0.repairRates = RepairRates(disk: 1) }
    }

    @Test("a second repair is counted from where it began, also when the first came to no end")
    func counted() async throws {
        let store = try await StoreHarness.open()
        let whole = try await store.putLacking("whole", [0, 1])
        try await store.store.repairer.pass()
        #expect(try await store.isWhole(whole))
        let once = try store.store.repairer.progress.bytesDone
        #expect(once > 0)
        #expect(try store.store.repairer.progress.bytesOfRepair == 0, "nothing is missing")
        store.disk(1).isGone = true
        try await store.store.watchDisks()
        for key in ["half", "another"] {
            // Of the two that it lacks one belongs on the disk that is away.
            let blob = try await store.putLacking(key, [])
            let away = try #require(try await store.store.metadata.blob(blob)?.missing)
            let other: UInt8 = away == [0] ? 1 : 0
            try await store.store.metadata.markMissing(wherePlaced: [ShardID(blob: blob, index: other)])
            try await store.store.repairer.pass()
            #expect(try await !store.isWhole(blob))
            #expect(try store.store.repairer.progress.bytesOfRepair == once / 2)
            try await store.store.repairer.pass()
        }
        #expect(try store.store.repairer.progress.bytesDone == 2 * once)
        try await store.close()
    }

    @Test("what has no spare left is repaired at once, whatever the others are held to")
    func urgent() async throws {
        let store = try await Self.slowStore()
        var others: [BlobID] = []
        for number in 0..<12 { others.append(try await store.putLacking("other-\(number)", [1])) }
        try await store.running {
            // The first pays afterwards, and the second waits for that.
            try await store.wait { try await store.store.metadata.missingShardCount() == 11 }
            let urgent = try await store.putLacking("urgent", [0, 5])
            try await store.wait { try await store.isWhole(urgent) }
            #expect(try await store.store.metadata.missingShardCount() == 11)
            try store.store.repairer.budget.set(RepairRates())
            try await store.wait { try await store.store.metadata.missingShardCount() == 0 }
        }
        for blob in others { #expect(try await store.isWhole(blob)) }
        try await store.close()
    }
}
