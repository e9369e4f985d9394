import Coordination
import DiskFormat
import Metadata
import ObjectModel
import Placement
import Synchronization
import TestKit
import Testing

/// A disk that is away for long: its shards are made anew elsewhere, and it is welcome when it is back.
@Suite("Disks that are away for long")
struct StoreOutTests {
    private static let sizes = [0, 900, 70_000, 3 << 20, 9 << 20]

    private static func isPlaced(_ disk: DiskID, in store: StoreHarness) async throws -> Bool {
        try await store.store.metadata.groups().contains { $0.involves(disk) }
    }

    @Test("others take over, two more may go, and what comes back takes its share again")
    func outAndBack() async throws {
        let store = try await StoreHarness.open(disks: 8) { $0.outAfter = .milliseconds(300) }
        for size in Self.sizes { try await store.put("k\(size)", Content.random(size)) }
        let record = try await store.store.metadata.disks().first { $0.slot == StoreHarness.name(0) }
        let disk = try #require(record?.id)
        try await store.running {
            store.disk(0).isGone = true
            try await store.wait {
                let missing = try await store.store.metadata.missingShardCount()
                return try await !Self.isPlaced(disk, in: store) && missing == 0
            }
            let status = try await store.store.status()
            #expect(status.disks.contains { $0.record.id == disk && !$0.isServed && !$0.hasPlaces })

            store.disk(0).isGone = false
            try await store.wait {
                try await store.store.status().disks.contains { $0.record.id == disk && $0.isServed }
            }
            #expect(try await !Self.isPlaced(disk, in: store))
            _ = try await store.store.beginMoves(.even)
            try await store.wait { try await store.store.metadata.groups().allSatisfy(\.former.isEmpty) }
            #expect(try await Self.isPlaced(disk, in: store))
        }
        for slot in [1, 2] { store.disk(slot).isGone = true }
        for size in Self.sizes { #expect(try await store.holds("k\(size)", Content.random(size)), "\(size) bytes") }
        try await store.close()
    }

    @Test("the disks of a node in maintenance are waited for until it is over, also after a restart")
    func maintenance() async throws {
        let store = try await StoreHarness.open(disks: 8) { $0.outAfter = .milliseconds(1) }
        try await store.put("k", Content.random(70_000))
        let record = try #require(try await store.store.metadata.disks().first { $0.slot == StoreHarness.name(0) })
        await #expect(throws: DiskChangeError.self) {
            _ = try await store.store.beginMaintenance(record.site, NodeName("nowhere"), for: .seconds(60))
        }
        _ = try await store.store.beginMaintenance(record.site, record.node, for: .seconds(3_600))
        try await store.close()
        try await store.start()
        store.disk(0).isGone = true
        try await store.store.watchDisks()
        func lookTwice() async throws -> Bool {
            for _ in 0..<2 {
                try await store.store.giveUpLongAway()
                try await Task.sleep(for: .milliseconds(5))
            }
            try await store.store.giveUpLongAway()
            return try await Self.isPlaced(record.id, in: store)
        }
        #expect(try await lookTwice())
        #expect(try await store.store.maintenances().map(\.node) == [record.node])
        #expect(try await store.store.endMaintenance(record.site, record.node))
        #expect(try await !store.store.endMaintenance(record.site, record.node))
        #expect(try await !lookTwice())
        try await store.close()
    }

    /// Goal: disks that come back as they were bring everything back, however long they were away.
    @Test("none is given up while something needs it: more than m away together, and all is there when they are back")
    func needed() async throws {
        let store = try await StoreHarness.open(disks: 12) { $0.outAfter = .zero }
        for number in 0..<20 { try await store.put("k\(number)", Content.random(70_000 + number)) }
        let records = try await store.store.metadata.disks()
        let used = Set(try await store.store.metadata.blobs(after: nil, limit: 100).map(\.group))
        let keepers = try store.store.journal.report.keepers
        let group = try #require(
            try await store.store.metadata.groups().first { group in
                used.contains(group.id)
                    && group.members.filter { !keepers.contains($0) }.count > group.scheme.parityCount
            }
        )
        let gone = group.members.filter { !keepers.contains($0) }.prefix(group.scheme.parityCount + 1)
        let slots = (0..<12).filter { slot in
            records.contains { gone.contains($0.id) && $0.slot == StoreHarness.name(slot) }
        }
        for slot in slots { store.disk(slot).isGone = true }
        try await store.store.watchDisks()
        for _ in 0..<3 { try await store.store.giveUpLongAway() }
        for slot in slots { store.disk(slot).isGone = false }
        try await store.store.takeUpReturned()
        for number in 0..<20 { #expect(try await store.holds("k\(number)", Content.random(70_000 + number))) }
        try await store.close()
    }

