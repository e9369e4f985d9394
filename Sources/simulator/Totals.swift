import Simulation

/// What a number of seeds came to.
struct Totals {
    var seeds = 0
    var steps = 0
    var operations = 0
    /// Virtual milliseconds.
    var milliseconds = 0
    var failures = 0
    /// By buggify point: how often it struck.
    var strikes: [String: Int] = [:]
    /// By what the system did beside its clients' work: how often.
    var deeds: [String: Int] = [:]

    init() {}

    mutating func add(_ outcome: Outcome) {
        seeds += 1
        steps += outcome.steps
        operations += outcome.operations
        milliseconds += Int(outcome.virtualTime / .milliseconds(1))
        if outcome.failure != nil { failures += 1 }
        strikes.merge(outcome.strikes, uniquingKeysWith: +)
        deeds.merge(outcome.deeds, uniquingKeysWith: +)
    }

    mutating func add(_ other: Totals) {
        seeds += other.seeds
        steps += other.steps
        operations += other.operations
        milliseconds += other.milliseconds
        failures += other.failures
        strikes.merge(other.strikes, uniquingKeysWith: +)
        deeds.merge(other.deeds, uniquingKeysWith: +)
    }

    // MARK: From process to process

    private static let mark = "totals"
    /// Before the name of a deed.
    private static let deedMark = "did:"

    /// One line that `init(line:)` reads.
    var line: String {
        let points = strikes.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }
        let done = deeds.sorted { $0.key < $1.key }.map { "\(Self.deedMark)\($0.key)=\($0.value)" }
        return (["\(Self.mark) \(seeds) \(steps) \(operations) \(milliseconds) \(failures)"] + points + done)
            .joined(separator: " ")
    }

    /// Nil for any other line.
    init?(line: Substring) {
        let words = line.split(separator: " ")
        let numbers = words.dropFirst().prefix(5).compactMap { Int($0) }
        guard words.first == Self.mark[...], numbers.count == 5 else { return nil }
        (seeds, steps, operations, milliseconds, failures) = (
            numbers[0], numbers[1], numbers[2], numbers[3], numbers[4]
        )
        for word in words.dropFirst(6) {
            let parts = word.split(separator: "=")
            guard parts.count == 2, let count = Int(parts[1]) else { return nil }
            if parts[0].hasPrefix(Self.deedMark) {
                deeds[String(parts[0].dropFirst(Self.deedMark.count))] = count
            } else {
                strikes[String(parts[0])] = count
            }
        }
    }

    /// For people.
    func summary(seconds: Double) -> String {
        let hours = Double(milliseconds / 36_000) / 100
        let rate = Int(Double(operations) / max(seconds, 0.001))
        return "\(seeds) seeds, \(operations) operations in \(hours) simulated hours, \(steps) steps, "
            + "\(failures) failures; \(Int(seconds)) s, \(rate) operations/s"
    }

    /// How often each of these buggify points struck, for people; nil where there are none.
    func strikes(of points: [String]) -> String? {
        if points.isEmpty { return nil }
        return "struck: " + points.map { "\($0) \(strikes[$0, default: 0])" }.joined(separator: ", ")
    }

    /// What the systems did beside their clients' work, for people; nil where nothing is counted.
    func deeds(of names: [String]) -> String? {
        if names.isEmpty { return nil }
        return "did: " + names.map { "\($0) \(deeds[$0, default: 0])" }.joined(separator: ", ")
    }

    /// Points and deeds that so many seeds should have reached, and did not.
    func unreached(of scenario: any Scenario) -> [String] {
        guard seeds >= Self.enoughSeeds else { return [] }
        return scenario.points.filter { strikes[$0] == nil } + scenario.deeds.filter { deeds[$0] == nil }
    }

    /// Of a run that reaches every point, and does everything.
    private static let enoughSeeds = 10_000
}
