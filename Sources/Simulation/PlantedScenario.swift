import SystemInterface

/// Fails, or ends the process, as planned: to test what the program says about it.
///
/// Of its faults two are to blame: the third, and the first, unless the second is left out, which hides the third by
/// itself. Whoever tries each fault once, from the first on, keeps one too many.
package struct PlantedScenario: Scenario {
    package enum Kind: String, Sendable {
        case failure = "planted-failure"
        case trap = "planted-trap"
    }

    private static let faultCount = 6
    /// The seeds of which this is the rest of a division by `seedCycle` do it; the others pass.
    private static let guiltySeed: UInt64 = 3
    private static let seedCycle: UInt64 = 5
    private static let lost = "planted/lost"
    private static let kept = "planted/kept"

    private let kind: Kind

    package init(_ kind: Kind) { self.kind = kind }

    package var name: String { kind.rawValue }

    package var summary: String {
        switch kind {
        case .failure: "nothing real: one seed in \(Self.seedCycle) fails, by two of its faults at most"
        case .trap: "nothing real: one seed in \(Self.seedCycle) traps"
        }
    }

    package func faults(seed: UInt64) -> [String] { (1...Self.faultCount).map { "\($0): planted" } }

    package func run(world: World, without left: Set<Int>) async throws {
        for fault in 1...Self.faultCount where !left.contains(fault) {
            world.trace.record("fault \(fault): planted")
            for key in [Self.lost, Self.kept] {
                world.countOperation()
                world.trace.record("put \(key) \(fault)")
                try await world.time.sleep(for: .milliseconds(1))
            }
        }
        guard world.seed % Self.seedCycle == Self.guiltySeed else { return }
        switch kind {
        case .trap: preconditionFailure("planted")
        case .failure:
            guard !left.contains(3), !left.contains(1) || left.contains(2) else { return }
            throw BrokenPromise("\(Self.lost) is not there", subject: Self.lost)
        }
    }
}
