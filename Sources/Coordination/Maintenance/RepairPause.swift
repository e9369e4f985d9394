internal import JournalStorage
internal import ObjectModel
import Synchronization
package import SystemInterface

/// An operator's pause of repair. As `SealedLines`, with the last line there where it holds:
///
///     cairn-repair 1
///     paused [UNTIL]
///
/// UNTIL: milliseconds since 1970; without it the pause holds until it is ended.
package struct RepairPause: Hashable, Sendable {
    private static let head = "cairn-repair 1"

    /// When it ends by itself; nil where it does not.
    package var until: WallTime?

    package init(until: WallTime? = nil) { self.until = until }

    func holds(at now: WallTime) -> Bool { until.map { now < $0 } ?? true }

    /// Of no pause, too.
    package static func encode(_ pause: Self?) -> [UInt8] {
        let line = pause.map { pause in
            "paused" + (pause.until.map { " \($0.milliseconds)" } ?? "")
        }
        return SealedLines.encode([head] + (line.map { [$0] } ?? []))
    }

    /// False for anything that is not whole.
    package static func decode(_ bytes: [UInt8], into pause: inout Self?) -> Bool {
        guard let lines = SealedLines.decode(bytes), lines.first == head[...], lines.count <= 2 else { return false }
        pause = nil
        guard lines.count == 2 else { return true }
        let words = lines[1].split(separator: " ", omittingEmptySubsequences: false)
        switch (words.first, words.count) {
        case ("paused", 1): pause = Self()
        case ("paused", 2):
            guard let until = Int64(words[1]) else { return false }
            pause = Self(until: WallTime(milliseconds: until))
        default: return false
        }
        return true
    }
}

/// Whether an operator has paused repair, also over restarts. Safe to share.
package final class RepairHold: Sendable {
    package static let name = "repair-pause"
    private static let sizeLimit = 4_096
    /// A longer one is cut to it.
    private static let longest = Duration.seconds(366 * 86_400)
    /// Operators' commands that may wait for the file.
    private static let waitingSaves = 64

    private struct State {
        var pause: RepairPause?
        var problem = ""
    }

    private let state = Mutex(State())
    private let time: any TimeSource
    private let file: StateFile?
    /// One write of the file at a time, the newest word last.
    private let saving = CallGate(limit: RepairHold.waitingSaves)

    /// `folder`: where the operator's word is kept; without one a restart forgets it.
    init(time: any TimeSource, folder: (any FileSystem)?) {
        self.time = time
        file = folder.map { StateFile(name: Self.name, limit: Self.sizeLimit, folder: $0) }
    }

    /// The pause that holds now; nil while none does. Durable once `keep` has returned true.
    package var pause: RepairPause? {
        let now = time.wall
        return state.withLock { $0.pause.flatMap { $0.holds(at: now) ? $0 : nil } }
    }

    /// Why what operators said could not be read or kept; empty when it could.
    package var problem: String { state.withLock { $0.problem } }

    /// From now on, for so long or (nil) until it is ended; what is being made is finished. Takes the place of the
    /// pause before.
    package func begin(for duration: Duration? = nil) {
        let now = time.wall.milliseconds
        let until = duration.map { WallTime(milliseconds: now + Int64(min($0, Self.longest) / .milliseconds(1))) }
        state.withLock { $0.pause = RepairPause(until: until) }
    }

    /// False when there was none.
    @discardableResult
    package func end() -> Bool {
        state.withLock { state in
            defer { state.pause = nil }
            return state.pause != nil
        }
    }

    /// Takes away a pause whose time is over; true once for each: a clock that is set back does not begin it anew.
    func takeEnded() async -> Bool {
        let now = time.wall
        let hasEnded = state.withLock { state in
            guard let pause = state.pause, !pause.holds(at: now) else { return false }
            state.pause = nil
            return true
        }
        if hasEnded { await forgetEnded() }
        return hasEnded
    }

    /// Where that fails nothing is lost: after a restart the end is told once more.
    private func forgetEnded() async {
        guard let file, await saving.enter() else { return }
        defer { saving.leave() }
        let pause = state.withLock { $0.pause }
        try? await file.save(RepairPause.encode(pause))
    }

    /// Reads what operators said in an earlier run; before they are heard in this one. What cannot be read holds
    /// nothing up: a store that repairs is the safer one.
    func load() async {
        guard let file else { return }
        let (bytes, unread) = await file.load()
        var pause: RepairPause?
        let isWhole = bytes.map { RepairPause.decode($0, into: &pause) } ?? true
        let problem = isWhole ? unread : "its file was damaged"
        state.withLock { [pause] state in
            state.pause = pause
            state.problem = problem.isEmpty ? "" : "a pause could not be read and holds no more: \(problem)"
        }
    }

    /// Makes what operators have said so far durable; false when it could not be: then it holds until a restart. True
    /// without a place to keep it in.
    package func keep() async -> Bool {
        guard let file else { return true }
        guard await saving.enter() else { return false }
        defer { saving.leave() }
        let pause = state.withLock { $0.pause }
        do {
            try await file.save(RepairPause.encode(pause))
            state.withLock { $0.problem = "" }
            return true
        } catch {
            state.withLock { $0.problem = "it cannot be kept, a restart would forget it: \(error.description)" }
            return false
        }
    }
}

extension Store {
    /// As `RepairHold.begin`, told in the log: whoever looks later why nothing was repaired finds it there.
    package func pauseRepair(for duration: Duration? = nil) {
        repairer.hold.begin(for: duration)
        events.note(.repairPaused(seconds: duration.map { Int($0.components.seconds) }))
    }

    /// The end of a pause by an operator's word; without a pause nothing is told.
    package func resumeRepair() {
        if repairer.hold.end() { events.note(.repairResumed) }
    }

    /// Tells of a pause that has ended by itself; to be called now and then.
    package func watchRepairPause() async {
        if await repairer.hold.takeEnded() { events.note(.repairPauseEnded) }
    }
}
