import Coordination
import Metadata
import ObjectModel
import TestKit
import Testing

@Suite("Repair within its budget")
struct RepairOrderTests {
    /// Puts an object and notes shards of its blob as missing.
    private static func lack(_ key: String, _ shards: [UInt8], _ store: StoreHarness) async throws -> BlobID {
        let known = Set(try await store.store.metadata.blobs(after: nil, limit: 100).map(\.id))
        try await store.put(key, Content.random(90_000))
        let blob = try #require(
            try await store.store.metadata.blobs(after: nil, limit: 100).map(\.id).first { !known.contains($0) }
        )
        try await store.store.metadata.markMissing(wherePlaced: shards.map { ShardID(blob: blob, index: $0) })
        return blob
    }

    private static func isWhole(_ blob: BlobID, _ store: StoreHarness) async throws -> Bool {
        try await store.store.metadata.blob(blob)?.missing.isEmpty ?? false
    }

    /// At a byte a second nothing would be whole in years.
    private static func slowStore() async throws -> StoreHarness {
        try await StoreHarness.open { $0.repairRates = RepairRates(disk: 1) }
    }

    @Test("what has no spare left is repaired at once, whatever the others are held to")
    func urgent() async throws {
        let store = try await Self.slowStore()
        var others: [BlobID] = []
        for number in 0..<12 { others.append(try await Self.lack("other-\(number)", [1], store)) }
        try await store.running {
            // The first pays afterwards, and the second waits for that.
            try await store.wait { try await store.store.metadata.missingShardCount() == 11 }
            let urgent = try await Self.lack("urgent", [0, 5], store)
            try await store.wait { try await Self.isWhole(urgent, store) }
            #expect(try await store.store.metadata.missingShardCount() == 11)
            try store.store.repairer.budget.set(RepairRates())
            try await store.wait { try await store.store.metadata.missingShardCount() == 0 }
        }
        for blob in others { #expect(try await Self.isWhole(blob, store)) }
        try await store.close()
    }
}
