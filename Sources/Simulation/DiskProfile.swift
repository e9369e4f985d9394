import SystemInterface
import TestKit

/// How long a simulated disk takes, in microseconds.
package struct DiskProfile: Hashable, Sendable {
    /// Any call.
    package var call: ClosedRange<Int>
    /// A sync, on top.
    package var sync: ClosedRange<Int>
    /// Bytes per microsecond.
    package var bandwidth: Int
    /// Calls in a thousand that take a hundred times as long.
    package var stallPerThousand: Int

    package init(call: ClosedRange<Int>, sync: ClosedRange<Int>, bandwidth: Int, stallPerThousand: Int) {
        self.call = call
        self.sync = sync
        self.bandwidth = bandwidth
        self.stallPerThousand = stallPerThousand
    }

    /// An SSD with a bad moment now and then.
    package static let ordinary = DiskProfile(
        call: 10...120,
        sync: 150...1_500,
        bandwidth: 1_000,
        stallPerThousand: 2
    )

    func microseconds(
        for operation: DiskOperation,
        bytes: Int,
        using generator: inout SplitMix64
    ) -> Int {
        var time = Int.random(in: call, using: &generator) + bytes / max(1, bandwidth)
        switch operation {
        case .sync, .syncDirectory, .createDirectory: time += Int.random(in: sync, using: &generator)
        default: break
        }
        return generator.strikes(stallPerThousand) ? time * 100 : time
    }
}
