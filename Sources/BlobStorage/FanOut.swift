internal import Synchronization
internal import SystemInterface

/// One call per shard, side by side, of which the caller waits for as many as it needs.
///
/// The calls are tasks of their own so that a slow one can be left behind: it goes on until its transport's timeout,
/// and its late result is dropped (or handed to `late`).
final class FanOut<Value: Sendable, Failure: Error>: Sendable {
    typealias Outcome = Result<Value, Failure>

    private struct State {
        var outcomes: [Outcome?]
        var settled = 0
        var succeeded = 0
        var isClosed = false
        var isOverdue = false
        /// Set when the grace ended before enough had succeeded: to be called once they have.
        var whenEnough: (@Sendable () -> Void)?
        /// When enough had succeeded, from the beginning of the wait on.
        var enoughSince: MonotonicTime?
        var waiter: (needed: Quorum, alarm: Alarm, continuation: CheckedContinuation<Void, Never>)?
    }

    private let state: Mutex<State>
    private let late: (@Sendable (Int, Outcome) -> Void)?

    private let executor: (any TaskExecutor)?

    /// `executor`: where the calls go on after each wait; nil is the global executor.
    init(count: Int, executor: (any TaskExecutor)?, late: (@Sendable (Int, Outcome) -> Void)? = nil) {
        state = Mutex(State(outcomes: Array(repeating: nil, count: count)))
        self.executor = executor
        self.late = late
    }

    /// Starts the call of one place, on this thread until it first waits: what is answered from memory costs no hop
    /// between threads.
    func start(_ index: Int, _ call: @escaping @Sendable () async -> Outcome) {
        Task.immediate(executorPreference: executor) { self.settle(index, await call()) }
    }

    /// Records an outcome without a call.
    func settle(_ index: Int, _ outcome: Outcome) {
        var whenEnough: (@Sendable () -> Void)?
        let (resumed, isLate) = state.withLock { state -> (CheckedContinuation<Void, Never>?, Bool) in
            guard !state.isClosed else { return (nil, true) }
            state.outcomes[index] = outcome
            state.settled += 1
            if case .success = outcome { state.succeeded += 1 }
            if state.enoughSince == nil, let waiter = state.waiter, Self.hasEnough(state, waiter.needed) {
                state.enoughSince = waiter.alarm.now
            }
            if state.whenEnough != nil, let waiter = state.waiter, Self.hasEnough(state, waiter.needed) {
                (whenEnough, state.whenEnough) = (state.whenEnough, nil)
            }
            return (Self.takeWaiterIfDone(&state), false)
        }
        resumed?.resume()
        whenEnough?()
        if isLate { late?(index, outcome) }
    }

    /// Waits until all calls have settled, or until `needed` have succeeded and the rest have had their time: `grace`
    /// since this call and, when the `needed` took longer than that, as long again as those took. So one slow disk is
    /// left behind, and disks that are all slow wait for one another. After twice the grace, or the grace and
    /// `lesserGrace`, `lesser` will do, if there is one, on the same terms. `notice` is told of calls that have been
    /// waited for alone, the others being enough, for its time; false ends their grace.
    /// Returns what has settled; nil is a call still under way. To be called once.
    func wait(
        needed: Quorum,
        lesser: Quorum? = nil,
        grace: Duration,
        lesserGrace: Duration? = nil,
        notice: (after: Duration, call: @Sendable ([Int]) -> Bool)? = nil,
        alarm: Alarm
    ) async -> [Outcome?] {
        let isSettled = state.withLock { $0.settled == $0.outcomes.count }
        if !isSettled {
            let start = alarm.now
            let endGrace = { @Sendable in
                let hadLess = lesser.map(self.has) ?? false
                guard self.becomeOverdue(since: start, alarm), let lesser else { return }
                // Rings in vain when the quorum is complete first.
                _ = alarm.set(after: lesserGrace ?? grace) {
                    self.settle(for: lesser, isLate: !hadLess, since: start, alarm)
                }
            }
            var token: UInt64?
            await withCheckedContinuation { continuation in
                let resumed = state.withLock { state -> CheckedContinuation<Void, Never>? in
                    state.waiter = (needed, alarm, continuation)
                    if Self.hasEnough(state, needed) { state.enoughSince = start }
                    return Self.takeWaiterIfDone(&state)
                }
                if let resumed { return resumed.resume() }
                // Only now: an alarm that rang before there is a waiter would end its grace for good.
                token = alarm.set(after: min(notice?.after ?? grace, grace)) {
                    self.look(since: start, grace, notice, alarm, endGrace)
                }
            }
            if let token { alarm.cancel(token) }
        }
        return state.withLock { state in
            state.isClosed = true
            state.whenEnough = nil
            return state.outcomes
        }
    }

