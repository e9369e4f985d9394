import BlobStorage
import ClusterProtocol
import LinuxSystem
import ObjectModel
import Synchronization
import SystemInterface
import TestKit
import Testing

@Suite("Blobs on six disks with rs-4-2")
struct BlobStoreTests {
    static let lengths = [1, 63, 64, 65, 1_000, 65_536, 262_143, 262_144, 262_145, 600_001, 1_048_576, 1_500_000]

    @Test("every blob is read back, whole and in parts, with any two shards gone")
    func readsWithoutTwo() async throws {
        let harness = try await BlobHarness()
        for length in Self.lengths {
            let bytes = BlobHarness.bytes(length)
            let blob = harness.nextBlob()
            let receipt = try await harness.write(blob, bytes)
            #expect(receipt.missing.isEmpty)
            #expect(!receipt.isDegraded)
            for first in 0..<6 as Range<UInt8> {
                for second in first + 1..<6 {
                    let location = try harness.location(blob, length: length, missing: [first, second])
                    let whole = try await harness.read(location, 0..<length)
                    #expect(whole == bytes, "\(length) without \(first) and \(second)")
                    let part = length / 3..<length / 3 + max(1, length / 5)
                    let found = try await harness.read(location, part)
                    #expect(found == Array(bytes[part]))
                }
            }
        }
    }

    @Test("a range asks only the disks that hold it")
    func rangesTouchFewDisks() async throws {
        let harness = try await BlobHarness()
        let bytes = BlobHarness.bytes(1 << 20)
        let blob = harness.nextBlob()
        _ = try await harness.write(blob, bytes)
        _ = harness.transport.takeReads()
        let location = try harness.location(blob, length: bytes.count)
        let found = try await harness.read(location, 70_000..<71_000)
        #expect(found == Array(bytes[70_000..<71_000]))
        #expect(harness.transport.takeReads() == [harness.disks[1]: 1])
    }

