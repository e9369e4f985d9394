/// Time as a parameter: everything below the outside world asks here, so that a simulator can own it (DESIGN §11).
package protocol TimeSource: Sendable {
    /// A clock that never goes back; only differences mean anything, and only within one process.
    var monotonic: MonotonicTime { get }
    /// What the wall clock says: for people and for S3's dates. No rule of correctness depends on it.
    var wall: WallTime { get }
    /// Returns after `duration`, or throws `CancellationError` when the task is cancelled first.
    func sleep(for duration: Duration) async throws
}

/// Nanoseconds on a monotonic clock.
package struct MonotonicTime: Hashable, Comparable, Sendable {
    package var nanoseconds: UInt64
    package init(nanoseconds: UInt64) { self.nanoseconds = nanoseconds }
    package static func < (left: Self, right: Self) -> Bool { left.nanoseconds < right.nanoseconds }

    package func advanced(by duration: Duration) -> Self {
        Self(nanoseconds: nanoseconds &+ UInt64(max(0, duration.nanoseconds)))
    }

    /// The time from `earlier` to this; zero when it is not earlier.
    package func duration(since earlier: Self) -> Duration {
        .nanoseconds(Int64(clamping: nanoseconds > earlier.nanoseconds ? nanoseconds - earlier.nanoseconds : 0))
    }
}

/// Milliseconds since 1970-01-01 UTC.
package struct WallTime: Hashable, Comparable, Sendable {
    package var milliseconds: Int64
    package init(milliseconds: Int64) { self.milliseconds = milliseconds }
    package static func < (left: Self, right: Self) -> Bool { left.milliseconds < right.milliseconds }
}

extension Duration {
    /// Whole nanoseconds, clamped to what fits.
    package var nanoseconds: Int64 {
        let (seconds, attoseconds) = components
        let (product, overflow) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
        return overflow ? (seconds < 0 ? .min : .max) : product &+ attoseconds / 1_000_000_000
    }
}

/// Randomness as a parameter: identifiers, stamps and jitter come from here.
package protocol RandomSource: Sendable {
    func next() -> UInt64
}

extension RandomSource {
    /// Random bytes.
    package func bytes(_ count: Int) -> [UInt8] {
        var result: [UInt8] = []
        result.reserveCapacity(count + 8)
        while result.count < count {
            withUnsafeBytes(of: next().littleEndian) { result.append(contentsOf: $0) }
        }
        return Array(result.prefix(count))
    }

    /// This source in the shape that the standard library's algorithms take.
    package var generator: SourceGenerator { SourceGenerator(source: self) }
}

/// A `RandomNumberGenerator` that draws from a `RandomSource`.
package struct SourceGenerator: RandomNumberGenerator {
    private let source: any RandomSource
    package init(source: any RandomSource) { self.source = source }
    package mutating func next() -> UInt64 { source.next() }
}
