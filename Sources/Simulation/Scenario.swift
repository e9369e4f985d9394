import SystemInterface

/// One way to use and hurt a system, different for every seed.
package protocol Scenario: Sendable {
    /// What the command line calls it.
    var name: String { get }
    /// One line for people.
    var summary: String { get }
    /// Builds the system in `world`, uses it, crashes it, and throws when a promise was broken. Leaves out the faults
    /// of these numbers, of those that the seed plans.
    func run(world: World, without faults: Set<Int>) async throws
    /// The faults that a seed plans, in words, by number.
    func faults(seed: UInt64) -> [String]
    /// The buggify points that its seeds switch on.
    var points: [String] { get }
    /// What its systems do beside their clients' work, as it is counted.
    var deeds: [String] { get }
}

extension Scenario {
    package func faults(seed: UInt64) -> [String] { [] }
    package var points: [String] { [] }
    package var deeds: [String] { [] }
}

/// A promise that the system under test broke.
package struct BrokenPromise: Error, Hashable, Sendable, CustomStringConvertible {
    package let description: String
    /// What the trace names it by.
    package var subject: String?
    package init(_ description: String, subject: String? = nil) {
        self.description = description
        self.subject = subject
    }
}

/// What the simulator can run.
package enum Scenarios {
    /// The first one runs when none is named.
    package static let all: [any Scenario] = [
        StoreScenario(),
        ClusterScenario(),
        RotScenario(),
        PlainFilesScenario(syncsBeforeAnswering: true),
        PlainFilesScenario(syncsBeforeAnswering: false),
        PlantedScenario(.failure),
        PlantedScenario(.trap),
    ]
}

/// What one seed gave.
package struct Outcome: Sendable {
    package var scenario: String
    package var seed: UInt64
    /// Why the run failed; nil when it did not.
    package var failure: String?
    /// What the failure is about, as the trace names it.
    package var subject: String?
    /// The hash of everything that happened: equal for two runs of one seed by the same program.
    package var hash: UInt64
    /// `hash` as 16 hexadecimal digits.
    package var hashText: String {
        let digits = String(hash, radix: 16)
        return String(repeating: "0", count: 16 - digits.utf8.count) + digits
    }
    /// Jobs run by the executor.
    package var steps: Int
    /// Operations of clients.
    package var operations: Int
    /// By buggify point: how often it struck.
    package var strikes: [String: Int]
    /// By what the system did beside its clients' work: how often.
    package var deeds: [String: Int]
    package var virtualTime: Duration
}

extension Scenario {
    /// Runs this scenario on the calling thread; `echo` gets every event as it happens.
    package func outcome(
        seed: UInt64,
        without faults: Set<Int> = [],
        stepLimit: Int = DeterministicExecutor.stepLimit,
        echo: (@Sendable (String) -> Void)? = nil
    ) -> Outcome {
        let world = World(seed: seed, echo: echo)
        let report = DeterministicExecutor.run(
            seed: seed,
            time: world.time,
            trace: world.trace,
            stepLimit: stepLimit,
            wind: { world.end() },
            root: {
                do {
                    try await run(world: world, without: faults)
                } catch {
                    world.note(subjectOf: error)
                    throw error
                }
            }
        )
        world.destroyDisks()
        return Outcome(
            scenario: name,
            seed: seed,
            failure: Self.failure(report, world),
            subject: world.subject,
            hash: world.trace.hash,
            steps: report.steps,
            operations: world.operations,
            strikes: world.strikes,
            deeds: world.deeds,
            virtualTime: world.time.monotonic.duration(since: .init(nanoseconds: 0))
        )
    }

    private static func failure(_ report: DeterministicExecutor.Report, _ world: World) -> String? {
        let end: String? =
            switch report.end {
            case .finished: nil
            case .failed(let reason): reason
            case .deadlock: "deadlock: no task is ready and none sleeps; something waits for ever, or for a real clock"
            case .endless: "endless: the scenario has not ended after \(report.steps) steps"
            case .foreignThread: "work came from another thread: something uses a real clock, thread or file"
            }
        let reasons = world.problems + (end.map { [$0] } ?? [])
        return reasons.isEmpty ? nil : reasons.joined(separator: "; ")
    }
}
