import Synchronization
import SystemInterface

/// Everything that happened in a run, as one running hash; in words for whoever listens.
///
/// FNV-1a, 64 bits (draft-eastlake-fnv): the hash tells two runs apart, it defends against nobody.
package final class Trace: Sendable {
    private struct State {
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325
        var isSealed = false
    }

    private let state = Mutex(State())
    private let time: SimulatedTime
    private let echo: (@Sendable (String) -> Void)?

    /// `echo` gets every event as it happens.
    init(time: SimulatedTime, echo: (@Sendable (String) -> Void)? = nil) {
        self.time = time
        self.echo = echo
    }

    /// Notes an event, with the virtual time.
    package func record(_ event: String) {
        guard !state.withLock({ $0.isSealed }) else { return }
        let line = "\(Self.text(time.monotonic.nanoseconds)) \(event)"
        state.withLock { state in
            for byte in line.utf8 { Self.mix(byte, into: &state.hash) }
        }
        echo?(line)
    }

    /// Notes one of the many events that are put into words only for someone who listens: `number` tells it apart.
    package func record(_ number: Int, _ words: () -> String) {
        mix(number)
        guard let echo, !state.withLock({ $0.isSealed }) else { return }
        echo("\(Self.text(time.monotonic.nanoseconds)) \(words())")
    }

    /// Notes a choice of the executor, without words: there are too many.
    func mix(_ number: Int) {
        state.withLock { state in
            guard !state.isSealed else { return }
            withUnsafeBytes(of: UInt32(truncatingIfNeeded: number).littleEndian) { bytes in
                for byte in bytes { Self.mix(byte, into: &state.hash) }
            }
        }
    }

    /// Ends the trace: what comes after the scenario's end is no part of it.
    func seal() { state.withLock { $0.isSealed = true } }

    /// The hash of all so far.
    package var hash: UInt64 { state.withLock { $0.hash } }

    private static func mix(_ byte: UInt8, into hash: inout UInt64) {
        hash = (hash ^ UInt64(byte)) &* 0x0000_0100_0000_01B3
    }

    /// Seconds with six decimals.
    private static func text(_ nanoseconds: UInt64) -> String {
        let microseconds = String(nanoseconds / 1_000 % 1_000_000)
        let zeros = String(repeating: "0", count: 6 - microseconds.utf8.count)
        return "\(nanoseconds / 1_000_000_000).\(zeros)\(microseconds)"
    }
}
