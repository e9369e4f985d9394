import CLinux
import Synchronization
import SystemInterface

/// The kernel's random numbers (getrandom(2)), fit for keys; fetched 256 bytes at a time, since a call costs more than
/// the bytes. A number handed out is erased from the stock.
package final class LinuxRandom: RandomSource {
    /// Numbers in stock: 256 bytes, the most that getrandom gives without ever being interrupted.
    private static let stockCount = 32

    private struct Stock {
        var numbers = [UInt64](repeating: 0, count: LinuxRandom.stockCount)
        var next = LinuxRandom.stockCount
    }

    private let stock = Mutex(Stock())

    package init() {}

    package func next() -> UInt64 {
        stock.withLock { stock in
            if stock.next == Self.stockCount { Self.fill(&stock) }
            defer {
                stock.numbers[stock.next] = 0
                stock.next += 1
            }
            return stock.numbers[stock.next]
        }
    }

    private static func fill(_ stock: inout Stock) {
        stock.numbers.withUnsafeMutableBytes { bytes in
            let count = bytes.count
            let got = SystemCall.retrying { cairn_random(bytes.baseAddress, count) }
            // Every kernel that runs Swift has the call, and it fails for no other reason.
            precondition(Int(got) == count, "the kernel gives no random numbers")
        }
        stock.next = 0
    }
}
