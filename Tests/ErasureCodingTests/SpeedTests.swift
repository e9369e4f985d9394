import ErasureCoding
import Glibc
import ObjectModel
import Testing

/// Figures for Docs/ErasureCoding.md: `CAIRN_MEASURE=1 swift test -c release --filter ErasureCodingSpeed`.
@Suite("Speed", .enabled(if: getenv("CAIRN_MEASURE") != nil), .serialized)
struct ErasureCodingSpeedTests {
    @Test(
        "of encoding, reconstructing and verifying a full stripe",
        arguments: [
            "rs-2-1", "rs-4-2", "rs-8-4", "rs-8-7", "rs-6-6", "rs-12-4",
        ]
    )
    func stripes(name: String) throws {
        let scheme = try #require(Scheme(name: name))
        let stripe = try TestStripe(scheme, length: scheme.cellSize)
        let (k, n) = (scheme.dataCount, scheme.shardCount)
        let data = (0..<k).map(stripe.cell)
        let parity = (k..<n).map(stripe.room)
        let encode = Self.gigabytesPerSecond(k * scheme.cellSize) { stripe.coder.encode(data: data, parity: parity) }
        let left = (1..<n).map { ($0, stripe.cell($0)) }
        let one = try Self.gigabytesPerSecond(k * scheme.cellSize) {
            try stripe.coder.reconstruct(available: left, wanted: [(0, stripe.room(0))])
        }
        let lost = min(k, n - k)
        let rest = (lost..<n).map { ($0, stripe.cell($0)) }
        let wanted = (0..<lost).map { ($0, stripe.room($0)) }
        let all = try Self.gigabytesPerSecond(k * scheme.cellSize) {
            try stripe.coder.reconstruct(available: rest, wanted: wanted)
        }
        let cells = (0..<n).map(stripe.cell)
        let verify = Self.gigabytesPerSecond(k * scheme.cellSize) { _ = stripe.coder.verify(cells) }
        print("\(name): encode \(encode), one lost \(one), \(lost) lost \(all), verify \(verify) GB/s of data")
    }

    @Test("of the self-test")
    func selfTest() throws {
        let clock = ContinuousClock()
        print(
            "self-test: \(try clock.measure { try ErasureCoder.selfTest() }), again "
                + "\(try clock.measure { try ErasureCoder.selfTest() })"
        )
    }

    /// The best of several runs, with one decimal.
    private static func gigabytesPerSecond(_ bytes: Int, _ body: () throws -> Void) rethrows -> Double {
        let clock = ContinuousClock()
        var best = Double.infinity
        for _ in 0..<40 {
            let time = try clock.measure(body) / .seconds(1)
            best = min(best, time)
        }
        return (Double(bytes) / best / 1e8).rounded() / 10
    }
}
