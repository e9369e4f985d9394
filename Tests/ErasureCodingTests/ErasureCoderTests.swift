import ErasureCoding
import ObjectModel
import Testing

private func scheme(_ name: String) throws -> Scheme { try #require(Scheme(name: name)) }

@Suite("Erasure coder against the oracle")
struct ErasurePatternTests {
    @Test(
        "gives every cell back for every set of at most m lost shards",
        arguments: [
            "rs-2-1", "rs-4-2", "rs-6-3", "rs-8-4", "rs-6-6", "rs-8-7", "rs-9-6", "rs-10-4", "rs-12-4",
        ]
    )
    func everyPattern(name: String) throws {
        let scheme = try scheme(name)
        let stripe = try TestStripe(scheme, length: 64)
        #expect(stripe.cells == ReferenceCoder(scheme).stripe(Array(stripe.cells[..<scheme.dataCount])))
        var failures = 0
        for lostMask in 1..<UInt32(1) << UInt32(scheme.shardCount)
        where lostMask.nonzeroBitCount <= scheme.parityCount {
            let isLost = { (index: Int) in lostMask & 1 << UInt32(index) != 0 }
            let lost = (0..<scheme.shardCount).filter(isLost)
            let left = (0..<scheme.shardCount).filter { !isLost($0) }
            if try !stripe.reconstructs(lost, from: left) { failures += 1 }
        }
        #expect(failures == 0)
        #expect(stripe.coder.cachedPatternCount <= ErasureCoder.decodeTableLimit)
    }

    @Test("agrees with the oracle's parity for every scheme up to 32 shards")
    func everyScheme() throws {
        for k in 1...31 {
            for m in Set([1, 2, 32 - k]) where k + m <= 32 {
                let scheme = try #require(Scheme(dataCount: k, parityCount: m))
                let stripe = try TestStripe(scheme, length: 20)
                #expect(stripe.cells == ReferenceCoder(scheme).stripe(Array(stripe.cells[..<k])), "\(scheme)")
            }
        }
    }

    @Test("decodes as the oracle does from every choice of k shards of 4+2")
    func everyChoice() throws {
        let scheme = try scheme("rs-4-2")
        let stripe = try TestStripe(scheme, length: 64)
        let oracle = ReferenceCoder(scheme)
        let data = Array(stripe.cells[..<4])
        for chosen in 1..<UInt32(64) where chosen.nonzeroBitCount == 4 {
            let left = (0..<6).filter { chosen & 1 << UInt32($0) != 0 }
            #expect(oracle.data(from: left.map { ($0, stripe.cells[$0]) }) == data)
            // Available shards may be asked for too.
            #expect(try stripe.reconstructs(Array(0..<6), from: left))
            #expect(try stripe.reconstructs([5, 0], from: left.reversed()))
        }
    }
}

@Suite("Erasure coder")
struct ErasureCoderTests {
    @Test(
        "takes cells of any length",
        arguments: [
            0, 1, 15, 16, 17, 31, 33, 63, 64, 65, 127, 4_095, 4_097, 32_767, 32_768, 32_769, Leaf.size - 1, Leaf.size,
            Leaf.size + 1, Scheme.defaultCellSize - 1, Scheme.defaultCellSize, Scheme.defaultCellSize + 1,
        ]
    )
    func lengths(length: Int) throws {
        let stripe = try TestStripe(scheme("rs-2-2"), length: length)
        #expect(try stripe.reconstructs([0, 1], from: [2, 3]))
        #expect(try stripe.reconstructs([1, 3], from: [0, 2]))
        #expect(stripe.coder.verify((0..<4).map(stripe.cell)))
        if length <= 4_095 {
            #expect(stripe.cells == ReferenceCoder(stripe.scheme).stripe(Array(stripe.cells[..<2])))
        }
    }

    @Test("takes the cells of blobs around the size of a stripe", arguments: [-1, 0, 1])
    func stripeSizes(difference: Int) throws {
        let scheme = try scheme("rs-4-2")
        let geometry = StripeGeometry(scheme: scheme, blobLength: 4 * scheme.cellSize + difference)
        for stripeIndex in 0..<geometry.stripeCount {
            let stripe = try TestStripe(scheme, length: geometry.cellSize(ofStripe: stripeIndex))
            #expect(try stripe.reconstructs([0, 3], from: [1, 2, 4, 5]))
        }
    }

    @Test("verifies a good stripe and finds one changed byte in any cell", arguments: [1, 2_047, 2_048, 2_049, 5_000])
    func verification(length: Int) throws {
        let stripe = try TestStripe(scheme("rs-4-2"), length: length)
        let cells = (0..<6).map(stripe.cell)
        #expect(stripe.coder.verify(cells))
        for index in 0..<6 {
            for position in Set([0, length / 2, length - 1]) {
                stripe.mutableCell(index)[position] ^= 0x40
                #expect(!stripe.coder.verify(cells))
                stripe.mutableCell(index)[position] ^= 0x40
            }
        }
        #expect(!stripe.coder.verify(Array(cells[..<5]) + [UnsafeRawBufferPointer(rebasing: cells[5].dropLast())]))
    }

    @Test("keeps no more decode tables than its limit, and stays right after dropping them")
    func boundedTables() throws {
        let stripe = try TestStripe(scheme("rs-12-4"), length: 16)
        var patterns = 0
        for first in 0..<16 {
            for second in 0..<16 where second != first {
                for third in second..<16 where third != first && third != second {
                    let left = (0..<16).filter { $0 != first && $0 != second && $0 != third }
                    #expect(try stripe.reconstructs([first], from: left))
                    patterns += 1
                    #expect(stripe.coder.cachedPatternCount <= ErasureCoder.decodeTableLimit)
                }
            }
        }
        #expect(patterns > ErasureCoder.decodeTableLimit)
    }

    @Test("refuses what it cannot do with a typed error")
    func refusals() throws {
        let stripe = try TestStripe(scheme("rs-4-2"), length: 8)
        #expect(throws: ErasureCodingError.tooFewCells(available: 3, needed: 4)) {
            try stripe.reconstructs([0], from: [1, 2, 3])
        }
        #expect(throws: ErasureCodingError.repeatedShard(1)) { try stripe.reconstructs([0], from: [1, 2, 3, 1]) }
        #expect(throws: ErasureCodingError.repeatedShard(0)) { try stripe.reconstructs([0, 0], from: [1, 2, 3, 4]) }
        let good = (1...4).map { ($0, stripe.cell($0)) }
        #expect(throws: ErasureCodingError.unknownShard(6)) {
            try stripe.coder.reconstruct(available: good, wanted: [(6, stripe.room(0))])
        }
        #expect(throws: ErasureCodingError.unknownShard(-1)) {
            try stripe.coder.reconstruct(available: good + [(-1, stripe.cell(0))], wanted: [(0, stripe.room(0))])
        }
        let short = UnsafeMutableRawBufferPointer(rebasing: stripe.room(0).dropLast())
        #expect(throws: ErasureCodingError.unequalCells) {
            try stripe.coder.reconstruct(available: good, wanted: [(0, short)])
        }
    }

    @Test("refuses a scheme of local groups that it does not know")
    func unknownScheme() throws {
        var unknown = try scheme("rs-4-2")
        unknown.localGroups = 2
        #expect(throws: ErasureCodingError.unsupportedScheme("rs-4-2")) { try ErasureCoder(scheme: unknown) }
    }

    @Test("may be used by many tasks at once")
    func concurrency() async throws {
        let stripe = try TestStripe(scheme("rs-4-2"), length: 256)
        let coder = stripe.coder
        let cells = stripe.cells
        await withTaskGroup(of: Bool.self) { group in
            for worker in 0..<16 {
                group.addTask {
                    (0..<200).allSatisfy { turn in
                        let lost = (worker + turn) % 6
                        var made = [UInt8](repeating: 0, count: 256)
                        let left = (0..<6).filter { $0 != lost && $0 != (lost + 1 + turn % 5) % 6 }
                        let copies = left.map { UnsafeMutableRawBufferPointer.copy(of: cells[$0]) }
                        defer { for copy in copies { copy.deallocate() } }
                        made.withUnsafeMutableBytes { room in
                            let available = zip(left, copies).map { ($0, UnsafeRawBufferPointer($1)) }
                            try? coder.reconstruct(available: available, wanted: [(lost, room)])
                        }
                        return made == cells[lost]
                    }
                }
            }
            for await isRight in group { #expect(isRight) }
        }
    }

    @Test("passes its self-test on this machine")
    func selfTest() throws {
        try ErasureCoder.selfTest()
    }
}

extension UnsafeMutableRawBufferPointer {
    fileprivate static func copy(of bytes: [UInt8]) -> Self {
        let copy = UnsafeMutableRawBufferPointer.allocate(byteCount: bytes.count, alignment: 64)
        copy.copyBytes(from: bytes)
        return copy
    }
}
