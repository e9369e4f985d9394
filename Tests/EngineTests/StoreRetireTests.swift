import BlobStorage
import Coordination
import DiskFormat
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
        await #expect(throws: DiskReplacementError.isHealthy("site-1/node-1/" + StoreHarness.name(0))) {
            try await store.store.retireDisk(inSlot: StoreHarness.name(0), of: NodeName("node-1"))
        }
        store.disk(0).isGone = true
        let done = try await store.store.retireDisk(inSlot: StoreHarness.name(0), of: NodeName("node-1"))
        #expect(done.groupsMoved == 0)
        #expect(done.groupsLeft > 0)
        #expect(try await store.store.metadata.disks().allSatisfy { $0.state == .active })
        try await store.close()
    }

    /// Found by hand: between a disk's return and the next look for such, it was given up.
    @Test("one that is back, and has only not been taken up so far, is not given up")
    func back() async throws {
        let store = try await StoreHarness.open(disks: 8)
        try await store.put("k", Content.random(90_000))
        store.disk(0).isGone = true
        try await store.store.watchDisks()
        store.disk(0).isGone = false
        await #expect(throws: DiskReplacementError.isHealthy("site-1/node-1/" + StoreHarness.name(0))) {
            try await store.store.retireDisk(inSlot: StoreHarness.name(0), of: NodeName("node-1"))
        }
        #expect(try await store.store.metadata.disks().allSatisfy { $0.state == .active })
        try await store.close()
    }

    /// A store of six disks with one blob, and the first two of its disks away: their slots.
    private static func openWithTwoAway() async throws -> (StoreHarness, BlobRecord, members: [DiskID], away: [Int]) {
        let store = try await StoreHarness.open()
        try await store.put("k", Content.random(90_000))
        let blob = try #require(try await store.store.metadata.blobs(after: nil, limit: 1).first)
        let members = try #require(try await store.store.metadata.groups().first { $0.id == blob.group }?.members)
        var slots: [DiskID: Int] = [:]
        for record in try await store.store.metadata.disks() {
            slots[record.id] = (0..<6).first { StoreHarness.name($0) == record.slot }
        }
        let away = try members[0..<2].map { try #require(slots[$0]) }
        for slot in away { store.disk(slot).isGone = true }
        try await store.store.watchDisks()
        return (store, blob, members, away)
    }

    /// Found by hand: with two of six disks away and blocks of a third gone bad, both were given up.
    @Test("a disk without which something cannot be read is given up by force only")
    func needed() async throws {
        let (store, blob, _, away) = try await Self.openWithTwoAway()
        var status = try await store.store.status()
        #expect(status.reach.fewestSpares == 0 && status.reach.unreadable.isEmpty)
        try await store.store.metadata.markMissing(wherePlaced: [ShardID(blob: blob.id, index: 5)])
        status = try await store.store.status()
        #expect(status.reach.fewestSpares == -1 && status.reach.unreadable == [blob.id])
        #expect(status.unreadable.map(\.key) == ["k"])
        for slot in away {
            store.swapDisk(slot)
            await #expect(throws: DiskReplacementError.isNeeded("site-1/node-1/" + StoreHarness.name(slot), 1)) {
                _ = try await store.store.replaceDisk(inSlot: StoreHarness.name(slot), isForced: false)
            }
            await #expect(throws: DiskReplacementError.isNeeded("site-1/node-1/" + StoreHarness.name(slot), 1)) {
                let node = NodeName("node-1")
                _ = try await store.store.retireDisk(inSlot: StoreHarness.name(slot), of: node, isForced: false)
            }
        }
        _ = try await store.store.replaceDisk(inSlot: StoreHarness.name(away[0]), isForced: true)
        try await store.close()
    }

    /// Found by reading: between a GET that met a bad shard and its noting, a second at most, the disk was let go.
    @Test("what a read has found bad a moment ago counts, too")
    func neededSinceNow() async throws {
        let (store, blob, members, away) = try await Self.openWithTwoAway()
        let bad = ShardID(blob: blob.id, index: 5)
        try await store.store.blobs.nodes.erase(members[5], [bad])
        try store.store.repairer.suspect(bad)
        store.swapDisk(away[0])
        await #expect(throws: DiskReplacementError.isNeeded("site-1/node-1/" + StoreHarness.name(away[0]), 1)) {
            _ = try await store.store.replaceDisk(inSlot: StoreHarness.name(away[0]), isForced: false)
        }
        #expect(try await store.store.metadata.blob(blob.id)?.missing == [5])
        try await store.close()
    }

    /// Found by hand: a store in which nothing lay yet refused to have its disks replaced.
    @Test("groups below k in which nothing lies need no disk; those with a blob do", arguments: [false, true])
    func empty(isFilled: Bool) async throws {
        let harness = try await StoreHarness.open(scheme: "rs-4-1")
        let store = try harness.store
        if isFilled { try await harness.put("k", Content.random(90_000)) }
        #expect(await store.inventory.pass())
        let blob = try await store.metadata.blobs(after: nil, limit: 1).first
        #expect((blob != nil) == isFilled)
        // Two disks of a group, and none of a journal keeper: the store goes on.
        let groups = try await store.metadata.groups()
        let group = try #require(blob.map { blob in groups.first { $0.id == blob.group } } ?? groups.first)
        let keepers = store.journal.report.keepers.keepers
        let away = try await store.metadata.disks().filter {
            group.members.contains($0.id) && !keepers.contains($0.id)
        }.prefix(2)
        try #require(away.count == 2)
        let slots = away.compactMap { record in (0..<6).first { StoreHarness.name($0) == record.slot } }
        for slot in slots { harness.disk(slot).isGone = true }
        #expect(try await store.status().reach.unreadableGroups > 0)
        let first = try #require(slots.first)
        harness.swapDisk(first)
        if isFilled {
            await #expect(throws: DiskReplacementError.self) {
                _ = try await store.replaceDisk(inSlot: StoreHarness.name(first), isForced: false)
            }
        } else {
            _ = try await store.replaceDisk(inSlot: StoreHarness.name(first), isForced: false)
        }
        try await harness.close()
    }
}
