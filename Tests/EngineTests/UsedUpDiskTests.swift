import Coordination
import DiskFormat
import Metadata
import ShardStorage
import SystemInterface
import TestKit
import Testing

@Suite("A disk that can make no new segment")
struct UsedUpDiskTests {
    /// Leaves a disk of a store that is closed no id for a segment.
    private static func useUp(_ disk: MemoryDisk) async throws {
        let files = disk.mount()
        var identity = try await ShardDisk.readIdentity(files)
        identity.segmentLimit = SegmentHeader.newIDLimit
        let file = try await files.open("disk", .write)
        try await file.write([BufferSlice(copying: try #require(identity.encoded()))], at: 0)
    }

    @Test("is told in the log and in the status from the start on, is read, and counts where writes are judged")
    func told() async throws {
        let store = try await StoreHarness.open()
        try await store.put("before", Content.random(300_000))
        try await store.close()
        for slot in [1, 2] { try await Self.useUp(store.disk(slot)) }
        try await store.start()
        let told = StoreEventTests.Told()
        try store.store.events.observe(told.note)
        for _ in 0..<2 { try await store.store.watchDisks() }
        let events = told.events.compactMap { event -> (disk: String, reason: String)? in
            guard case .diskHangs(let disk, let reason) = event else { return nil }
            return (disk.description, reason)
        }
        #expect(events.map(\.disk).sorted() == ["site-1/node-1/disk-2", "site-1/node-1/disk-3"])
        #expect(events.allSatisfy { $0.reason.contains("no new segment") })
        let status = try await store.store.status()
        #expect(status.disks.filter(\.hangs).map(\.record.slot) == [StoreHarness.name(1), StoreHarness.name(2)])
        #expect(status.disks.allSatisfy { $0.isServed })
        #expect(status.groups.unwritable == status.groups.total)
        #expect(try await store.holds("before", Content.random(300_000)))
        try await store.close()
    }
}
