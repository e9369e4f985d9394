import Synchronization
import SystemInterface

/// Time that passes only when the executor says so.
package final class SimulatedTime: TimeSource {
    private struct Timer {
        var deadline: UInt64
        var number: UInt64
        var continuation: UnsafeContinuation<Void, any Error>
    }

    private struct State {
        var nanoseconds: UInt64 = 0
        /// Unordered; a run has few timers at once.
        var timers: [Timer] = []
        var nextNumber: UInt64 = 0
        var cancelled: Set<UInt64> = []
        var isOver = false
    }

    /// What the wall clock says at the start of every run: 2026-01-01 00:00 UTC.
    private static let wallAtStart: Int64 = 1_767_225_600_000

    private let state = Mutex(State())

    package init() {}

    package var monotonic: MonotonicTime { MonotonicTime(nanoseconds: state.withLock { $0.nanoseconds }) }

    package var wall: WallTime {
        WallTime(milliseconds: Self.wallAtStart + Int64(clamping: monotonic.nanoseconds / 1_000_000))
    }

    package func sleep(for duration: Duration) async throws {
        // What retries for ever comes back to the executor here, which drops it in the end.
        if state.withLock({ $0.isOver }) {
            await DeterministicExecutor.letOthersRun()
            throw CancellationError()
        }
        let number = state.withLock { state in
            state.nextNumber += 1
            return state.nextNumber
        }
        // A cancellation that came after the wake-up left a note.
        defer { state.withLock { _ = $0.cancelled.remove(number) } }
        try await withTaskCancellationHandler {
            try await withUnsafeThrowingContinuation { park(number, duration, $0) }
        } onCancel: {
            cancel(number)
        }
    }

    /// Moves to the earliest timer and wakes its sleeper; false when nobody sleeps, or none is due within `limit`.
    func advance(within limit: Duration? = nil) -> Bool {
        let timer: Timer? = state.withLock { state in
            let next = state.timers.indices.min {
                (state.timers[$0].deadline, state.timers[$0].number)
                    < (state.timers[$1].deadline, state.timers[$1].number)
            }
            guard let next else { return nil }
            if let limit, state.timers[next].deadline > state.nanoseconds &+ UInt64(max(0, limit.nanoseconds)) {
                return nil
            }
            let timer = state.timers.remove(at: next)
            state.nanoseconds = max(state.nanoseconds, timer.deadline)
            return timer
        }
        timer?.continuation.resume()
        return timer != nil
    }

    /// Ends the run: whoever sleeps, now or later, gets a `CancellationError`.
    func end() {
        let timers = state.withLock { state in
            state.isOver = true
            defer { state.timers = [] }
            return state.timers
        }
        for timer in timers { timer.continuation.resume(throwing: CancellationError()) }
    }

    private func park(_ number: UInt64, _ duration: Duration, _ continuation: UnsafeContinuation<Void, any Error>) {
        let isOver = state.withLock { state in
            if state.cancelled.remove(number) != nil || state.isOver { return true }
            let deadline = state.nanoseconds &+ UInt64(max(0, duration.nanoseconds))
            state.timers.append(Timer(deadline: deadline, number: number, continuation: continuation))
            return false
        }
        if isOver { continuation.resume(throwing: CancellationError()) }
    }

    private func cancel(_ number: UInt64) {
        let timer: Timer? = state.withLock { state in
            guard let index = state.timers.firstIndex(where: { $0.number == number }) else {
                state.cancelled.insert(number)
                return nil
            }
            return state.timers.remove(at: index)
        }
        timer?.continuation.resume(throwing: CancellationError())
    }
}
