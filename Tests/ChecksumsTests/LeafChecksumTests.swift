import Checksums
import ObjectModel
import Testing

@Suite("Leaf checksum")
struct LeafChecksumTests {
    private let seed = LeafSeed(
        incarnation: 0x0102_0304,
        lease: 0x0506_0708,
        sequence: 0x1112_1314_1516_1718,
        shard: 5,
        stamp: 0x2122_2324_2526_2728
    )

    @Test("has the leaf size of the object model")
    func leafSize() {
        #expect(LeafChecksum.leafSize == Leaf.size)
    }

    @Test("is the CRC-32C of the 32 seed bytes and the leaf, as format version 1 says")
    func golden() {
        let leaf: [UInt8] = Array(0..<100)
        let seedBytes: [UInt8] = [
            4, 3, 2, 1, 8, 7, 6, 5, 0x18, 0x17, 0x16, 0x15, 0x14, 0x13, 0x12, 0x11, 5, 0, 0, 0, 7, 0, 0, 0, 0x28, 0x27,
            0x26, 0x25, 0x24, 0x23, 0x22, 0x21,
        ]
        let checksum = leaf.withUnsafeBytes { seed.checksum(of: $0, leaf: 7) }
        #expect(checksum == CRC32C.checksum(seedBytes + leaf))
        #expect(checksum == 0x31B4_96F2)
        let direct = leaf.withUnsafeBytes {
            LeafChecksum.checksum(
                $0,
                incarnation: 0x0102_0304,
                lease: 0x0506_0708,
                sequence: 0x1112_1314_1516_1718,
                shard: 5,
                leaf: 7,
                stamp: 0x2122_2324_2526_2728
            )
        }
        #expect(direct == checksum)
    }

    @Test("differs when any field of the seed differs")
    func everyFieldCounts() {
        func seeds(_ change: Int) -> LeafSeed {
            LeafSeed(
                incarnation: change == 1 ? 9 : 1,
                lease: change == 2 ? 9 : 1,
                sequence: change == 3 ? 9 : 1,
                shard: change == 4 ? 9 : 1,
                stamp: change == 5 ? 9 : 1
            )
        }
        let bytes = noise(4_096)
        var found = Set((0...5).map { change in bytes.withUnsafeBytes { seeds(change).checksum(of: $0, leaf: 0) } })
        found.insert(bytes.withUnsafeBytes { seeds(0).checksum(of: $0, leaf: 1) })
        #expect(found.count == 7)
    }

    @Test(
        "fills a table and finds the first bad leaf",
        arguments: [
            0, 1, Leaf.size - 1, Leaf.size, Leaf.size + 1, 3 * Leaf.size, 3 * Leaf.size + 5,
        ]
    )
    func runs(length: Int) {
        var body = noise(length)
        var table: [UInt32] = []
        body.withUnsafeBytes { seed.checksums(of: $0, firstLeaf: 2, into: &table) }
        #expect(table.count == Leaf.count(of: length))
        #expect(body.withUnsafeBytes { seed.firstMismatch(of: $0, firstLeaf: 2, expected: table) } == nil)
        for leaf in table.indices {
            let position = min(leaf * Leaf.size + 77, length - 1)
            body[position] ^= 0x10
            #expect(body.withUnsafeBytes { seed.firstMismatch(of: $0, firstLeaf: 2, expected: table) } == leaf + 2)
            body[position] ^= 0x10
        }
        if length > 0 {
            #expect(body.withUnsafeBytes { seed.firstMismatch(of: $0, firstLeaf: 3, expected: table) } == 3)
        }
    }

    @Test("counts a missing checksum and a missing leaf as mismatches")
    func wrongCounts() {
        let body = noise(2 * Leaf.size)
        var table: [UInt32] = []
        body.withUnsafeBytes { seed.checksums(of: $0, firstLeaf: 0, into: &table) }
        body.withUnsafeBytes {
            #expect(seed.firstMismatch(of: $0, firstLeaf: 0, expected: table.dropLast()) == 1)
            #expect(seed.firstMismatch(of: $0, firstLeaf: 0, expected: table + [0]) == 2)
        }
    }
}
