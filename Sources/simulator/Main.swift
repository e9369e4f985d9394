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
        fixEnvironment()
        TrapNote.install()
        main(nil)
    }

    /// Starts this program anew with a fixed seed for the hashes of sets and dictionaries, whose order would otherwise
    /// differ from process to process; and with an allocator that keeps what it has: each seed fills its disks anew,
    /// and memory that went back to the system in between would be cleared by it each time.
    private static func fixEnvironment() {
        let variable = "SWIFT_DETERMINISTIC_HASHING"
        guard getenv(variable) == nil else { return }
        setenv(variable, "1", 1)
        setenv("MALLOC_MMAP_THRESHOLD_", "1073741824", 1)
        setenv("MALLOC_TRIM_THRESHOLD_", "17179869184", 1)
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
    @Option(help: "Processes that share the seeds; 0 is one for each core.") var jobs = 0
    @Flag(help: "Show the trace hash of every seed, in order.") var hashes = false
    /// As `SharedRun` starts this program: it reads the totals.
    @Flag(help: .hidden) var asPart = false

    func run() throws {
        let scenario = try option.find()
        if asPart { return try runPart(of: scenario) }
        let jobs = jobs > 0 ? jobs : sysconf(Int32(_SC_NPROCESSORS_ONLN))
        let began = Clock.seconds
        let shared = SharedRun(
            scenario: scenario.name,
            firstSeed: firstSeed,
            seeds: seeds,
            // What several print comes in the order in which they end.
            jobs: hashes ? 1 : jobs,
            hashes: hashes
        )
        let totals = shared.run()
        print("\(scenario.name): \(totals.summary(seconds: Clock.seconds - began))")
        if let strikes = totals.strikes(of: scenario.points) { print("\(scenario.name): \(strikes)") }
        if let deeds = totals.deeds(of: scenario.deeds) { print("\(scenario.name): \(deeds)") }
        let unreached = totals.unreached(of: scenario)
        // A point that nothing passes any more tests nothing.
        if !unreached.isEmpty { print("never struck or done: \(unreached.joined(separator: ", "))") }
        if totals.failures > 0 || !unreached.isEmpty { throw ExitCode.failure }
    }

    /// The seeds, in this process.
    private func runPart(of scenario: any Scenario) throws {
        var totals = Totals()
        for seed in firstSeed..<firstSeed + seeds {
            let outcome = scenario.namedOutcome(seed: seed)
            totals.add(outcome)
            if hashes { print("seed \(seed) hash \(outcome.hashText)") }
            if outcome.failure != nil { FailureReport(scenario: scenario, outcome: outcome).show() }
        }
        print(totals.line)
        if totals.failures > 0 { throw ExitCode.failure }
    }
}

struct ReplayCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "replay",
        abstract: "Runs one seed and shows every event; the last line is the trace hash."
    )

    @OptionGroup var option: ScenarioOption
    @Argument(help: "The seed.") var seed: UInt64
    @Option(help: "Numbers of faults to leave out, with commas between.") var without = ""
    @Option(help: "Show only events that hold this text.") var only: String?
    @Flag(help: "Only the result and the hash.") var quiet = false

    func run() throws {
        let scenario = try option.find()
        let only = only
        let show: @Sendable (String) -> Void = { if only.map($0.contains) ?? true { print($0) } }
        let left = Set(without.split(separator: ",").compactMap { Int($0) })
        if !quiet { for fault in scenario.faults(seed: seed) { print("fault \(fault)") } }
        let outcome = scenario.namedOutcome(seed: seed, without: left, echo: quiet ? nil : show)
        print("\(outcome.steps) steps, \(outcome.operations) operations, virtual time \(outcome.virtualTime)")
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

    /// Seeds between two lines that say how far it is.
    private static let chunk: UInt64 = 1_000

    @OptionGroup var option: ScenarioOption
    @Option(help: "The first seed.") var firstSeed: UInt64 = 1
    @Option(help: "Give up, with success, after so many seeds.") var limit: UInt64 = .max
    @Option(help: "Processes that share the seeds; 0 is one for each core.") var jobs = 0

    func run() throws {
        let scenario = try option.find()
        let jobs = jobs > 0 ? jobs : sysconf(Int32(_SC_NPROCESSORS_ONLN))
        var done: UInt64 = 0
        while done < limit {
            let count = min(Self.chunk, limit - done)
            let run = SharedRun(scenario: scenario.name, firstSeed: firstSeed + done, seeds: count, jobs: jobs)
            if run.run(stopsAtFailure: true).failures > 0 { throw ExitCode.failure }
            done += count
            note("\(done) seeds passed")
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

/// A line for people, on standard error.
func note(_ text: String) {
    let line = "simulator: \(text)\n"
    _ = line.withCString { write(STDERR_FILENO, $0, line.utf8.count) }
}

enum Clock {
    /// Of the real world, for rates only.
    static var seconds: Double {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
    }
}