    /// Looks for calls that are waited for alone, until the grace is over.
    private func look(
        since start: MonotonicTime,
        _ grace: Duration,
        _ notice: (after: Duration, call: @Sendable ([Int]) -> Bool)?,
        _ alarm: Alarm,
        _ endGrace: @escaping @Sendable () -> Void
    ) {
        let left = grace - alarm.now.duration(since: start)
        guard left > .zero, let notice else { return endGrace() }
        let (isOver, enoughSince, rest) = state.withLock { state in
            (state.isClosed, state.enoughSince, state.outcomes.indices.filter { state.outcomes[$0] == nil })
        }
        guard !isOver, !rest.isEmpty else { return }
        let alone = enoughSince.map { alarm.now.duration(since: $0) } ?? .zero
        if alone < notice.after {
            _ = alarm.set(after: min(notice.after - alone, left)) {
                self.look(since: start, grace, notice, alarm, endGrace)
            }
        } else if notice.call(rest) {
            _ = alarm.set(after: left, endGrace)
        } else {
            endGrace()
        }
    }

    private func has(_ quorum: Quorum) -> Bool { state.withLock { Self.hasEnough($0, quorum) } }

    /// The grace is over: either enough have succeeded, or whoever completes the quorum gives the rest their time. True
    /// for the latter.
    private func becomeOverdue(since start: MonotonicTime, _ alarm: Alarm) -> Bool {
        let isTooEarly = state.withLock { state in
            guard let waiter = state.waiter, !Self.hasEnough(state, waiter.needed) else { return false }
            state.whenEnough = { self.giveTheRestTheirTime(since: start, alarm) }
            return true
        }
        if !isTooEarly { giveUpOnTheRest() }
        return isTooEarly
    }

    /// As long again as what there is took. Rings in vain when the rest settle first.
    private func giveTheRestTheirTime(since start: MonotonicTime, _ alarm: Alarm) {
        _ = alarm.set(after: alarm.now.duration(since: start)) { self.giveUpOnTheRest() }
    }

    /// From here on less is enough. `isLate`: it was not there when the grace was over, so the rest get their time.
    private func settle(for lesser: Quorum, isLate: Bool, since start: MonotonicTime, _ alarm: Alarm) {
        let isThere = state.withLock { state -> Bool in
            guard state.waiter != nil else { return false }
            state.waiter?.needed = lesser
            let isThere = Self.hasEnough(state, lesser)
            state.whenEnough = nil
            if !isThere { state.whenEnough = { self.giveTheRestTheirTime(since: start, alarm) } }
            return isThere
        }
        guard isThere else { return }
        if isLate { giveTheRestTheirTime(since: start, alarm) } else { giveUpOnTheRest() }
    }

    private func giveUpOnTheRest() {
        let resumed = state.withLock { state -> CheckedContinuation<Void, Never>? in
            state.isOverdue = true
            return Self.takeWaiterIfDone(&state)
        }
        resumed?.resume()
    }

    private static func hasEnough(_ state: State, _ needed: Quorum) -> Bool {
        guard state.succeeded >= needed.count else { return false }
        return needed.isMet(
            { if case .success? = state.outcomes[$0] { true } else { false } },
            of: state.outcomes.count
        )
    }

    private static func takeWaiterIfDone(_ state: inout State) -> CheckedContinuation<Void, Never>? {
        guard let waiter = state.waiter else { return nil }
        let isDone =
            state.settled == state.outcomes.count || (state.isOverdue && hasEnough(state, waiter.needed))
        guard isDone else { return nil }
        state.waiter = nil
        return waiter.continuation
    }
}