    /// A disk emptied right after another was told of a command under way, when the store itself let the other go.
    @Test("a command waits for such a step of the background instead of being refused")
    func commandsWait() async throws {
        let store = try await StoreHarness.open(disks: 8) { $0.outAfter = .zero }
        try await store.put("k", Content.random(70_000))
        store.disk(0).isGone = true
        try await store.store.watchDisks()
        let isHeld = Atomic(true)
        let isReached = Atomic(false)
        for slot in 1..<8 {
            store.disk(slot).setLatency { operation, path, _ in
                guard operation == .write, path.hasPrefix("journal/") else { return }
                isReached.store(true, ordering: .relaxed)
                while isHeld.load(ordering: .relaxed) { try? await Task.sleep(for: .milliseconds(2)) }
            }
        }
        let step = Task { for _ in 0..<3 { try await store.store.giveUpLongAway() } }
        try await store.wait { isReached.load(ordering: .relaxed) }
        let command = Task { try await store.store.beginMoves(.even) }
        try await Task.sleep(for: .milliseconds(100))
        isHeld.store(false, ordering: .relaxed)
        try await step.value
        _ = try await command.value
        try await store.close()
    }

    @Test("one that no other can stand in for keeps its places")
    func noStandIn() async throws {
        let store = try await StoreHarness.open { $0.outAfter = .milliseconds(1) }
        try await store.put("k", Content.random(70_000))
        store.disk(0).isGone = true
        try await store.store.watchDisks()
        let groups = try await store.store.metadata.groups()
        for _ in 0..<3 {
            try await store.store.giveUpLongAway()
            try await Task.sleep(for: .milliseconds(5))
        }
        #expect(try await store.store.metadata.groups() == groups)
        try await store.close()
    }

    // MARK: The rule

    private static func disks(
        sites: Int,
        each: Int,
        away: [Int: Duration] = [:],
        room: Int = 1_000
    ) -> [OutPolicy.Disk] {
        (0..<sites * each).map { number in
            let disk = PlacementDisk(
                id: DiskID(Identifier128(high: 0, low: UInt64(number))),
                site: SiteName("site-\(number / each)"),
                node: NodeName("node-\(number / 2)")
            )
            guard let away = away[number] else { return OutPolicy.Disk(disk, live: 500, room: room) }
            return OutPolicy.Disk(disk, away: away)
        }
    }

    private static func due(_ disks: [OutPolicy.Disk]) -> [UInt64] {
        OutPolicy(patience: .seconds(60)).due(disks).map(\.value.low)
    }

    @Test("patience, a site's loss, many at once, and room")
    func policy() {
        let long = Duration.seconds(61)
        #expect(Self.due(Self.disks(sites: 3, each: 6)).isEmpty)
        #expect(Self.due(Self.disks(sites: 3, each: 6, away: [4: .seconds(59)])).isEmpty)
        #expect(Self.due(Self.disks(sites: 3, each: 6, away: [4: long, 5: .seconds(1)])) == [4])
        #expect(Self.due(Self.disks(sites: 3, each: 6, away: [0: long, 6: long, 7: long, 13: long])) == [0, 6, 7, 13])
        let five = Dictionary(uniqueKeysWithValues: [0, 3, 6, 9, 12].map { ($0, long) })
        #expect(Self.due(Self.disks(sites: 3, each: 6, away: five)).isEmpty, "more than a quarter")
        #expect(Self.due(Self.disks(sites: 4, each: 2, away: [2: long, 3: long])).isEmpty, "a whole site")
        #expect(Self.due(Self.disks(sites: 1, each: 8, away: [1: long], room: 72)) == [1])
        #expect(Self.due(Self.disks(sites: 1, each: 8, away: [1: long], room: 71)).isEmpty, "no room")
        #expect(Self.due(Self.disks(sites: 1, each: 1, away: [0: long])).isEmpty)
    }
}
