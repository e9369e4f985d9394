import Coordination
import Metadata
import ObjectModel
import TestKit
import Testing

/// A disk that will not come back is given up: the others take its place.
@Suite("A disk is given up")
struct StoreRetireTests {
    @Test("what it held is made anew on the others, and then two more may go")
    func retired() async throws {
        let store = try await StoreHarness.open(disks: 8)
        for size in [0, 900, 70_000, 3 << 20, 9 << 20] { try await store.put("k\(size)", Content.random(size)) }
        try await store.running {
            store.disk(0).isGone = true
            let done = try await store.store.retireDisk(inSlot: StoreHarness.name(0), of: NodeName("node-1"))
            #expect(done.groupsMoved > 0)
            #expect(done.groupsLeft == 0)
            try await store.wait {
                let status = try await store.store.status()
                return status.statistics.missingShards == 0 && status.verification.isCurrent
            }
        }
        let active = try await store.store.metadata.disks().filter { $0.state == .active }
        #expect(active.count == 7)
        let lost = try await Self.retired(in: store)
        let groups = try await store.store.metadata.groups()
        #expect(groups.allSatisfy { !$0.members.contains(lost) })
        for slot in [1, 2] { store.disk(slot).isGone = true }
        for size in [0, 900, 70_000, 3 << 20, 9 << 20] {
            #expect(try await store.holds("k\(size)", Content.random(size)))
        }
        try await store.close()
    }

    private static func retired(in store: StoreHarness) async throws -> DiskID {
        let retired = try await store.store.metadata.disks().first { $0.state == .retired }
        return try #require(retired?.id)
    }

    @Test("one that works is not given up; one that no other disk can stand in for keeps its place")
    func refused() async throws {
        let store = try await StoreHarness.open()
        await #expect(throws: DiskReplacementError.isHealthy(StoreHarness.name(0))) {
            try await store.store.retireDisk(inSlot: StoreHarness.name(0), of: NodeName("node-1"))
        }
        store.disk(0).isGone = true
        let done = try await store.store.retireDisk(inSlot: StoreHarness.name(0), of: NodeName("node-1"))
        #expect(done.groupsMoved == 0)
        #expect(done.groupsLeft > 0)
        #expect(try await store.store.metadata.disks().allSatisfy { $0.state == .active })
        try await store.close()
    }
}
