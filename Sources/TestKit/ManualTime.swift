import Synchronization
import SystemInterface

/// Time that stands still until a test moves it.
package final class ManualTime: TimeSource {
    private struct Sleeper {
        var deadline: UInt64
        var continuation: CheckedContinuation<Void, any Error>
    }

    private struct State {
        var nanoseconds: UInt64 = 0
        var sleepers: [UInt64: Sleeper] = [:]
        var nextID: UInt64 = 0
        var cancelled: Set<UInt64> = []
    }

    private let state = Mutex(State())
    private let start: WallTime

    /// `start` is what the wall clock says at monotonic zero; by default 2026-01-01 00:00 UTC.
    package init(start: WallTime = WallTime(milliseconds: 1_767_225_600_000)) { self.start = start }

    package var monotonic: MonotonicTime { MonotonicTime(nanoseconds: state.withLock { $0.nanoseconds }) }

    package var wall: WallTime {
        WallTime(milliseconds: start.milliseconds + Int64(clamping: monotonic.nanoseconds / 1_000_000))
    }

    /// Tasks asleep now.
    package var sleeperCount: Int { state.withLock { $0.sleepers.count } }

    /// Moves both clocks and wakes whoever is due, earliest first. The sleepers run on their own tasks, later.
    package func advance(by duration: Duration) {
        let due = state.withLock { state in
            state.nanoseconds &+= UInt64(max(0, duration.nanoseconds))
            let due = state.sleepers.filter { $0.value.deadline <= state.nanoseconds }
            for id in due.keys { state.sleepers[id] = nil }
            return due.sorted { ($0.value.deadline, $0.key) < ($1.value.deadline, $1.key) }
        }
        for (_, sleeper) in due { sleeper.continuation.resume() }
    }

    /// Returns once at least `count` tasks are asleep: the moment to call `advance`.
    package func waitForSleepers(_ count: Int = 1) async {
        while sleeperCount < count { await Task.yield() }
    }

    package func sleep(for duration: Duration) async throws {
        let id = state.withLock { state in
            state.nextID += 1
            return state.nextID
        }
        // A cancellation that came after the wake-up left a note.
        defer { state.withLock { _ = $0.cancelled.remove(id) } }
        try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in park(id, duration, continuation) }
        } onCancel: {
            cancel(id)
        }
    }

    private func park(_ id: UInt64, _ duration: Duration, _ continuation: CheckedContinuation<Void, any Error>) {
        let result: Result<Void, any Error>? = state.withLock { state in
            if state.cancelled.remove(id) != nil { return .failure(CancellationError()) }
            guard duration > .zero else { return .success(()) }
            let deadline = state.nanoseconds &+ UInt64(max(0, duration.nanoseconds))
            state.sleepers[id] = Sleeper(deadline: deadline, continuation: continuation)
            return nil
        }
        if let result { continuation.resume(with: result) }
    }

    private func cancel(_ id: UInt64) {
        let sleeper = state.withLock { state in
            let sleeper = state.sleepers.removeValue(forKey: id)
            if sleeper == nil { state.cancelled.insert(id) }
            return sleeper
        }
        sleeper?.continuation.resume(throwing: CancellationError())
    }
}
