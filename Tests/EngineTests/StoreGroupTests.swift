import BlobStorage
import Coordination
import Metadata
import ObjectInterface
import ObjectModel
import ObjectStorage
import Placement
import TestKit
import Testing

/// What becomes of the placement groups of a class that is removed.
@Suite("Groups of removed classes")
struct StoreGroupTests {
    private static func storageClass(_ name: String, _ scheme: String) throws -> StorageClass {
        StorageClass(name: name, scheme: try #require(Scheme(name: scheme)))
    }

    /// A store of rs-4-2 on nine disks, all of whose blobs were seen, with one object.
    private static func open() async throws -> StoreHarness {
        let harness = try await StoreHarness.open(disks: 9)
        try await harness.put("standard", Content.random(40_000))
        #expect(await (try harness.store).inventory.pass())
        return harness
    }

    private static func put(_ harness: StoreHarness, _ key: String, _ bytes: [UInt8], _ label: String) async throws {
        _ = try await harness.objects.put(
            PutRequest(
                bucket: StoreHarness.bucket,
                key: key,
                owner: StoreHarness.owner,
                length: bytes.count,
                attributes: ObjectAttributes(storageClass: label)
            ),
            body: ArrayBody(bytes)
        )
    }

    @Test("groups of a removed class are told of while something may lie there, and say nothing of writes")
    func closed() async throws {
        let weak = try Self.storageClass("WEAK", "rs-2-1")
        let harness = try await Self.open()
        let store = try harness.store
        let groups = try await store.metadata.groups().count
        _ = try await store.addClass(weak)
        try await Self.put(harness, "weak", Content.random(40_000), "WEAK")
        #expect(try await store.status().groups.closed.isEmpty)
        try await store.removeClass("WEAK")
        let counts = try await store.status().groups
        let closed = counts.total - groups
        #expect(counts.closed == [weak.scheme: closed] && closed > 0)
        #expect(try await harness.holds("weak", Content.random(40_000)))

        // With two of its three disks gone a group cannot be read; writes do not go there in any case.
        let one = try #require(store.blobs.view.map.groups.values.first { $0.scheme == weak.scheme })
        let layout = try await store.snapshot(store.status()).store.layout
        let outcome = LossOutcome(layout, without: Set(one.members.prefix(2)))
        #expect(outcome.belowK >= 1)
        #expect(outcome.fullWrites + outcome.degradedWrites + outcome.noWrites == groups)
        #expect(outcome.writes != .refused)
        try await harness.close()
    }

    @Test("groups of a removed class in which nothing ever lay count for nothing")
    func empty() async throws {
        let harness = try await Self.open()
        let store = try harness.store
        let groups = try await store.metadata.groups().count
        _ = try await store.addClass(try Self.storageClass("WEAK", "rs-2-1"))
        try await store.removeClass("WEAK")
        let counts = try await store.status().groups
        #expect(counts.total == groups && counts.closed.isEmpty)
        try await harness.close()
    }
}
