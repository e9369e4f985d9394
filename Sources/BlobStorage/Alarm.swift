internal import Synchronization
package import SystemInterface

/// Calls back after a delay, coarsely and cheaply: one task serves every alarm, and runs only while one is set.
///
/// For hedges and stragglers, where thousands of delays are set each second and nearly all are cancelled: no task and
/// no timer per delay. An alarm rings up to `tick` late.
package final class Alarm: Sendable {
    /// How often the set alarms are looked at.
    package static let tick = Duration.milliseconds(10)

    private struct State {
        var nextToken: UInt64 = 0
        var pending: [UInt64: (deadline: MonotonicTime, action: @Sendable () -> Void)] = [:]
        var isRunning = false
    }

    private let state = Mutex(State())
    private let time: any TimeSource

    package init(time: any TimeSource) { self.time = time }

    package var now: MonotonicTime { time.monotonic }

    /// Runs `action` once after `delay` unless cancelled before. The token is for `cancel`.
    package func set(after delay: Duration, _ action: @escaping @Sendable () -> Void) -> UInt64 {
        let deadline = time.monotonic.advanced(by: delay)
        let (token, starts) = state.withLock { state in
            state.nextToken += 1
            state.pending[state.nextToken] = (deadline, action)
            let starts = !state.isRunning
            state.isRunning = true
            return (state.nextToken, starts)
        }
        // Owned by `state.isRunning`: at most one, and it ends by itself when nothing is pending.
        if starts { Task { await self.run() } }
        return token
    }

    package func cancel(_ token: UInt64) {
        _ = state.withLock { $0.pending.removeValue(forKey: token) }
    }

    private func run() async {
        while true {
            try? await time.sleep(for: Self.tick)
            let now = time.monotonic
            let (due, isDone) = state.withLock { state in
                let due = state.pending.filter { $0.value.deadline <= now }.sorted { $0.key < $1.key }
                for (token, _) in due { state.pending[token] = nil }
                if state.pending.isEmpty { state.isRunning = false }
                return (due.map(\.value.action), state.pending.isEmpty)
            }
            for action in due { action() }
            if isDone { return }
        }
    }
}
