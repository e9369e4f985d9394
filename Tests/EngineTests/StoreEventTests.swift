import Coordination
import Metadata
import ObjectModel
import Synchronization
import TestKit
import Testing

/// What an operator finds in the log.
@Suite("What happens to a store is told once")
struct StoreEventTests {
    final class Told: Sendable {
        private let list = Mutex<[StoreEvent]>([])
        var events: [StoreEvent] { list.withLock { $0 } }
        func note(_ event: StoreEvent) { list.withLock { $0.append(event) } }

        /// What was told since the last call.
        func take() -> [StoreEvent] {
            list.withLock { list in
                defer { list = [] }
                return list
            }
        }
    }

    @Test("nodes and sites that fall silent and come back, each when it changes")
    func nodes() {
        let told = Told()
        let events = StoreEvents()
        events.observe(told.note)
        let (one, two, three) = (NodeName("a-1"), NodeName("a-2"), NodeName("b-1"))
        let members = Dictionary(
            uniqueKeysWithValues: [(one, "a"), (two, "a"), (three, "b")].map {
                ($0, NodeMember(name: $0, site: SiteName($1)))
            }
        )
        events.note(silent: [:], of: members)
        #expect(told.take().isEmpty)
        events.note(silent: [one: "no route"], of: members)
        events.note(silent: [one: "no route, still"], of: members)
        #expect(told.take() == [.nodeSilent(one, reason: "no route")])
        events.note(silent: [one: "no route", two: "cut"], of: members)
        #expect(told.take() == [.nodeSilent(two, reason: "cut"), .siteSilent(SiteName("a"))])
        events.note(silent: [two: "cut"], of: members)
        events.note(silent: [:], of: members)
        #expect(told.take() == [.siteBack(SiteName("a")), .nodeBack(one), .nodeBack(two)])
        // A site of one silent node, which is removed, is not back.
        events.note(silent: [three: "off"], of: members)
        #expect(told.take() == [.nodeSilent(three, reason: "off"), .siteSilent(SiteName("b"))])
        events.note(silent: [:], of: members.filter { $0.key != three })
        #expect(told.take().isEmpty)
    }

    @Test("a metadata database that is removed, and put back and removed again")
    func metadataRemoved() {
        let told = Told()
        let events = StoreEvents()
        events.observe(told.note)
        for isGone in [false, true, true] { events.note(isMetadataGone: isGone) }
        #expect(told.take() == [.metadataRemoved])
        #expect(StoreEvent.metadataRemoved.isWarning)
        #expect(StoreEvent.metadataRemoved.text.contains("cairn metadata rebuild"))
        for isGone in [false, true] { events.note(isMetadataGone: isGone) }
        #expect(told.take() == [.metadataRemoved])
    }

    @Test("a disk with many bad shards is told of once a minute, with how many there were meanwhile")
    func badShards() async throws {
        let store = try await StoreHarness.open()
        let (told, events, time) = (Told(), StoreEvents(), ManualTime())
        events.observe(told.note)
        let badShards = BadShards(metadata: try store.store.metadata, events: events, time: time)
        let disks = try await store.store.metadata.disks().prefix(2).map(\.id)
        let shards = (0..<4).map { number in
            let blob = BlobID(incarnation: 1, lease: 1, sequence: UInt64(number))
            return PlacedShard(ShardID(blob: blob, index: 0), on: disks[number == 3 ? 1 : 0])
        }
        await badShards.note([shards[0]])
        await badShards.note([shards[1], shards[2]])
        await badShards.note([shards[3]])
        let names = shards.map { ["\($0.disk)", "\($0.shard.blob)"] }
        #expect(Self.ends(told.take()) == [names[0] + ["1"], names[3] + ["1"]])
        time.advance(by: .seconds(59))
        await badShards.tell()
        #expect(told.take().isEmpty)
        time.advance(by: .seconds(1))
        await badShards.tell()
        #expect(Self.ends(told.take()) == [names[2] + ["2"]])
        time.advance(by: BadShards.interval)
        await badShards.tell()
        #expect(told.take().isEmpty)
        #expect(badShards.count(on: disks[0]) == 3 && badShards.count(on: disks[1]) == 1)
        try await store.close()
    }

    /// The disk, the blob and the count of what was told.
    private static func ends(_ events: [StoreEvent]) -> [[String]] {
        events.map { Array($0.details.map(\.value).suffix(3)) }
    }

    @Test("a disk that is lost, given up and made anew, and one that comes back")
    func disks() async throws {
        let store = try await StoreHarness.open()
        let told = Told()
        try store.store.events.observe(told.note)
        try await store.put("object", Content.random(5 << 20))
        let name = StoreHarness.name(4)
        store.disk(4).isGone = true
        try await store.store.watchDisks()
        try await store.store.watchDisks()
        let lost = told.take()
        guard lost.count == 1, case .diskLost(let disk, _) = lost.first else {
            Issue.record("\(lost)")
            return
        }
        #expect(disk.description.hasSuffix("/\(name)"))
        store.disk(4).isGone = false
        try await store.store.takeUpReturned()
        #expect(told.take() == [.diskServed(disk)])
        store.swapDisk(4)
        try await store.running {
            _ = try await store.store.replaceDisk(inSlot: name)
            try await store.wait { told.events.contains { if case .repairEnded = $0 { true } else { false } } }
        }
        let repair = told.events.filter { event in
            switch event {
            case .repairBegun, .repairEnded: true
            default: false
            }
        }
        guard repair.count == 2, case .repairBegun(let missing) = repair[0],
            case .repairEnded(let shards, let bytes, missing: 0) = repair[1]
        else {
            Issue.record("\(told.events)")
            return
        }
        #expect(missing > 0 && shards > 0 && bytes > 0)
        #expect(!repair[1].isWarning && repair[1].details.map(\.name) == ["shards", "bytes", "missing"])
        try await store.close()
    }
}
