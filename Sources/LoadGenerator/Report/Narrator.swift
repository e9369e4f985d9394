import Synchronization

/// Tells once a second how a phase goes.
final class Narrator: Sendable {
    private static let interval: UInt64 = 1_000_000_000
    /// How often it looks whether the phase has ended.
    private static let pause: UInt64 = 20_000_000

    private let phase: String
    private let progress: SharedProgress
    private let total: Int?
    private let duration: TimeSpan?
    private let narrate: @Sendable (String) -> Void
    private let state = Monitor(State())

    private struct State: Sendable {
        var isFinished = false
        var hasEnded = true
    }

    init(
        phase: String,
        progress: SharedProgress,
        total: Int?,
        duration: TimeSpan?,
        _ narrate: @escaping @Sendable (String) -> Void
    ) {
        self.phase = phase
        self.progress = progress
        self.total = total
        self.duration = duration
        self.narrate = narrate
    }

    func start(at start: UInt64) {
        state.update { $0.hasEnded = false }
        guard Threads.detach({ self.run(from: start) }) else { return state.update { $0.hasEnded = true } }
    }

    /// Returns when nothing more will be told.
    func finish() {
        state.update { $0.isFinished = true }
        state.wait { $0.hasEnded ? () : nil }
    }

    private func run(from start: UInt64) {
        var next = start + Self.interval
        var last = (time: start, operations: 0, bytes: 0)
        while !state.update({ $0.isFinished }) {
            Threads.sleep(nanoseconds: Self.pause)
            let now = Threads.now()
            guard now >= next else { continue }
            next += Self.interval
            let current = (time: now, operations: progress.doneOperations, bytes: progress.doneBytes)
            let seconds = Double(now - last.time) / 1e9
            narrate(
                line(
                    elapsed: Double(now - start) / 1e9,
                    rate: Double(current.operations - last.operations) / seconds,
                    bytesRate: Double(current.bytes - last.bytes) / seconds
                )
            )
            last = current
        }
        state.update { $0.hasEnded = true }
    }

    private func line(elapsed: Double, rate: Double, bytesRate: Double) -> String {
        var text = "\(phase): \(Decimals.text(elapsed, 0)) s"
        if let duration { text += " of \(Decimals.text(duration.seconds, 0)) s" }
        text += ", \(Decimals.grouped(progress.doneOperations))"
        if let total { text += " of \(Decimals.grouped(total))" }
        text += " done, \(Decimals.text(rate, 0))/s, \(Decimals.text(bytesRate / 1e6, 1)) MB/s"
        let failures = progress.failedOperations
        return failures == 0 ? text : text + ", \(failures) FAILED"
    }
}
