import Synchronization

/// Whether a simulated process is alive. A process that is not stops at its next step into the outside world: whatever
/// its code would do about errors, it never does, as after a real crash.
final class ProcessLife: Sendable {
    private enum Phase { case alive, dead, over }

    private struct State {
        var phase = Phase.alive
        var frozen: [UnsafeContinuation<Void, Never>] = []
    }

    private let state = Mutex(State())

    var isAlive: Bool { state.withLock { $0.phase == .alive } }

    func kill() { state.withLock { $0.phase = .dead } }

    /// Lets frozen tasks go on, into errors, so that they end with the run.
    func thaw() {
        let frozen = state.withLock { state in
            state.phase = .over
            defer { state.frozen = [] }
            return state.frozen
        }
        for continuation in frozen { continuation.resume() }
    }

    /// Returns at once while the process lives; for a dead one, at the end of the run. True means alive.
    @discardableResult
    func gate() async -> Bool {
        switch state.withLock({ $0.phase }) {
        case .alive: return true
        // A task that retries for ever must at least let others run.
        case .over: await Task.yield()
        case .dead:
            await withUnsafeContinuation { continuation in
                let isOver = state.withLock { state in
                    if state.phase == .dead { state.frozen.append(continuation) }
                    return state.phase != .dead
                }
                if isOver { continuation.resume() }
            }
        }
        return false
    }
}
