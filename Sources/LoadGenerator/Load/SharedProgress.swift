import Synchronization

/// What all connections of one phase share: how much is left to do, and how much is done.
final class SharedProgress: Sendable {
    private let started = Atomic(0)
    private let operations = Atomic(0)
    private let bytes = Atomic(0)
    private let failures = Atomic(0)
    private let stopped = Atomic(false)
    private let limit: Int?
    private let deadline: UInt64?

    /// Ends after `limit` starts or at `deadline` of the monotonic clock, whichever is given.
    init(limit: Int?, deadline: UInt64?) {
        self.limit = limit
        self.deadline = deadline
    }

    /// The number of the next operation, from 0 on; nil when the phase is over.
    func begin(at now: UInt64) -> Int? {
        guard !isOver(at: now) else { return nil }
        let number = started.wrappingAdd(1, ordering: .relaxed).oldValue
        if let limit, number >= limit { return nil }
        return number
    }

    func isOver(at now: UInt64) -> Bool {
        if stopped.load(ordering: .relaxed) || Interruption.isRequested { return true }
        return deadline.map { now >= $0 } ?? false
    }

    func stop() { stopped.store(true, ordering: .relaxed) }

    func done(bytes count: Int) {
        operations.wrappingAdd(1, ordering: .relaxed)
        bytes.wrappingAdd(count, ordering: .relaxed)
    }

    func failed() { failures.wrappingAdd(1, ordering: .relaxed) }

    var doneOperations: Int { operations.load(ordering: .relaxed) }
    var doneBytes: Int { bytes.load(ordering: .relaxed) }
    var failedOperations: Int { failures.load(ordering: .relaxed) }
}
