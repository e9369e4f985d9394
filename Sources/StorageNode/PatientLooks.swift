internal import Synchronization
internal import SystemInterface

/// Looks at things that may hang: whoever asks waits until the look has taken its time, and no longer.
///
/// A look that takes longer goes on, and who asks meanwhile waits for the same one: what hangs costs a thread once, and
/// not each time it is asked for. Another may begin after `again`, and each further one after twice as long as the one
/// before: what was put in the place of a thing that hangs for good is found, and threads are spent ever more slowly.
final class PatientLooks<Key: Hashable & Sendable, Value: Sendable>: Sendable {
    private struct Waiting {
        let continuation: CheckedContinuation<Value?, Never>
        let timer: Task<Void, Never>
    }

    private struct Look {
        /// Of the one that began last.
        var began: MonotonicTime
        var underWay = 0
        var waiting: [UInt64: Waiting] = [:]

        /// How long the last one may take before there may be another.
        var patience: Duration { PatientLooks.again * (1 << (underWay - 1)) }
    }

    private struct State {
        var looks: [Key: Look] = [:]
        var nextWaiter: UInt64 = 0
    }

    /// How long a look may be under way before there may be a second one.
    private static var again: Duration { .seconds(60) }

    private let state = Mutex(State())
    private let patience: Duration
    private let time: any TimeSource

    init(patience: Duration, time: any TimeSource) {
        self.patience = patience
        self.time = time
    }

    /// What `body` finds; nil once the look has taken longer than `patience`.
    func look(at key: Key, _ body: @escaping @Sendable () async -> Value) async -> Value? {
        await withCheckedContinuation { continuation in
            let now = time.monotonic
            let (begins, waits) = state.withLock { state -> (Bool, Bool) in
                var look = state.looks[key] ?? Look(began: now)
                let begins = look.underWay == 0 || now.duration(since: look.began) >= look.patience
                if begins {
                    look.began = now
                    look.underWay += 1
                }
                let left = patience - now.duration(since: look.began)
                if left > .zero {
                    state.nextWaiter += 1
                    let waiter = state.nextWaiter
                    // Made under the lock: it cannot ring before there is something to end.
                    let timer = Task { [time] in
                        guard (try? await time.sleep(for: left)) != nil else { return }
                        self.giveUp(waiter, at: key)
                    }
                    look.waiting[waiter] = Waiting(continuation: continuation, timer: timer)
                }
                state.looks[key] = look
                return (begins, left > .zero)
            }
            if begins { Task { self.end(key, await body()) } }
            if !waits { continuation.resume(returning: nil) }
        }
    }

    /// How long the look at it that began last has been under way; nil when there is none.
    func age(of key: Key) -> Duration? {
        state.withLock { $0.looks[key]?.began }.map { time.monotonic.duration(since: $0) }
    }

    private func end(_ key: Key, _ value: Value) {
        let waiting = state.withLock { state -> [Waiting] in
            guard var look = state.looks[key] else { return [] }
            let waiting = Array(look.waiting.values)
            look.waiting = [:]
            look.underWay -= 1
            state.looks[key] = look.underWay == 0 ? nil : look
            return waiting
        }
        for each in waiting {
            each.timer.cancel()
            each.continuation.resume(returning: value)
        }
    }

    private func giveUp(_ waiter: UInt64, at key: Key) {
        state.withLock { $0.looks[key]?.waiting.removeValue(forKey: waiter) }?.continuation.resume(returning: nil)
    }
}
