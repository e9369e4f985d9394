import BlobStorage
import LinuxSystem
import ObjectModel
import Placement
import Synchronization
import SystemInterface
import TestKit
import Testing

/// The disks take turns among three sites, and the reader stands on node-1 of site-1.
@Suite("Reads prefer the near site")
struct NearReadTests {
    private static let here = Standpoint(site: SiteName("site-1"), node: NodeName("node-1"))

    /// A blob of one stripe on twelve disks with rs-6-6, two nodes a site: shards 0, 3, 6 and 9 are in the reader's
    /// site, 0 and 6 of them on its node.
    private struct Stored {
        let harness: BlobHarness
        let blob: BlobID
        let bytes: [UInt8]
        let cell = 64 << 10

        init(data: Int = 6, parity: Int = 6, standpoint: Standpoint? = here) async throws {
            harness = try await BlobHarness(data: data, parity: parity, sites: 3, nodes: 2, standpoint: standpoint)
            blob = harness.nextBlob()
            bytes = BlobHarness.bytes(data * cell)
            _ = try await harness.write(blob, bytes)
            _ = harness.transport.takeSent()
        }

        /// Reads, compares, and says which shards were sent and how much of each.
        func read(_ range: Range<Int>, missing: [UInt8] = []) async throws -> [Int: Int] {
            let location = try harness.location(blob, length: bytes.count, missing: missing)
            let found = try await harness.read(location, range)
            #expect(found == Array(bytes[range]))
            let sent = harness.transport.takeSent()
            return Dictionary(
                uniqueKeysWithValues: harness.disks.indices.compactMap { shard in
                    sent[harness.disks[shard]].map { (shard, $0) }
                }
            )
        }

        func isRemote(_ shard: Int) -> Bool { shard % 3 != 0 }
    }

    @Test("a whole stripe takes from other sites only what the own site lacks")
    func wholeStripe() async throws {
        let stored = try await Stored()
        let sent = try await stored.read(0..<stored.bytes.count)
        #expect(Set(sent.keys) == [0, 1, 2, 3, 6, 9])
        #expect(sent.filter { stored.isRemote($0.key) }.values.reduce(0, +) == 2 * stored.cell)
    }

    @Test("a range whose shard is in the own site asks nobody else", arguments: [0, 3])
    func rangeOfNearShard(shard: Int) async throws {
        let stored = try await Stored()
        let sent = try await stored.read(shard * stored.cell + 1_000..<shard * stored.cell + 2_000)
        #expect(Set(sent.keys) == [shard])
    }

    @Test("a range whose shard is far takes that one alone, when decoding would take more")
    func rangeOfFarShard() async throws {
        let stored = try await Stored()
        let sent = try await stored.read(stored.cell + 1_000..<stored.cell + 2_000)
        #expect(Set(sent.keys) == [1])
    }

    @Test("a range whose shard is far is decoded where the own site has enough")
    func enoughNear() async throws {
        let stored = try await Stored(data: 3, parity: 9)
        let sent = try await stored.read(stored.cell + 1_000..<stored.cell + 2_000)
        // Of the four in the site those on the own node come first, then what is wanted or data, then parity.
        #expect(Set(sent.keys) == [0, 3, 6])
    }

    @Test("where the process does not know where it stands, data shards are read")
    func noStandpoint() async throws {
        let stored = try await Stored(standpoint: nil)
        let sent = try await stored.read(0..<stored.bytes.count)
        #expect(Set(sent.keys) == [0, 1, 2, 3, 4, 5])
    }

    @Test("within one site nothing is decoded to spare a node's call")
    func oneSite() async throws {
        let harness = try await BlobHarness(sites: 1, nodes: 2, standpoint: Self.here)
        let bytes = BlobHarness.bytes(4 * 64 << 10)
        let blob = harness.nextBlob()
        _ = try await harness.write(blob, bytes)
        _ = harness.transport.takeReads()
        let found = try await harness.read(try harness.location(blob, length: bytes.count), 0..<bytes.count)
        #expect(found == bytes)
        #expect(Set(harness.transport.takeReads().keys) == Set(harness.disks[..<4]))
    }

