import Glibc
import Synchronization
import SystemInterface
import TestKit

/// What must be true of the simulator itself. Checked by `simulator self-test`, since the executor's hook serves the
/// whole process and cannot live in the test runner.
package enum SelfTest {
    package struct Check: Sendable {
        package let name: String
        /// Nil when all is well, else what is wrong.
        package let run: @Sendable () -> String?
    }

    package static let checks: [Check] = [
        Check(name: "one seed gives one order, twenty seeds give many") {
            let orders = (0..<20).map { seed in (order(seed: seed), order(seed: seed)) }
            if orders.contains(where: { $0 != $1 }) { return "two runs of one seed differ" }
            return Set(orders.map(\.0)).count > 10 ? nil : "the seeds give too few orders"
        },
        Check(name: "a day passes at once") {
            let outcome = Probe { try await $0.time.sleep(for: .seconds(86_400)) }.outcome(seed: 1)
            guard outcome.failure == nil else { return outcome.failure }
            return outcome.virtualTime >= .seconds(86_400) ? nil : "only \(outcome.virtualTime) passed"
        },
        Check(name: "sleepers wake in the order of their times") {
            let log = Log()
            let outcome = Probe { world in
                await withTaskGroup { group in
                    for second in [3, 1, 2] {
                        group.addTask {
                            try? await world.time.sleep(for: .seconds(second))
                            log.append(second)
                        }
                    }
                }
            }.outcome(seed: 1)
            return log.entries == [1, 2, 3] ? outcome.failure : "woken in the order \(log.entries)"
        },
        Check(name: "a wait for nothing is reported as a deadlock") {
            expect("deadlock", of: Probe { _ in await waitForEver() })
        },
        Check(name: "an endless run is reported") {
            expect("endless", of: Probe { _ in while true { await DeterministicExecutor.letOthersRun() } })
        },
        Check(name: "an error of the scenario, and one of a process, fail the run") {
            let scenario = Probe { _ in throw BrokenPromise("planted") }
            let process = Probe { world in
                await world.start("p") { _ in throw BrokenPromise("planted") }.wait()
            }
            return expect("planted", of: scenario) ?? expect("p failed: planted", of: process)
        },
        Check(name: "a dead process takes no further step, and its name can start again") { deadProcess() },
        Check(name: "a process that is killed at once takes not even its first step") {
            let log = Log()
            let outcome = Probe { world in
                world.start("p") { _ in log.append(1) }.crash(losingPower: false)
                await world.start("p") { _ in log.append(2) }.wait()
            }.outcome(seed: 1)
            return log.entries == [2] ? outcome.failure : "steps of \(log.entries)"
        },
        Check(name: "a cut drops messages one way only") { oneWayCut() },
        Check(name: "the plain store keeps its promise over 50 seeds") {
            let failed = (1...50).lazy.map { PlainFilesScenario(syncsBeforeAnswering: true).outcome(seed: $0) }
                .first { $0.failure != nil }
            return failed.map { "seed \($0.seed): \($0.failure ?? "")" }
        },
        Check(name: "a store that answers before it syncs is caught within 50 seeds") {
            let isCaught = (1...50).contains {
                PlainFilesScenario(syncsBeforeAnswering: false).outcome(seed: $0).failure != nil
            }
            return isCaught ? nil : "not caught"
        },
        Check(name: "the same seed gives the same trace hash, after other runs too") {
            let scenario = PlainFilesScenario(syncsBeforeAnswering: true)
            let first = scenario.outcome(seed: 11).hash
            let other = scenario.outcome(seed: 12).hash
            if first == other { return "two seeds have one hash" }
            return scenario.outcome(seed: 11).hash == first ? nil : "two hashes for one seed"
        },
        Check(name: "what a run leaves behind ends with it, on its thread") {
            let outcome = Probe { world in
                world.start("p") { process in
                    try? await process.time.sleep(for: .seconds(1))
                    // Begun after the end, it meets the gate before it was ever handed to the executor.
                    Task.immediate { try? await process.time.sleep(for: .seconds(1)) }
                }
                try await world.time.sleep(for: .milliseconds(1))
            }.outcome(seed: 1)
            let threads = threadCount()
            return threads == 1 ? outcome.failure : "\(threads) threads instead of 1"
        },
        // Last: its timer fires later, on a thread of its own.
        Check(name: "a real clock is reported as a deadlock") {
            expect("deadlock", of: Probe { _ in try await Task.sleep(for: .seconds(60)) })
        },
    ]

    private static func order(seed: UInt64) -> [Int] {
        let log = Log()
        _ = Probe { _ in
            await withTaskGroup { group in
                for task in 0..<4 {
                    group.addTask {
                        for _ in 0..<3 {
                            log.append(task)
                            await DeterministicExecutor.letOthersRun()
                        }
                    }
                }
            }
        }.outcome(seed: seed)
        return log.entries
    }

    private static func expect(_ reason: String, of scenario: Probe) -> String? {
        let failure = scenario.outcome(seed: 1, stepLimit: 10_000).failure
        guard let failure else { return "not noticed" }
        return failure.contains(reason) ? nil : "reported as: \(failure)"
    }

    private static func threadCount() -> Int {
        guard let folder = opendir("/proc/self/task") else { return 0 }
        defer { closedir(folder) }
        var entries = 0
        while readdir(folder) != nil { entries += 1 }
        // Without "." and "..".
        return entries - 2
    }

    private static func waitForEver() async {
        await withUnsafeContinuation { (_: UnsafeContinuation<Void, Never>) in }
    }

    private static func deadProcess() -> String? {
        let log = Log()
        let failure = Probe { world in
            for life in 1...2 {
                let process = world.start("p", disks: ["d"]) { process in
                    // What it does about errors must not run after its death either.
                    while true {
                        try? await process.time.sleep(for: .seconds(1))
                        log.append(life)
                    }
                }
                try await world.time.sleep(for: .milliseconds(2_500))
                process.crash()
            }
            try await world.time.sleep(for: .seconds(10))
            log.append(0)
        }.outcome(seed: 1).failure
        let entries = Array(log.entries.prefix { $0 != 0 })
        return entries == [1, 1, 2, 2] ? failure : "its steps were \(entries)"
    }

    private static func oneWayCut() -> String? {
        let log = Log()
        let failure = Probe { world in
            for name in ["a", "b"] {
                world.start(name) { process in process.serve(name, Echo(log: log)) }
            }
            try await world.time.sleep(for: .milliseconds(1))
            world.network.cut(from: "a", to: "b")
            for (from, to) in [("a", "b"), ("b", "a")] {
                // The request or the answer is lost; only one of the two requests arrives.
                let result = await world.network.call(
                    to,
                    from: from,
                    TransportMessage(header: []),
                    timeout: .seconds(1)
                )
                if case .success = result { throw BrokenPromise("\(from) > \(to) was answered") }
            }
            world.network.heal()
            _ = try await world.network.call("b", from: "a", TransportMessage(header: []), timeout: .seconds(1)).get()
        }.outcome(seed: 1).failure
        return log.entries.count == 2 ? failure : "\(log.entries.count) requests arrived instead of 2"
    }
}

/// A scenario in a closure.
private struct Probe: Scenario {
    let name = "probe"
    let summary = "a part of the self-test"
    let body: @Sendable (World) async throws -> Void

    init(_ body: @escaping @Sendable (World) async throws -> Void) { self.body = body }

    func run(world: World, without faults: Set<Int>) async throws { try await body(world) }
}

private struct Echo: TransportService {
    let log: Log
    func answer(_ message: TransportMessage) async -> TransportMessage {
        log.append(1)
        return message
    }
}

private final class Log: Sendable {
    private let state = Mutex<[Int]>([])
    var entries: [Int] { state.withLock { $0 } }
    func append(_ entry: Int) { state.withLock { $0.append(entry) } }
}
