import ClusterProtocol
import Coordination
import DiskFormat
import LinuxSystem
import Metadata
import ObjectInterface
import ObjectModel
import ShardStorage
import Synchronization
import SystemInterface
import TestKit
import Testing

/// Disks of which writes do not end while reads go on, as under `fsfreeze` or behind some controllers.
@Suite("Disks that hang on writes")
struct HangingWriteTests {
    /// Holds every change of some disks until it is let go.
    private final class Freeze: Sendable {
        private let lasts = Mutex(true)
        private let isMet = Mutex(false)

        init(_ disks: [MemoryDisk]) {
            for disk in disks {
                disk.setLatency { [weak self] operation, _, _ in
                    switch operation {
                    case .open, .list, .status, .space, .lock, .read, .length: return
                    default: await self?.hold()
                    }
                }
            }
        }

        private func hold() async {
            isMet.withLock { $0 = true }
            while lasts.withLock({ $0 }) { try? await Task.sleep(for: .milliseconds(1)) }
        }

        func end() { lasts.withLock { $0 = false } }
    }

    private static func open() async throws -> StoreHarness {
        try await StoreHarness.open { $0.disk.changePatience = .milliseconds(100) }
    }

    private static func hanging(_ store: StoreHarness) async throws -> [String] {
        try await store.store.status().disks.filter(\.hangs).map(\.record.slot)
    }

    /// Found by freezing two of six file systems: each PUT waited for 30 s and was refused then, for good, and status,
    /// metrics and log said that all was well.
    @Test("two disks that hang on writes are told of by name, and PUT is refused at once", .timeLimit(.minutes(10)))
    func two() async throws {
        let (store, told) = (try await Self.open(), StoreEventTests.Told())
        let bytes = Content.random(300_000)
        try await store.put("before", bytes)
        try store.store.events.observe(told.note)
        let freeze = Freeze([store.disk(1), store.disk(4)])
        let waiting = Task { try await store.put("meanwhile", bytes) }
        try await store.wait { try await Self.hanging(store).count == 2 }

        let status = try await store.store.status()
        #expect(status.disks.filter(\.hangs).map(\.record.slot) == [StoreHarness.name(1), StoreHarness.name(4)])
        #expect(status.disks.allSatisfy(\.isServed) && status.groups.unwritable == status.groups.total)
        #expect(status.disks[1].reason.hasPrefix("a write to it has been under way for "))
        try await store.store.watchDisks()
        let names = told.take().map { event in
            if case .diskHangs(let disk, _) = event { "\(disk)" } else { "\(event)" }
        }
        #expect(names.sorted() == ["site-1/node-1/disk-2", "site-1/node-1/disk-5"], "each once")

        let began = store.time.monotonic
        do {
            try await store.put("refused", bytes)
            Issue.record("PUT was taken by four disks")
        } catch let error as StorageError {
            #expect(error.message.contains("4 of 6 disks are usable"), "\(error)")
        }
        #expect(store.time.monotonic.duration(since: began) < .seconds(10), "it waited for what is known to hang")
        // They are read: with another disk gone, three would be left without them.
        store.disk(0).isGone = true
        #expect(try await store.holds("before", bytes))
        store.disk(0).isGone = false
        #expect(try await Self.hanging(store).count == 2)

        freeze.end()
        _ = try? await waiting.value
        try await store.wait {
            try await store.store.takeUpReturned()
            return try await Self.hanging(store).isEmpty
        }
        let after = told.take()
        #expect(after.count { if case .diskWritable = $0 { true } else { false } } == 2, "\(after)")
        try await store.put("after", bytes)
        #expect(try await store.holds("after", bytes))
        try await store.close()
    }

    @Test("one disk that hangs on writes: PUT goes on without it, and does not wait", .timeLimit(.minutes(10)))
    func one() async throws {
        let store = try await Self.open()
        let freeze = Freeze([store.disk(3)])
        try await store.put("first", Content.random(300_000))
        try await store.wait { try await Self.hanging(store) == [StoreHarness.name(3)] }
        let status = try await store.store.status()
        #expect(status.groups.unwritable == 0 && status.groups.whole < status.groups.total)
        #expect(try store.store.rooms(nearlyFull: []).allSatisfy { $0.state == .enough }, "room is not what is lacking")
        try await store.put("second", Content.random(300_000))
        let missing = try await store.store.metadata.missingShards(limit: 10)
        #expect(Set(missing.map(\.shard.blob)).count == 2)
        freeze.end()
        try await store.running {
            try await store.wait { try await store.store.status().statistics.missingShards == 0 }
        }
        #expect(try await Self.hanging(store).isEmpty)
        try await store.close()
    }
}
