import Synchronization

/// Whether a simulated process is alive. A process that is not stops at its next step into the outside world: whatever
/// its code would do about errors, it never does, as after a real crash. A paused one stops there too, and goes on
/// later as if nothing had been, as after SIGSTOP or a long pause of its machine.
final class ProcessLife: Sendable {
    private enum Phase { case alive, paused, dead, over }

    private struct State {
        var phase = Phase.alive
        var frozen: [UnsafeContinuation<Void, Never>] = []
    }

    private let state = Mutex(State())

    /// True also while paused.
    var isAlive: Bool {
        state.withLock {
            switch $0.phase {
            case .alive, .paused: true
            case .dead, .over: false
            }
        }
    }

    /// Neither paused nor dead.
    var isRunning: Bool { state.withLock { $0.phase == .alive } }

    func kill() {
        state.withLock { if $0.phase != .over { $0.phase = .dead } }
    }

    func pause() {
        state.withLock { if $0.phase == .alive { $0.phase = .paused } }
    }

    func resume() { release(from: .paused, into: .alive) }

    /// Lets frozen tasks go on, into errors, so that they end with the run.
    func thaw() { release(from: nil, into: .over) }

    private func release(from phase: Phase?, into next: Phase) {
        let frozen = state.withLock { state -> [UnsafeContinuation<Void, Never>] in
            if let phase, state.phase != phase { return [] }
            state.phase = next
            defer { state.frozen = [] }
            return state.frozen
        }
        for continuation in frozen { continuation.resume() }
    }

    /// Returns at once while the process runs; for a paused one, when it goes on; for a dead one, at the end of the
    /// run. True means alive.
    @discardableResult
    func gate() async -> Bool {
        while true {
            switch state.withLock({ $0.phase }) {
            case .alive: return true
            // A task that retries for ever must at least let others run.
            case .over:
                await DeterministicExecutor.letOthersRun()
                return false
            case .paused, .dead: await freeze()
            }
        }
    }

    private func freeze() async {
        await withUnsafeContinuation { continuation in
            let mayGoOn = state.withLock { state in
                let isFrozen = state.phase == .paused || state.phase == .dead
                if isFrozen { state.frozen.append(continuation) }
                return !isFrozen
            }
            if mayGoOn { continuation.resume() }
        }
    }
}