    @Test("a near shard that is lost, bad, failing or slow is made up for from elsewhere", arguments: 0..<4)
    func nearShardFails(kind: Int) async throws {
        let stored = try await Stored()
        let disk = stored.harness.disks[6]
        switch kind {
        case 0: break
        case 1: stored.harness.transport.set(.corrupt, for: disk)
        case 2: stored.harness.transport.set(.fail(.unreachable(node: "node-1")), for: disk)
        default: stored.harness.transport.set(.delay(.seconds(20)), for: disk)
        }
        let start = stored.harness.time.monotonic
        let sent = try await stored.read(0..<stored.bytes.count, missing: kind == 0 ? [6] : [])
        let remote = sent.filter { stored.isRemote($0.key) }
        #expect(remote.count == 3)
        #expect(remote.values.reduce(0, +) == 3 * stored.cell)
        #expect(stored.harness.time.monotonic.duration(since: start) < .seconds(10))
        #expect(stored.harness.bad.withLock { $0.count } == (kind == 1 ? 1 : 0))
    }

    @Test("a far shard that is lost is decoded from the nearest")
    func farShardLost() async throws {
        let stored = try await Stored()
        let sent = try await stored.read(stored.cell..<stored.cell + 100, missing: [1])
        #expect(Set(sent.keys) == [0, 2, 3, 4, 6, 9])
    }

    @Test("with the own site gone reads go on from the others")
    func ownSiteGone() async throws {
        let stored = try await Stored()
        for shard in [0, 3, 6, 9] {
            stored.harness.view.update(
                stored.harness.disks[shard],
                condition: DiskCondition(isUsable: false, room: 0)
            )
        }
        let sent = try await stored.read(0..<stored.bytes.count)
        #expect(sent.keys.allSatisfy(stored.isRemote))
    }

    @Test("any range, with any shards missing, is right and takes no more from other sites than asking for it would")
    func anyRange() async throws {
        let stored = try await Stored()
        var generator = SplitMix64(seed: 11)
        let cell = stored.cell
        for _ in 0..<400 {
            let start = Int(generator.next() % UInt64(stored.bytes.count))
            let end = start + 1 + Int(generator.next() % UInt64(stored.bytes.count - start))
            var missing: Set<UInt8> = []
            for _ in 0..<generator.next() % 4 { missing.insert(UInt8(generator.next() % 12)) }
            let sent = try await stored.read(start..<end, missing: missing.sorted())
            let wanted = Set(start / cell...(end - 1) / cell)
            let there = Set(0..<12).subtracting(missing.map { Int($0) })
            let far = wanted.intersection(there).filter(stored.isRemote).count
            let lacking = max(0, 6 - there.count { !stored.isRemote($0) })
            let taken = sent.filter { stored.isRemote($0.key) }.values.reduce(0, +)
            // Cells of one leaf: everything counts in whole cells. What is lost of the range has to be decoded.
            let limit = wanted.isSubset(of: there) ? min(far, lacking) : max(far, lacking)
            #expect(taken <= limit * cell, "\(start)..<\(end) without \(missing.sorted())")
            #expect(!wanted.isSubset(of: there) || taken == limit * cell)
        }
    }

    @Test("a read that has to do without a shard noted as missing is told of, and no other")
    func degraded() async throws {
        for standpoint in [nil, Self.here] {
            let stored = try await Stored(standpoint: standpoint)
            _ = try await stored.read(1_000..<2_000, missing: [1])
            #expect(stored.harness.degraded.withLock { $0 }.isEmpty)
            _ = try await stored.read(1_000..<2_000, missing: [0])
            #expect(stored.harness.degraded.withLock { $0 } == [stored.blob])
        }
    }

    @Test("what repair and moves take is counted by disk, and what of it crosses lines between sites")
    func load() async throws {
        let stored = try await Stored()
        let (harness, cell) = (stored.harness, stored.cell)
        let group = try #require(harness.view.map.groups.values.first)
        func request(_ shards: [UInt8]) throws -> RepairRequest {
            RepairRequest(
                location: try harness.location(stored.blob, length: stored.bytes.count, missing: shards),
                group: group,
                frames: .explicit([]),
                ingestDigest: ContentDigest(high: 0, low: 0),
                shards: shards
            )
        }
        // Shards 0, 3, 6 and 9 are near: three of them and three others are read to make two.
        let repair = harness.store.load(repairing: try request([0, 1]))
        #expect(repair.disks.values.allSatisfy { $0 == cell })
        #expect(repair.disks.count == 8 && repair.disks[harness.disks[0]] == cell)
        #expect(repair.crossing == 4 * cell)
        let move = harness.store.load(moving: try request([2]))
        #expect(move.disks == [harness.disks[2]: 2 * cell])
        #expect(move.crossing == 2 * cell)
    }
}
