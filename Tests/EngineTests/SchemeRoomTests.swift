import Coordination
import JournalStorage
import Metadata
import ObjectInterface
import ObjectModel
import ShardStorage
import TestKit
import Testing

@Suite("The room that status tells of")
struct SchemeRoomTests {
    private static let plenty = 1 << 40

    private func open() async throws -> StoreHarness {
        try await StoreHarness.open { configuration in
            configuration.disk.growthLength = 256 << 10
            configuration.disk.reserveLength = 8 << 20
            configuration.keeper = KeeperLog.Configuration(fileLength: 256 << 10)
        }
    }

    private func set(_ harness: StoreHarness, _ slots: [Int], room: Int?) async throws {
        for slot in slots {
            harness.disk(slot).capacity = room.map { harness.disk(slot).used + $0 } ?? Self.plenty
        }
        try await harness.store.watchDisks()
    }

    private func room(_ harness: StoreHarness, nearlyFull: Set<DiskID> = []) throws -> SchemeRoom {
        let rooms = try harness.store.rooms(nearlyFull: nearlyFull)
        #expect(rooms.count == 1)
        return try #require(rooms.first)
    }

    @Test("large objects are told to be refused where they are")
    func large() async throws {
        let harness = try await open()
        let large = Content.random(Limits.blobLength, seed: 1)
        try await set(harness, [], room: nil)
        #expect(try room(harness).state == .enough && room(harness).disks.isEmpty)
        #expect(try room(harness).classes == [StorageClass.standard])

        // A shard of the largest blob takes 16 MiB.
        try await set(harness, Array(0..<6), room: 12 << 20)
        #expect(try room(harness).state == .largeRefused)
        #expect(try room(harness).disks.count == 6)
        do {
            _ = try await harness.put("large", large)
            Issue.record("a large object was taken")
        } catch let error as StorageError {
            #expect(error.code == .full)
        }
        _ = try await harness.put("small", Content.random(900, seed: 2))

        try await set(harness, Array(0..<6), room: nil)
        #expect(try room(harness).state == .enough)
        _ = try await harness.put("large", large)
        try await harness.close()
    }

    @Test("one disk without room leaves shards out; two refuse; disks that are nearly full will")
    func someDisks() async throws {
        let harness = try await open()
        try await set(harness, [3], room: 12 << 20)
        #expect(try room(harness).state == .degraded)
        #expect(try room(harness).disks.count == 1)
        let status = try await harness.store.status()
        let third = try #require(status.disks.first { $0.record.slot == StoreHarness.name(3) }).record.id
        #expect(try room(harness).disks == [third])
        try await set(harness, [4], room: 12 << 20)
        #expect(try room(harness).state == .largeRefused)
        try await set(harness, [3, 4], room: nil)
        let all = Set(status.disks.map(\.record.id))
        #expect(try room(harness, nearlyFull: all).state == .nearlyFull)
        #expect(try room(harness, nearlyFull: all).disks == all)
        #expect(try room(harness, nearlyFull: [third]).state == .enough)
        try await harness.close()
    }
}
