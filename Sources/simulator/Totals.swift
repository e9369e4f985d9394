import Simulation

/// What a number of seeds came to.
struct Totals {
    var seeds = 0
    var steps = 0
    var operations = 0
    /// Virtual milliseconds.
    var milliseconds = 0
    var failures = 0

    init() {}

    mutating func add(_ outcome: Outcome) {
        seeds += 1
        steps += outcome.steps
        operations += outcome.operations
        milliseconds += Int(outcome.virtualTime / .milliseconds(1))
        if outcome.failure != nil { failures += 1 }
    }

    mutating func add(_ other: Totals) {
        seeds += other.seeds
        steps += other.steps
        operations += other.operations
        milliseconds += other.milliseconds
        failures += other.failures
    }

    // MARK: From process to process

    private static let mark = "totals"

    /// One line that `init(line:)` reads.
    var line: String { "\(Self.mark) \(seeds) \(steps) \(operations) \(milliseconds) \(failures)" }

    /// Nil for any other line.
    init?(line: Substring) {
        let words = line.split(separator: " ")
        let numbers = words.dropFirst().compactMap { Int($0) }
        guard words.first == Self.mark[...], numbers.count == 5 else { return nil }
        (seeds, steps, operations, milliseconds, failures) = (
            numbers[0], numbers[1], numbers[2], numbers[3], numbers[4]
        )
    }

    /// For people.
    func summary(seconds: Double) -> String {
        let hours = Double(milliseconds / 36_000) / 100
        let rate = Int(Double(operations) / max(seconds, 0.001))
        return "\(seeds) seeds, \(operations) operations in \(hours) simulated hours, \(steps) steps, "
            + "\(failures) failures; \(Int(seconds)) s, \(rate) operations/s"
    }
}
