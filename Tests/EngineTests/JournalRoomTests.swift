import Coordination
import DiskFormat
import JournalStorage
import ObjectInterface
import ObjectModel
import ShardStorage
import TestKit
import Testing

/// What becomes of the journal on disks without room.
@Suite("The journal's room")
struct JournalRoomTests {
    @Test("only as much is let in as J keepers have room for, counted from before they were asked")
    func limit() {
        let room = JournalRoom()
        #expect(!room.isShort)
        let mark = room.mark
        room.update([3 * 4_096, 0, 5 * 4_096], quorum: 2, since: mark)
        for _ in 0..<3 {
            #expect(!room.isShort)
            room.spend(on: [Self.record])
        }
        #expect(room.isShort)
        // Asked before the three were appended, the same answer leaves nothing.
        room.update([3 * 4_096, 0, 5 * 4_096], quorum: 2, since: mark)
        #expect(room.isShort)
        room.update([3 * 4_096, 0, 5 * 4_096], quorum: 2, since: room.mark)
        #expect(!room.isShort)
        // Too few answers say nothing, and refuse nothing.
        room.update([0], quorum: 2, since: room.mark)
        #expect(!room.isShort)
    }

    private static let record = JournalRecord(
        position: JournalPosition(incarnation: 1, sequence: 1),
        payload: Array(repeating: 1, count: 100)
    )

    @Test("full disks never stop the store: deletes are refused at the last, and go on after a checkpoint")
    func full() async throws {
        let harness = try await StoreHarness.open { configuration in
            configuration.disk.segmentLength = 1 << 20
            configuration.disk.growthLength = 256 << 10
            configuration.disk.reserveLength = 8 << 20
            configuration.keeper = KeeperLog.Configuration(fileLength: 256 << 10)
        }
        let store = try harness.store
        for disk in harness.disks { disk.capacity = disk.used + (2 << 20) }
        await store.watchDisks()
        let count = try await fill(harness)
        #expect(count > 200)
        var refused = 0
        for number in 0..<count {
            if number % 4 == 0 { await store.watchDisks() }
            do {
                try await harness.delete("key-\(number)")
            } catch let error as StorageError where error.code == .full {
                refused += 1
                #expect(store.stopReason == nil)
                try await store.checkpointer.take(usesReserve: true)
                // The keepers follow by and by.
                try await harness.wait {
                    await store.watchDisks()
                    return store.journal.shortage == nil
                }
                try await harness.delete("key-\(number)")
            }
        }
        #expect(refused > 0)
        #expect(store.stopReason == nil)
        try await harness.crash()
        // What was deleted makes room once it is collected, and segments are compacted: until then a disk may have none
        // for one segment more.
        let restarted = try harness.store
        try await harness.wait {
            try await restarted.collector.pass()
            await restarted.compactDisks()
            await restarted.watchDisks()
            do {
                try await harness.put("again", Content.random(900, seed: 1))
            } catch let error as StorageError where error.code == .full {
                return false
            }
            return true
        }
        try await harness.close()
    }

    /// Puts small objects until one is refused; returns how many there are.
    private func fill(_ harness: StoreHarness) async throws -> Int {
        let store = try harness.store
        var count = 0
        while true {
            if count % 4 == 0 { await store.watchDisks() }
            do {
                try await harness.put("key-\(count)", Content.random(900, seed: UInt64(count)))
            } catch let error as StorageError where error.code == .full {
                return count
            }
            count += 1
        }
    }
}
