package import BlobStorage
internal import ObjectModel
import Synchronization
package import SystemInterface

/// What repair may take of disks and lines, in bytes a second.
package struct RepairRates: Hashable, Sendable {
    /// Of each disk, reads and writes together, while clients ask for something or a blob without spares is repaired.
    package var disk: Int
    /// Of all lines between sites together, at any time, moves included; nil for as much as they carry.
    package var wan: Int?

    package init(disk: Int = RepairRates.defaultDisk, wan: Int? = nil) {
        self.disk = max(1, disk)
        self.wan = wan.map { max(1, $0) }
    }

    /// About half of what a hard disk does, so that a small cluster is whole again in days.
    package static let defaultDisk = 100 << 20
}

/// Keeps repair within its rates: whoever is about to ask something of disks and lines is given the time at which what
/// was asked before is paid for, first come first served, and waits until then (DESIGN §8). Safe to share.
package final class RepairBudget: Sendable {
    /// How often a wait looks whether it still holds: rates may have been changed, clients gone.
    private static let look = Duration.milliseconds(200)

    private struct State {
        var rates: RepairRates
        /// Counts changes of the rates: what was promised under others holds no more.
        var generation = 0
        /// When what was asked of each disk, and of the lines, is paid for.
        var disks: [DiskID: MonotonicTime] = [:]
        var lines = MonotonicTime(nanoseconds: 0)
    }

    /// What has been charged, and when it may begin.
    private struct Promise {
        var generation: Int
        var start: MonotonicTime
        var disks: [DiskID: Duration]
        var lines: Duration
        var sparesDisks: Bool
    }

    private let state: Mutex<State>
    private let time: any TimeSource

    package init(rates: RepairRates = RepairRates(), time: any TimeSource) {
        state = Mutex(State(rates: rates))
        self.time = time
    }

    package var rates: RepairRates { state.withLock { $0.rates } }

    /// From now on; what was asked before is paid for.
    package func set(_ rates: RepairRates) {
        state.withLock { $0 = State(rates: rates, generation: $0.generation + 1) }
    }

    /// Returns once the load may begin; false when `goesOn` says no or the task is cancelled before: then nothing is
    /// charged. `isSparing` says whether the rate of disks holds just now.
    package func pay(
        for load: RepairLoad,
        isSparing: @Sendable () -> Bool,
        while goesOn: @Sendable () -> Bool = { true }
    ) async -> Bool {
        var promise: Promise?
        while goesOn(), !Task.isCancelled {
            let (now, sparesDisks) = (time.monotonic, isSparing())
            let current = state.withLock { state in
                if let promise, promise.generation == state.generation, promise.sparesDisks == sparesDisks {
                    return promise
                }
                if let promise { Self.takeBack(promise, &state) }
                return Self.charge(load, sparesDisks: sparesDisks, now: now, &state)
            }
            if current.start <= now { return true }
            promise = current
            try? await time.sleep(for: min(current.start.duration(since: now), Self.look))
        }
        if let promise { state.withLock { Self.takeBack(promise, &$0) } }
        return false
    }

    private static func charge(
        _ load: RepairLoad,
        sparesDisks: Bool,
        now: MonotonicTime,
        _ state: inout State
    ) -> Promise {
        let rates = state.rates
        var promise = Promise(
            generation: state.generation,
            start: now,
            disks: sparesDisks ? load.disks.mapValues { .paying($0, at: rates.disk) } : [:],
            lines: rates.wan.map { .paying(load.crossing, at: $0) } ?? .zero,
            sparesDisks: sparesDisks
        )
        for (disk, cost) in promise.disks where cost > .zero {
            let paid = max(state.disks[disk] ?? now, now)
            promise.start = max(promise.start, paid)
            state.disks[disk] = paid.advanced(by: cost)
        }
        if promise.lines > .zero {
            let paid = max(state.lines, now)
            promise.start = max(promise.start, paid)
            state.lines = paid.advanced(by: promise.lines)
        }
        return promise
    }

    private static func takeBack(_ promise: Promise, _ state: inout State) {
        guard promise.generation == state.generation else { return }
        for (disk, cost) in promise.disks { state.disks[disk] = state.disks[disk]?.before(cost) }
        state.lines = state.lines.before(promise.lines)
    }
}

extension MonotonicTime {
    /// So much earlier; never before time began.
    fileprivate func before(_ duration: Duration) -> MonotonicTime {
        MonotonicTime(nanoseconds: nanoseconds - min(nanoseconds, UInt64(max(0, duration.nanoseconds))))
    }
}

extension Duration {
    /// How long so many bytes take at so many a second.
    static func paying(_ bytes: Int, at rate: Int) -> Duration {
        .nanoseconds(Int64(Double(bytes) / Double(rate) * 1_000_000_000))
    }
}
