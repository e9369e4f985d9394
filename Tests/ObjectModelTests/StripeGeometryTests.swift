import ObjectModel
import TestKit
import Testing

@Suite("Stripe geometry against a model that places byte by byte")
struct StripeGeometryTests {
    /// Where one byte of a blob lies, from the words of the rule alone.
    private static func place(_ offset: Int, scheme: Scheme, length: Int) -> (shard: Int, offset: Int, stripe: Int) {
        let stripeSize = scheme.dataCount * scheme.cellSize
        let stripe = offset / stripeSize
        let left = length - stripe * stripeSize
        let cell = left >= stripeSize ? scheme.cellSize : shortCell(left, scheme.dataCount)
        let within = offset - stripe * stripeSize
        return (within / cell, stripe * scheme.cellSize + within % cell, stripe)
    }

    private static func shortCell(_ rest: Int, _ count: Int) -> Int {
        var part = rest / count
        if part * count < rest { part += 1 }
        let unit = part < 65_536 ? 64 : 4_096
        while part % unit != 0 { part += 1 }
        return part
    }

    private static let lengths = [
        0, 1, 2, 63, 64, 65, 127, 128, 129, 255, 256, 257, 1_000, 65_535, 65_536, 65_537, 131_072, 196_608, 196_609,
        262_143, 262_144, 262_145, 262_144 + 1, 524_288, 524_289, 786_431, 1_048_576 + 77,
    ]

    @Test("every byte of every run lies where the model says", arguments: [(1, 1), (2, 1), (3, 2), (4, 2), (5, 3)])
    func runs(k: Int, m: Int) throws {
        let scheme = try #require(Scheme(dataCount: k, parityCount: m, cellSize: Leaf.size))
        for length in Self.lengths {
            let geometry = StripeGeometry(scheme: scheme, blobLength: length)
            let edges = Self.edges(length, geometry)
            for lower in edges {
                for upper in edges where upper >= lower { check(geometry, scheme, lower..<upper) }
            }
        }
    }

    private static func edges(_ length: Int, _ geometry: StripeGeometry) -> [Int] {
        let last = max(1, geometry.lastCellSize)
        let cells = [0, 1, 64, Leaf.size, last, 2 * last, geometry.fullStripes * geometry.dataCount * Leaf.size]
        let near = cells.flatMap { [$0 - 1, $0, $0 + 1] } + [length - 1, length]
        return Set(near.filter { (0...length).contains($0) }).sorted()
    }

    private func check(_ geometry: StripeGeometry, _ scheme: Scheme, _ range: Range<Int>) {
        var position = range.lowerBound
        for run in geometry.runs(of: range) {
            // A run is straight: its ends tell all of it.
            let first = Self.place(position, scheme: scheme, length: geometry.blobLength)
            let last = Self.place(position + run.shardRange.count - 1, scheme: scheme, length: geometry.blobLength)
            let isRight =
                run.blobOffset == position && !run.shardRange.isEmpty && run.stripe == first.stripe
                && run.shard == first.shard && run.shardRange.lowerBound == first.offset && last.shard == first.shard
                && last.stripe == first.stripe && run.shardRange.upperBound == last.offset + 1
                && run.shardRange.upperBound <= geometry.shardLength && run.shard < scheme.dataCount
            if !isRight { Issue.record("length \(geometry.blobLength) range \(range): \(run)") }
            position += run.shardRange.count
        }
        if position != range.upperBound {
            Issue.record("length \(geometry.blobLength) range \(range) ends at \(position)")
        }
    }

    @Test("no two bytes share a place, for all blobs up to a few stripes of small cells")
    func bijection() throws {
        let scheme = try #require(Scheme(dataCount: 3, parityCount: 1, cellSize: Leaf.size))
        for length in [1, 64, 191, 192, 193, 1_000, 200_000] {
            let geometry = StripeGeometry(scheme: scheme, blobLength: length)
            var taken = (0..<3).map { _ in [Bool](repeating: false, count: geometry.shardLength) }
            for run in geometry.runs(of: 0..<length) {
                for offset in run.shardRange {
                    if taken[run.shard][offset] {
                        Issue.record("length \(length): shard \(run.shard) byte \(offset) twice")
                    }
                    taken[run.shard][offset] = true
                }
            }
            #expect(taken.reduce(0) { $0 + $1.count(where: \.self) } == length)
        }
    }

    @Test(
        "shards are as long as their stripes, and hardly longer than the k-th part",
        arguments: [(4, 2), (8, 4), (8, 7)]
    )
    func lengths(k: Int, m: Int) throws {
        let scheme = try #require(Scheme(dataCount: k, parityCount: m))
        var generator = SplitMix64(seed: 5)
        for length in [0, 1, 4 << 20, (4 << 20) + 1] + (0..<500).map({ _ in Int(generator.next() % (64 << 20)) }) {
            let geometry = StripeGeometry(scheme: scheme, blobLength: length)
            let sum = (0..<geometry.stripeCount).reduce(0) { $0 + geometry.shardRange(ofStripe: $1).count }
            #expect(sum == geometry.shardLength)
            #expect(geometry.shardLength * k >= length)
            #expect(geometry.shardLength * k - length < k * 4_096)
            for stripe in 0..<geometry.stripeCount {
                #expect(geometry.shardRange(ofStripe: stripe).count == geometry.cellSize(ofStripe: stripe))
            }
        }
    }

    @Test("a longer blob never has shorter shards: room reserved for more is room enough for less")
    func monotony() throws {
        let scheme = try #require(Scheme(dataCount: 4, parityCount: 2, cellSize: Leaf.size))
        var last = 0
        for length in 0..<600_000 {
            let shard = StripeGeometry(scheme: scheme, blobLength: length).shardLength
            if shard < last { Issue.record("\(length): \(shard) after \(last)") }
            last = shard
        }
    }
}
