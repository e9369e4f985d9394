internal import Synchronization
internal import SystemInterface

/// How long the calls of a `FanOut` are waited for.
///
/// Once the `needed` have succeeded the rest have their time: `grace` since the wait began and, when the `needed` took
/// longer than that, as long again as those took. So one slow disk is left behind, and disks that are all slow wait for
/// one another.
struct FanOutPatience: Sendable {
    /// What is told of calls that have been waited for alone, the others being enough, for the time `after`; false ends
    /// their grace.
    typealias Notice = (after: Duration, call: @Sendable ([Int]) -> Bool)

    var needed: Quorum
    /// Will do in its place after the grace and `lesserGrace` (another `grace` when nil), on the same terms.
    var lesser: Quorum?
    var grace: Duration
    var lesserGrace: Duration?
    var notice: Notice?

    /// All calls are waited for, but no longer than this.
    static func atMost(_ grace: Duration) -> FanOutPatience {
        FanOutPatience(needed: Quorum(count: 0), grace: grace)
    }
}

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

    /// A wait under way.
    private struct Watch {
        let patience: FanOutPatience
        let start: MonotonicTime
        let alarm: Alarm

        var elapsed: Duration { alarm.now.duration(since: start) }
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

    /// Waits until all calls have settled, or until enough have succeeded and the rest have had their time
    /// (`FanOutPatience`). Returns what has settled; nil is a call still under way. To be called once.
    func wait(_ patience: FanOutPatience, alarm: Alarm) async -> [Outcome?] {
        let isSettled = state.withLock { $0.settled == $0.outcomes.count }
        if !isSettled {
            let watch = Watch(patience: patience, start: alarm.now, alarm: alarm)
            var token: UInt64?
            await withCheckedContinuation { continuation in
                let resumed = state.withLock { state -> CheckedContinuation<Void, Never>? in
                    state.waiter = (patience.needed, alarm, continuation)
                    if Self.hasEnough(state, patience.needed) { state.enoughSince = watch.start }
                    return Self.takeWaiterIfDone(&state)
                }
                if let resumed { return resumed.resume() }
                // Only now: an alarm that rang before there is a waiter would end its grace for good.
                token = alarm.set(after: min(patience.notice?.after ?? patience.grace, patience.grace)) {
                    self.look(watch)
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

    /// Treats a call that has settled as one that was still under way when the wait ended, and settles now.
    func settleLate(_ index: Int, _ outcome: Outcome) { late?(index, outcome) }

    /// Looks for calls that are waited for alone, until the grace is over.
    private func look(_ watch: Watch) {
        let left = watch.patience.grace - watch.elapsed
        guard left > .zero, let notice = watch.patience.notice else { return endGrace(watch) }
        let (isOver, enoughSince, rest) = state.withLock { state in
            (state.isClosed, state.enoughSince, state.outcomes.indices.filter { state.outcomes[$0] == nil })
        }
        guard !isOver, !rest.isEmpty else { return }
        let alone = enoughSince.map { watch.alarm.now.duration(since: $0) } ?? .zero
        if alone < notice.after {
            _ = watch.alarm.set(after: min(notice.after - alone, left)) { self.look(watch) }
        } else if notice.call(rest) {
            _ = watch.alarm.set(after: left) { self.endGrace(watch) }
        } else {
            endGrace(watch)
        }
    }

    /// The rest have had their time, if there is enough; if not, less will soon be.
    private func endGrace(_ watch: Watch) {
        let hadLess = watch.patience.lesser.map(has) ?? false
        guard becomeOverdue(watch), let lesser = watch.patience.lesser else { return }
        // Rings in vain when the quorum is complete first.
        _ = watch.alarm.set(after: watch.patience.lesserGrace ?? watch.patience.grace) {
            self.settle(for: lesser, isLate: !hadLess, watch)
        }
    }

    private func has(_ quorum: Quorum) -> Bool { state.withLock { Self.hasEnough($0, quorum) } }

    /// The grace is over: either enough have succeeded, or whoever completes the quorum gives the rest their time. True
    /// for the latter.
    private func becomeOverdue(_ watch: Watch) -> Bool {
        let isTooEarly = state.withLock { state in
            guard let waiter = state.waiter, !Self.hasEnough(state, waiter.needed) else { return false }
            state.whenEnough = { self.giveTheRestTheirTime(watch) }
            return true
        }
        if !isTooEarly { giveUpOnTheRest() }
        return isTooEarly
    }

    /// As long again as what there is took. Rings in vain when the rest settle first.
    private func giveTheRestTheirTime(_ watch: Watch) {
        _ = watch.alarm.set(after: watch.elapsed) { self.giveUpOnTheRest() }
    }

    /// From here on less is enough. `isLate`: it was not there when the grace was over, so the rest get their time.
    private func settle(for lesser: Quorum, isLate: Bool, _ watch: Watch) {
        let isThere = state.withLock { state -> Bool in
            guard state.waiter != nil else { return false }
            state.waiter?.needed = lesser
            let isThere = Self.hasEnough(state, lesser)
            state.whenEnough = nil
            if !isThere { state.whenEnough = { self.giveTheRestTheirTime(watch) } }
            return isThere
        }
        guard isThere else { return }
        if isLate { giveTheRestTheirTime(watch) } else { giveUpOnTheRest() }
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
