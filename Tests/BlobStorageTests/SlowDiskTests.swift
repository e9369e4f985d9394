import BlobStorage
import LinuxSystem
import ObjectModel
import Placement
import SystemInterface
import Testing

/// Disks that answer, but late: nobody is to wait for them more often than it takes to know them.
@Suite("Slow disks")
struct SlowDiskTests {
    private static func disk(_ number: UInt64) -> DiskID { DiskID(Identifier128(high: 1, low: number)) }

    private static func time(_ seconds: UInt64) -> MonotonicTime {
        MonotonicTime(nanoseconds: seconds * 1_000_000_000)
    }

    @Test("a disk that a write was left behind by is remembered for a while")
    func memory() {
        let view = ClusterView()
        let (slow, other) = (Self.disk(1), Self.disk(2))
        #expect(!view.wasSlow([slow, other], at: Self.time(0)))
        view.noteOverdue(slow, at: Self.time(0))
        view.noteEnded(slow)
        #expect(view.wasSlow([other, slow], at: Self.time(9)))
        #expect(!view.wasSlow([other], at: Self.time(9)))
        view.noteOverdue(slow, at: Self.time(9))
        #expect(view.wasSlow([slow], at: Self.time(18)))
        #expect(!view.wasSlow([slow], at: Self.time(20)))
    }

    @Test("a disk that was slow lately gets no new shards for a while, where another whole group is, unless many were")
    func avoided() throws {
        let scheme = try #require(Scheme(name: "rs-4-2"))
        let view = ClusterView()
        var map = ClusterMap()
        for (number, first) in [UInt64(0), 6].enumerated() {
            let members = (first..<first + 6).map(Self.disk)
            let id = GroupID(UInt32(number))
            map.groups[id] = ClusterMap.Group(id: id, epoch: 1, scheme: scheme, members: members)
            for disk in members {
                map.disks[disk] = PlacementDisk(id: disk, site: SiteName("s"), node: NodeName("n"))
                view.update(disk, condition: DiskCondition(isUsable: true, room: 1_000))
            }
        }
        view.update(map: map)
        func groups(at seconds: UInt64) throws -> Set<UInt32> {
            let chosen = try (0..<4).map { _ in
                try view.chooseGroup(scheme: scheme, shardLength: 100, at: Self.time(seconds)).group.id.number
            }
            return Set(chosen)
        }
        #expect(try groups(at: 0) == [0, 1])
        view.noteOverdue(Self.disk(1), at: Self.time(0))
        view.noteEnded(Self.disk(1))
        #expect(try groups(at: 9) == [1])
        #expect(try groups(at: 11) == [0, 1])
        _ = view.noteSlow((0..<3).map(Self.disk), at: Self.time(20))
        #expect(try groups(at: 21) == [1])
        _ = view.noteSlow([Self.disk(3)], at: Self.time(20))
        #expect(try groups(at: 21) == [0, 1])
    }

    @Test("a disk that writes waited for is not waited for again, although it answered in the end")
    func waitedFor() async throws {
        let harness = try await BlobHarness()
        harness.transport.set(.delay(.milliseconds(220)), for: harness.disks[2])
        // On a busy machine the other disks may take as long; not each time.
        for _ in 0..<20 where !harness.store.view.wasSlow([harness.disks[2]], at: harness.time.monotonic) {
            _ = try await harness.write(harness.nextBlob(), BlobHarness.bytes(5_000))
        }
        #expect(harness.store.view.wasSlow([harness.disks[2]], at: harness.time.monotonic))
        var missing: [UInt8] = []
        for _ in 0..<20 where missing.isEmpty {
            missing = try await harness.write(harness.nextBlob(), BlobHarness.bytes(5_000)).missing
        }
        #expect(missing == [2])
    }

    @Test("a disk that is always slow is not given its own time but that of the others")
    func hedge() {
        let view = ClusterView()
        for _ in 0..<600 {
            for number in 0..<6 { view.noteRead(of: Self.disk(UInt64(number)), took: .milliseconds(20)) }
            view.noteRead(of: Self.disk(6), took: .seconds(1))
        }
        let usual = view.hedgeDelay(for: Self.disk(0))
        #expect(usual >= .milliseconds(20))
        #expect(view.hedgeDelay(for: Self.disk(6)) <= usual * 3)
    }

    @Test("disks that are all slow are all given their time")
    func allSlow() {
        let view = ClusterView()
        for _ in 0..<600 {
            for number in 0..<6 { view.noteRead(of: Self.disk(UInt64(number)), took: .milliseconds(700)) }
        }
        for number in 0..<6 { #expect(view.hedgeDelay(for: Self.disk(UInt64(number))) >= .milliseconds(700)) }
    }

    @Test("decoding goes on to the next shard when one does not answer, and comes back when there is no other")
    func reconstruction() async throws {
        let harness = try await BlobHarness()
        let bytes = BlobHarness.bytes(300_000)
        let blob = harness.nextBlob()
        _ = try await harness.write(blob, bytes)
        try await harness.store.nodes.erase(harness.disks[0], [ShardID(blob: blob, index: 0)])
        let location = try harness.location(blob, length: bytes.count, missing: [0])
        harness.transport.set(.delay(.seconds(20)), for: harness.disks[4])
        let start = harness.time.monotonic
        #expect(try await harness.read(location, 0..<bytes.count) == bytes)
        #expect(harness.time.monotonic.duration(since: start) < .seconds(10))

        // Slower than any hedge, and needed.
        harness.transport.set(.delay(.milliseconds(400)), for: harness.disks[4])
        try await harness.store.nodes.erase(harness.disks[5], [ShardID(blob: blob, index: 5)])
        #expect(try await harness.read(location, 0..<bytes.count) == bytes)
    }
}
