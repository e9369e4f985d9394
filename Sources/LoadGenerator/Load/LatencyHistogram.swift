/// How long operations took, in buckets of about 1.6 % width, from 1 ns to 18 minutes; constant memory, no allocation
/// per operation.
///
/// The scheme is that of HdrHistogram: 64 linear buckets for each power of two.
package struct LatencyHistogram: Sendable {
    private static let stepBits = 6
    private static let largest: UInt64 = 1 << 40

    private var counts = [UInt32](repeating: 0, count: (40 - stepBits + 2) << stepBits)
    package private(set) var count = 0
    /// Exact, in nanoseconds.
    package private(set) var maximum: UInt64 = 0
    private var total: UInt64 = 0

    package init() {}

    package mutating func record(_ nanoseconds: UInt64) {
        counts[Self.bucket(min(nanoseconds, Self.largest))] &+= 1
        count += 1
        total &+= nanoseconds
        maximum = max(maximum, nanoseconds)
    }

    package mutating func merge(_ other: Self) {
        for index in counts.indices { counts[index] &+= other.counts[index] }
        count += other.count
        total &+= other.total
        maximum = max(maximum, other.maximum)
    }

    /// Nanoseconds that a share of `quantile` of the operations did not exceed; 0 when there were none.
    package func quantile(_ quantile: Double) -> UInt64 {
        guard count > 0 else { return 0 }
        let rank = max(1, Int((quantile * Double(count)).rounded(.up)))
        var seen = 0
        for (index, bucketCount) in counts.enumerated() {
            seen += Int(bucketCount)
            if seen >= rank { return min(Self.upperBound(index), maximum) }
        }
        return maximum
    }

    /// Nanoseconds.
    package var mean: Double { count == 0 ? 0 : Double(total) / Double(count) }

    private static func bucket(_ value: UInt64) -> Int {
        let magnitude = max(0, 64 - value.leadingZeroBitCount - stepBits - 1)
        return magnitude << stepBits + Int(value >> UInt64(magnitude))
    }

    /// The largest value of a bucket.
    private static func upperBound(_ bucket: Int) -> UInt64 {
        let magnitude = max(0, bucket >> stepBits - 1)
        return (UInt64(bucket - magnitude << stepBits) + 1) << UInt64(magnitude) - 1
    }
}
