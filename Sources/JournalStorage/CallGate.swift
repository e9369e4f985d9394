import Synchronization

/// Lets one call at a time through, in the order of arrival: appends, trims and reads of one log never overlap.
///
/// A waiting call is not cancelled: what is queued on a disk ends by itself, and a keeper's calls are all short.
package final class CallGate: Sendable {
    private struct State {
        var isBusy = false
        var waiting: [CheckedContinuation<Void, Never>] = []
    }

    private let state = Mutex(State())
    private let limit: Int

    /// At most `limit` calls wait.
    package init(limit: Int) { self.limit = limit }

    /// Waits for its turn; false when too many wait already. Every `true` needs one `leave`.
    package func enter() async -> Bool {
        enum Entry { case now, full, wait }
        var entry = Entry.wait
        await withCheckedContinuation { continuation in
            entry = state.withLock { state in
                guard state.isBusy else {
                    state.isBusy = true
                    return .now
                }
                guard state.waiting.count < limit else { return .full }
                state.waiting.append(continuation)
                return .wait
            }
            if entry != .wait { continuation.resume() }
        }
        return entry != .full
    }

    package func leave() {
        let next = state.withLock { state -> CheckedContinuation<Void, Never>? in
            guard !state.waiting.isEmpty else {
                state.isBusy = false
                return nil
            }
            return state.waiting.removeFirst()
        }
        next?.resume()
    }
}
