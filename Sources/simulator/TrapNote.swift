import Glibc
import Simulation

/// Says which seed was running when a trap ends this process: a precondition that fails leaves no time for a report.
enum TrapNote {
    private static let signals = [SIGTRAP, SIGILL, SIGSEGV, SIGBUS, SIGFPE, SIGABRT]
    private static let capacity = 512
    /// Written before a seed begins, so that the handler only has to hand it on. There is one thread.
    nonisolated(unsafe) private static let text = UnsafeMutablePointer<UInt8>.allocate(capacity: capacity)
    nonisolated(unsafe) private static var length = 0

    static func install() {
        // Here, not in the handler, is the time to make it.
        text.initialize(repeating: 0, count: capacity)
        for signal in signals {
            var action = sigaction()
            action.__sigaction_handler.sa_handler = { signal in TrapNote.show(signal) }
            action.sa_flags = Int32(bitPattern: UInt32(SA_RESETHAND))
            sigaction(signal, &action, nil)
        }
    }

    static func begin(_ scenario: String, seed: UInt64) {
        let words =
            "simulator: seed \(seed) of \(scenario) ended the process\nagain: simulator replay \(seed) "
            + "--scenario \(scenario) --quiet\n"
        let bytes = Array(words.utf8.prefix(capacity))
        text.update(from: bytes, count: bytes.count)
        length = bytes.count
    }

    static func end() { length = 0 }

    /// In the handler: nothing here takes memory or locks. The signal comes once more, and does what it does without a
    /// handler.
    private static func show(_ signal: Int32) {
        if length > 0 { _ = write(STDERR_FILENO, text, length) }
        raise(signal)
    }
}

extension Scenario {
    /// `outcome`, with the seed named should it end the process.
    func namedOutcome(
        seed: UInt64,
        without faults: Set<Int> = [],
        echo: (@Sendable (String) -> Void)? = nil
    ) -> Outcome {
        TrapNote.begin(name, seed: seed)
        defer { TrapNote.end() }
        return outcome(seed: seed, without: faults, echo: echo)
    }
}