    @Test("an answer with a flipped bit is never passed on, and is reported", arguments: [50_000, 900_000])
    func corruption(length: Int) async throws {
        let harness = try await BlobHarness()
        let bytes = BlobHarness.bytes(length)
        let blob = harness.nextBlob()
        _ = try await harness.write(blob, bytes)
        let location = try harness.location(blob, length: length)
        for disk in [0, 3] { harness.transport.set(.corrupt, for: harness.disks[disk]) }
        let found = try await harness.read(location, 0..<length)
        #expect(found == bytes)
        let bad = harness.bad.withLock { $0 }
        #expect(bad == [ShardID(blob: blob, index: 0), ShardID(blob: blob, index: 3)])
        harness.transport.set(.corrupt, for: harness.disks[5])
        await #expect(throws: BlobError.unreadable(blob, good: 3, needed: 4)) {
            _ = try await harness.read(location, 0..<length)
        }
    }

    @Test("a read does not wait for a slow disk")
    func hedge() async throws {
        let harness = try await BlobHarness()
        let bytes = BlobHarness.bytes(100_000)
        let blob = harness.nextBlob()
        _ = try await harness.write(blob, bytes)
        harness.transport.set(.delay(.seconds(20)), for: harness.disks[2])
        let start = harness.time.monotonic
        let found = try await harness.read(try harness.location(blob, length: bytes.count), 0..<bytes.count)
        #expect(found == bytes)
        #expect(harness.time.monotonic.duration(since: start) < .seconds(10))
    }

    @Test("a write leaves a straggler behind and names its shard as missing", arguments: [10_000, 700_000])
    func straggler(length: Int) async throws {
        let harness = try await BlobHarness()
        harness.transport.set(.delay(.seconds(20)), for: harness.disks[4])
        let start = harness.time.monotonic
        let bytes = BlobHarness.bytes(length)
        let blob = harness.nextBlob()
        let receipt = try await harness.write(blob, bytes)
        #expect(receipt.missing == [4])
        #expect(!receipt.isDegraded)
        #expect(harness.time.monotonic.duration(since: start) < .seconds(10))
        let found = try await harness.read(
            try harness.location(blob, length: length, missing: receipt.missing),
            0..<length
        )
        #expect(found == bytes)
    }

    @Test("a disk that hangs holds no write up that would outlive any site without it", arguments: [10_000, 700_000])
    func stragglerOfASite(length: Int) async throws {
        let harness = try await BlobHarness(data: 3, parity: 3, sites: 3)
        let hanging = harness.disks[4]
        harness.transport.set(.delay(.seconds(20)), for: hanging)
        let start = harness.time.monotonic
        let bytes = BlobHarness.bytes(length)
        let blob = harness.nextBlob()
        let receipt = try await harness.write(blob, bytes)
        #expect(receipt.missing == [4])
        // Three are left without the fullest site, and one more would be wanted: it is said.
        #expect(receipt.isDegraded)
        #expect(harness.time.monotonic.duration(since: start) < .seconds(10))
        let location = try harness.location(blob, length: length, missing: receipt.missing)
        #expect(try await harness.read(location, 0..<length) == bytes)
    }

    @Test("disks of sites that are all slow wait for one another", arguments: [10_000, 700_000])
    func slowSites(length: Int) async throws {
        let harness = try await BlobHarness(data: 3, parity: 3, sites: 3)
        for (number, disk) in harness.disks.enumerated() {
            harness.transport.set(.delay(.milliseconds(300 + 60 * number)), for: disk)
        }
        let receipt = try await Self.writtenByAll(harness, length)
        #expect(receipt.missing.isEmpty)
        #expect(!receipt.isDegraded)
    }

    @Test("disks that are all slow wait for one another", arguments: [10_000, 700_000])
    func slowDisks(length: Int) async throws {
        let harness = try await BlobHarness()
        for (number, disk) in harness.disks.enumerated() {
            harness.transport.set(.delay(.milliseconds(300 + 50 * number)), for: disk)
        }
        let receipt = try await Self.writtenByAll(harness, length)
        #expect(receipt.missing.isEmpty)
    }

    /// A write that left nobody behind, or the last of some: a machine that stands still for a moment may make one disk
    /// much later than the others; not each time.
    private static func writtenByAll(_ harness: BlobHarness, _ length: Int) async throws -> BlobReceipt {
        var receipt = try await harness.write(harness.nextBlob(), BlobHarness.bytes(length))
        for _ in 0..<10 where !receipt.missing.isEmpty {
            receipt = try await harness.write(harness.nextBlob(), BlobHarness.bytes(length))
        }
        return receipt
    }

    @Test("a disk that is out lets no other be left behind")
    func stragglerAfterLoss() async throws {
        let harness = try await BlobHarness()
        harness.transport.set(.fail(.unreachable(node: "node-1")), for: harness.disks[1])
        harness.transport.set(.delay(.milliseconds(800)), for: harness.disks[4])
        let receipt = try await harness.write(harness.nextBlob(), BlobHarness.bytes(700_000))
        #expect(receipt.missing == [1])
        #expect(!receipt.isDegraded)
    }

    @Test("with two disks failing a write is refused and erases what it wrote", arguments: [10_000, 700_000])
    func refusal(length: Int) async throws {
        let harness = try await BlobHarness()
        let error = TransportError.unreachable(node: "node-1")
        for disk in [1, 5] { harness.transport.set(.fail(error), for: harness.disks[disk]) }
        let blob = harness.nextBlob()
        await #expect(throws: BlobError.self) { _ = try await harness.write(blob, BlobHarness.bytes(length)) }
        for disk in [0, 2, 3, 4] {
            let entries = try await harness.store.nodes.inventory(harness.disks[disk], after: nil, limit: 10).entries
            #expect(entries.isEmpty, "disk \(disk) keeps a shard of a refused blob")
        }
    }

    @Test("repair puts lost shards back, proved equal", arguments: [100, 262_144, 1_500_000])
    func repair(length: Int) async throws {
        let harness = try await BlobHarness()
        let bytes = BlobHarness.bytes(length)
        let blob = harness.nextBlob()
        _ = try await harness.write(blob, bytes)
        for lost in [[0, 1], [2, 5], [4, 5], [3]] as [[UInt8]] {
            for index in lost {
                try await harness.store.nodes.erase(harness.disks[Int(index)], [ShardID(blob: blob, index: index)])
            }
            let location = try harness.location(blob, length: length, missing: lost)
            let repaired = try await harness.repair(location, bytes, shards: lost)
            #expect(repaired.sorted() == lost)
            for index in 0..<6 as Range<UInt8> {
                let shard = ShardID(blob: blob, index: index)
                #expect(try await harness.store.nodes.verify(harness.disks[Int(index)], shard))
            }
            let found = try await harness.read(try harness.location(blob, length: length), 0..<length)
            #expect(found == bytes)
        }
    }

    /// A blob on disks of its own, and three of its shards with one bad leaf each.
    private static func withBadLeaves(
        _ leaf: (UInt8) -> Int
    ) async throws -> (harness: BlobHarness, blob: BlobID, bytes: [UInt8]) {
        let harness = try await BlobHarness(cellSize: 256 << 10)
        let blob = harness.nextBlob()
        let bytes = BlobHarness.bytes(2_000_000)
        _ = try await harness.write(blob, bytes)
        for index in threeShards {
            harness.flipFirstRecord(ofDisk: Int(index), leaf: leaf(index))
            let shard = ShardID(blob: blob, index: index)
            #expect(try await harness.store.nodes.verify(harness.disks[Int(index)], shard) == false)
        }
        return (harness, blob, bytes)
    }

    private static let threeShards = [0, 1, 4] as [UInt8]

    /// Found by hand: one bad block in each of three shards was told as the loss of the object.
    @Test("bad leaves in more than m shards are borne while no leaf is bad in more than m")
    func badLeaves() async throws {
        let (harness, blob, bytes) = try await Self.withBadLeaves { Int($0) % 4 }
        let whole = try harness.location(blob, length: bytes.count)
        #expect(try await harness.read(whole, 0..<bytes.count) == bytes)
        // Once a verification has noted them as missing, reads do without them while they can; repair makes them anew.
        let noted = try harness.location(blob, length: bytes.count, missing: Self.threeShards)
        harness.bad.withLock { $0 = [] }
        #expect(try await harness.read(noted, 0..<bytes.count) == bytes)
        #expect(harness.bad.withLock { $0.isEmpty })
        #expect(try await harness.repair(noted, bytes, shards: Self.threeShards).sorted() == Self.threeShards)
        for (index, disk) in harness.disks.enumerated() {
            #expect(try await harness.store.nodes.verify(disk, ShardID(blob: blob, index: UInt8(index))))
        }
        #expect(try await harness.read(whole, 0..<bytes.count) == bytes)
    }

    @Test("a leaf that is bad in more than m shards is refused, and its blob not repaired")
    func sameLeafBad() async throws {
        let (harness, blob, bytes) = try await Self.withBadLeaves { _ in 2 }
        for missing in [[], Self.threeShards] {
            let location = try harness.location(blob, length: bytes.count, missing: missing)
            await #expect(throws: BlobError.unreadable(blob, good: 3, needed: 4)) {
                _ = try await harness.read(location, 0..<bytes.count)
            }
            await #expect(throws: BlobError.unreadable(blob, good: 3, needed: 4)) {
                _ = try await harness.repair(location, bytes, shards: Self.threeShards)
            }
        }
    }

    /// Found by reading: the blob was refused as a whole once its bad shards had been noted.
    @Test("what lies beside a leaf that is bad in more than m shards is served")
    func besideTheBadLeaf() async throws {
        let (harness, blob, bytes) = try await Self.withBadLeaves { _ in 2 }
        let cell = harness.scheme.cellSize
        let good = [
            0..<2 * Leaf.size, 3 * Leaf.size..<cell, cell - 1_000..<cell + 1_000, 3 * cell + 2 * Leaf.size..<4 * cell,
            4 * cell..<bytes.count,
        ]
        for missing in [[], Self.threeShards] {
            let location = try harness.location(blob, length: bytes.count, missing: missing)
            for range in good {
                #expect(try await harness.read(location, range) == Array(bytes[range]), "\(range) without \(missing)")
            }
            for range in [2 * Leaf.size..<2 * Leaf.size + 1, cell..<2 * cell] {
                await #expect(throws: BlobError.unreadable(blob, good: 3, needed: 4)) {
                    _ = try await harness.read(location, range)
                }
            }
        }
    }

    @Test("a shard that is noted as missing and is there serves its own bytes when fewer than k are left")
    func aloneAndNoted() async throws {
        let harness = try await BlobHarness()
        let bytes = BlobHarness.bytes(200_000)
        let blob = harness.nextBlob()
        _ = try await harness.write(blob, bytes)
        for index in [1, 2, 3] as [UInt8] {
            try await harness.store.nodes.erase(harness.disks[Int(index)], [ShardID(blob: blob, index: index)])
        }
        let location = try harness.location(blob, length: bytes.count, missing: [0, 1, 2, 3])
        #expect(try await harness.read(location, 100..<40_000) == Array(bytes[100..<40_000]))
        await #expect(throws: BlobError.unreadable(blob, good: 3, needed: 4)) {
            _ = try await harness.read(location, 0..<bytes.count)
        }
    }

    @Test("a shard that is noted as missing and is not what its siblings say gives no byte", arguments: [false, true])
    func strangerNoted(isWanted: Bool) async throws {
        let harness = try await BlobHarness()
        let bytes = BlobHarness.bytes(200_000)
        let blob = harness.nextBlob()
        let stranger = isWanted ? 0 : 5
        _ = try await harness.write(blob, bytes.reversed())
        harness.transport.set(.fail(.unreachable(node: "node-1")), for: harness.disks[stranger])
        #expect(try await harness.write(blob, bytes).missing == [UInt8(stranger)])
        harness.transport.set(nil, for: harness.disks[stranger])
        #expect(try await harness.store.nodes.verify(harness.disks[stranger], shard(stranger, of: blob)))
        for index in [1, 2] {
            try await harness.store.nodes.erase(harness.disks[index], [shard(index, of: blob)])
        }
        let noted = try harness.location(blob, length: bytes.count, missing: [1, 2, UInt8(stranger)])
        await #expect(throws: BlobError.unreadable(blob, good: 3, needed: 4)) {
            _ = try await harness.read(noted, 0..<bytes.count)
        }
    }

    private func shard(_ index: Int, of blob: BlobID) -> ShardID { ShardID(blob: blob, index: UInt8(index)) }

    @Test("repair writes nothing for a blob that is not what the metadata says")
    func repairOfAnother() async throws {
        let harness = try await BlobHarness()
        let bytes = BlobHarness.bytes(5_000)
        let blob = harness.nextBlob()
        _ = try await harness.write(blob, bytes)
        try await harness.store.nodes.erase(harness.disks[0], [ShardID(blob: blob, index: 0)])
        let location = try harness.location(blob, length: bytes.count, missing: [0])
        await #expect(throws: BlobError.digestMismatch(blob)) {
            _ = try await harness.repair(location, BlobHarness.bytes(5_001), shards: [0])
        }
        #expect(try await harness.store.nodes.inventory(harness.disks[0], after: nil, limit: 10).entries.isEmpty)
    }
}

@Suite("The estimate of a disk's slow reads")
struct LatencyEstimateTests {
    @Test("settles above most samples and within its bounds")
    func percentile() {
        var estimate = LatencyEstimate()
        var generator = SplitMix64(seed: 9)
        for _ in 0..<20_000 { estimate.add(.microseconds(Int(generator.next() % 100_000))) }
        // 95 % of an even spread over 0 to 100 ms, doubled, with the wobble that a step of a tenth leaves.
        #expect(estimate.hedgeDelay > .milliseconds(120))
        #expect(estimate.hedgeDelay < .milliseconds(300))
        for _ in 0..<20_000 { estimate.add(.microseconds(5)) }
        #expect(estimate.hedgeDelay == .milliseconds(10))
        for _ in 0..<20_000 { estimate.add(.seconds(60)) }
        #expect(estimate.hedgeDelay <= .seconds(4))
    }
}
