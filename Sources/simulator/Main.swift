import ArgumentParser
import Glibc
import Simulation

/// Runs the store under simulated disks, network and time, thousands of seeds a minute (Docs/Testing.md).
@main
struct SimulatorCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "simulator",
        abstract: "Runs scenarios from seeds; one seed always gives the same run.",
        subcommands: [
            RunCommand.self, ReplayCommand.self, UntilFailureCommand.self, ListCommand.self, SelfTestCommand.self,
        ],
        defaultSubcommand: RunCommand.self
    )

    static func main() {
        fixHashing()
        main(nil)
    }

    /// Starts this program anew with a fixed seed for the hashes of sets and dictionaries, whose order would otherwise
    /// differ from process to process.
    private static func fixHashing() {
        let variable = "SWIFT_DETERMINISTIC_HASHING"
        guard getenv(variable) == nil else { return }
        setenv(variable, "1", 1)
        execv("/proc/self/exe", CommandLine.unsafeArgv)
        // Only reached when the new start failed: then the seeds hold within this process alone.
        note("cannot restart with \(variable)=1; set it yourself for seeds that replay")
    }
}

struct ScenarioOption: ParsableArguments {
    @Option(help: "The scenario; `simulator list` names them.")
    var scenario: String = Scenarios.all.first?.name ?? ""

    func find() throws -> any Scenario {
        guard let found = Scenarios.all.first(where: { $0.name == scenario }) else {
            throw ValidationError("no scenario \(scenario); `simulator list` names them")
        }
        return found
    }
}

struct RunCommand: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "run", abstract: "Runs a number of seeds.")

    @OptionGroup var option: ScenarioOption
    @Option(help: "How many seeds.") var seeds: UInt64 = 100
    @Option(help: "The first of them.") var firstSeed: UInt64 = 1
    @Flag(help: "Show the trace hash of every seed.") var hashes = false

    func run() throws {
        let scenario = try option.find()
        var failures = 0
        var steps = 0
        for seed in firstSeed..<firstSeed + seeds {
            let outcome = scenario.outcome(seed: seed)
            steps += outcome.steps
            if hashes { print("seed \(seed) hash \(outcome.hashText)") }
            if outcome.failure != nil {
                failures += 1
                report(outcome)
            }
        }
        print("\(scenario.name): \(seeds) seeds, \(steps) steps, \(failures) failures")
        if failures > 0 { throw ExitCode.failure }
    }
}

struct ReplayCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "replay",
        abstract: "Runs one seed and shows every event; the last line is the trace hash."
    )

    @OptionGroup var option: ScenarioOption
    @Argument(help: "The seed.") var seed: UInt64
    @Flag(help: "Only the result and the hash.") var quiet = false

    func run() throws {
        let scenario = try option.find()
        let show: @Sendable (String) -> Void = { print($0) }
        let outcome = scenario.outcome(seed: seed, echo: quiet ? nil : show)
        print("\(outcome.steps) steps, virtual time \(outcome.virtualTime)")
        print(outcome.failure.map { "failed: \($0)" } ?? "passed")
        print("hash \(outcome.hashText)")
        if outcome.failure != nil { throw ExitCode.failure }
    }
}

struct UntilFailureCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "until-failure",
        abstract: "Runs seed after seed until one fails."
    )

    @OptionGroup var option: ScenarioOption
    @Option(help: "The first seed.") var firstSeed: UInt64 = 1
    @Option(help: "Give up, with success, after so many seeds.") var limit: UInt64 = .max

    func run() throws {
        let scenario = try option.find()
        var seed = firstSeed
        while seed - firstSeed < limit {
            let outcome = scenario.outcome(seed: seed)
            if outcome.failure != nil {
                report(outcome)
                throw ExitCode.failure
            }
            seed += 1
            if (seed - firstSeed) % 1_000 == 0 { note("\(seed - firstSeed) seeds passed") }
        }
        print("\(scenario.name): \(limit) seeds passed")
    }
}

struct ListCommand: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "list", abstract: "Names the scenarios.")

    func run() {
        for scenario in Scenarios.all { print("\(scenario.name): \(scenario.summary)") }
    }
}

struct SelfTestCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "self-test",
        abstract: "Checks the simulator itself: order, time, crashes, and what it must catch."
    )

    func run() throws {
        var failures = 0
        for check in SelfTest.checks {
            let problem = check.run()
            print("\(problem == nil ? "ok" : "FAILED") \(check.name)\(problem.map { ": \($0)" } ?? "")")
            if problem != nil { failures += 1 }
        }
        if failures > 0 { throw ExitCode.failure }
    }
}

/// Says why a seed failed, what happened last, and how to see it again.
private func report(_ outcome: Outcome) {
    for event in outcome.events { print("  \(event)") }
    print("seed \(outcome.seed) failed: \(outcome.failure ?? "")")
    print("again: simulator replay \(outcome.seed) --scenario \(outcome.scenario)")
}

/// A line for people, on standard error.
private func note(_ text: String) {
    let line = "simulator: \(text)\n"
    _ = line.withCString { write(STDERR_FILENO, $0, line.utf8.count) }
}
