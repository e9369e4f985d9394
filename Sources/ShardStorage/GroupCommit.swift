internal import Synchronization

/// Lets concurrent callers share rounds: one of them, the leader, carries out what all have asked for, the others
/// wait. What arrives during a round goes into the next one, led by whoever has waited longest.
///
/// No round waits for company. Callers are not cancelled: a round that began is finished.
final class GroupCommit<Item: Sendable, Value: Sendable>: Sendable {
    typealias Outcome = Result<Value, ShardStorageError>

    private enum Turn: Sendable {
        case lead
        case done(Outcome)
    }

    private struct Waiter {
        var item: Item
        var cost: Int
        var continuation: UnsafeContinuation<Turn, Never>
    }

    private struct State {
        var waiters: [Waiter] = []
        var isLed = false

        /// The waiters of one round: in order, until their costs reach `room`.
        mutating func takeRound(within room: Int) -> [Waiter] {
            var total = 0
            var count = 0
            while count < waiters.count, total < room {
                total += waiters[count].cost
                count += 1
            }
            defer { waiters.removeFirst(count) }
            return Array(waiters.prefix(count))
        }
    }

    private let state = Mutex(State())
    private let roundCost: Int

    /// A round takes items until their costs exceed `roundCost`.
    init(roundCost: Int) { self.roundCost = roundCost }

    /// Returns the outcome of `item`. `commit` gets the items of a round in the order of their arrival and answers with
    /// as many outcomes; it is called for one round at a time.
    func submit(
        _ item: Item,
        cost: Int,
        _ commit: (_ items: [Item]) async -> [Outcome]
    ) async throws(ShardStorageError) -> Value {
        let turn = await withUnsafeContinuation { continuation in
            let leads = state.withLock { state in
                guard state.isLed else {
                    state.isLed = true
                    return true
                }
                state.waiters.append(Waiter(item: item, cost: cost, continuation: continuation))
                return false
            }
            if leads { continuation.resume(returning: .lead) }
        }
        guard case .lead = turn else {
            guard case .done(let outcome) = turn else { throw .closed }
            return try outcome.get()
        }
        return try await lead(item, cost, commit).get()
    }

    private func lead(_ own: Item, _ cost: Int, _ commit: (_ items: [Item]) async -> [Outcome]) async -> Outcome {
        let followers = state.withLock { $0.takeRound(within: roundCost - cost) }
        let outcomes = await commit([own] + followers.map(\.item))
        for (follower, outcome) in zip(followers, outcomes.dropFirst()) {
            follower.continuation.resume(returning: .done(outcome))
        }
        let next = state.withLock { state -> Waiter? in
            guard !state.waiters.isEmpty else {
                state.isLed = false
                return nil
            }
            return state.waiters.removeFirst()
        }
        next?.continuation.resume(returning: .lead)
        return outcomes.first ?? .failure(.closed)
    }
}

/// A lock that may be held across suspension; first come, first served.
final class AsyncLock: Sendable {
    private struct State {
        var isHeld = false
        var waiters: [UnsafeContinuation<Void, Never>] = []
    }

    private let state = Mutex(State())

    /// Runs `body` alone.
    func run<Value, Failure: Error>(_ body: () async throws(Failure) -> Value) async throws(Failure) -> Value {
        await acquire()
        defer { release() }
        return try await body()
    }

    private func acquire() async {
        await withUnsafeContinuation { continuation in
            let isMine = state.withLock { state in
                guard state.isHeld else {
                    state.isHeld = true
                    return true
                }
                state.waiters.append(continuation)
                return false
            }
            if isMine { continuation.resume() }
        }
    }

    private func release() {
        let next = state.withLock { state -> UnsafeContinuation<Void, Never>? in
            guard !state.waiters.isEmpty else {
                state.isHeld = false
                return nil
            }
            return state.waiters.removeFirst()
        }
        next?.resume()
    }
}
