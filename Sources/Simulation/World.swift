import Synchronization
import SystemInterface
import TestKit

/// Everything outside the code under test, in one seed: disks, network, time, randomness, and processes that crash.
package final class World: Sendable {
    package let seed: UInt64
    package let time = SimulatedTime()
    package let trace: Trace
    package let network: SimulatedNetwork
    /// Random numbers for the scenario itself.
    package let random: SeededRandom

    private struct State {
        var generator: SplitMix64
        var disks: [String: MemoryDisk] = [:]
        var slowness: [String: Int] = [:]
        var operations = 0
        /// By buggify point: how often it struck.
        var strikes: [String: Int] = [:]
        /// By what the system did beside its clients' work: how often.
        var deeds: [String: Int] = [:]
        var processes: [SimulatedProcess] = []
        var problems: [String] = []
        var subject: String?
    }

    private let state: Mutex<State>

    init(seed: UInt64, echo: (@Sendable (String) -> Void)?) {
        self.seed = seed
        // Streams of their own: what the scenario draws does not change what the network does.
        var generator = SplitMix64(seed: seed)
        trace = Trace(time: time, echo: echo)
        random = SeededRandom(seed: generator.next())
        network = SimulatedNetwork(generator: generator.split(), time: time, trace: trace)
        state = Mutex(State(generator: generator.split()))
    }

    /// The disk of this name, made when first asked for: its faults, flips, room and contents are the scenario's to
    /// change.
    package func disk(_ name: String, _ profile: DiskProfile = .ordinary) -> MemoryDisk {
        state.withLock { state in
            if let disk = state.disks[name] { return disk }
            let disk = MemoryDisk(device: UInt64(state.disks.count + 1))
            disk.answersCachedReads = false
            disk.setLatency(latency(of: name, profile, state.generator.split()))
            state.disks[name] = disk
            return disk
        }
    }

    /// From now on the disk takes so many times as long; 1 is as its profile says.
    package func slow(_ name: String, times factor: Int) {
        trace.record("disk \(name) takes \(factor) times as long")
        state.withLock { $0.slowness[name] = factor }
    }

    /// Puts another image in a disk's place, for whoever mounts it next.
    package func setImage(_ name: String, _ image: MemoryDisk) { state.withLock { $0.disks[name] = image } }

    /// Flips bits of a disk, in segments and journal.
    func rot(_ name: String, bits: Int) {
        let disk = disk(name)
        let files = disk.files.filter { $0.hasPrefix("segments/") || $0.hasPrefix("journal/") }
        guard !files.isEmpty else { return }
        for _ in 0..<bits {
            let file = files[Int(random.next() % UInt64(files.count))]
            guard let length = disk.length(file), length > 0 else { continue }
            let offset = Int(random.next() % UInt64(length))
            disk.flip(file, offset: offset, mask: 1 << UInt8(random.next() % 8))
        }
    }

    /// Bytes of a disk's segments.
    func segmentBytes(of name: String) -> Int {
        let disk = disk(name)
        return disk.files.filter { $0.hasPrefix("segments/") }.reduce(0) { $0 + (disk.length($1) ?? 0) }
    }

    /// Counts an operation of a client.
    package func countOperation() { state.withLock { $0.operations += 1 } }

    /// Counts a buggify point that struck.
    package func countStrike(_ point: String) { state.withLock { $0.strikes[point, default: 0] += 1 } }

    /// By buggify point: how often it struck.
    package var strikes: [String: Int] { state.withLock { $0.strikes } }

    /// Counts what the system did beside its clients' work.
    package func countDeeds(_ deed: String, _ times: Int) {
        guard times > 0 else { return }
        state.withLock { $0.deeds[deed, default: 0] += times }
    }

    /// By what the system did beside its clients' work: how often.
    package var deeds: [String: Int] { state.withLock { $0.deeds } }

    /// Operations of clients so far.
    package var operations: Int { state.withLock { $0.operations } }

    /// Starts a process with these disks. `main` may return: what it registered goes on serving. What it throws while
    /// it lives fails the run.
    @discardableResult
    package func start(
        _ name: String,
        disks: [String] = [],
        _ main: @escaping @Sendable (SimulatedProcess) async throws -> Void
    ) -> SimulatedProcess {
        trace.record("start \(name)")
        let mounted = disks.map { ($0, disk($0)) }
        let seed = state.withLock { $0.generator.next() }
        let process = SimulatedProcess(name: name, disks: mounted, seed: seed, world: self)
        state.withLock { $0.processes.append(process) }
        process.run { [weak self] in
            // Killed before its first step: whoever started it may have started its successor since.
            guard process.isAlive else { return }
            do {
                try await main(process)
            } catch {
                if process.isAlive { self?.report("\(name) failed: \(error)") }
            }
        }
        return process
    }

    /// Notes that a promise was broken; the run fails with it.
    package func report(_ error: any Error) {
        note(subjectOf: error)
        report("\(error)")
    }

    func note(subjectOf error: any Error) {
        guard let subject = (error as? BrokenPromise)?.subject else { return }
        state.withLock { $0.subject = $0.subject ?? subject }
    }

    /// What the first broken promise was about, as the trace names it.
    package var subject: String? { state.withLock { $0.subject } }

    /// Notes that something is wrong; the run fails with it.
    package func report(_ problem: String) {
        trace.record("problem: \(problem)")
        state.withLock { $0.problems.append(problem) }
    }

    package var problems: [String] { state.withLock { $0.problems } }

    func crashDisk(_ disk: MemoryDisk, losingPower: Bool) {
        guard losingPower else { return disk.restart() }
        var generator = state.withLock { $0.generator.split() }
        disk.crash(using: &generator)
    }

    /// Makes every task that is left end, and lets go of what refers back to this world.
    func end() {
        trace.seal()
        let processes = state.withLock { state in
            defer { state.processes = [] }
            return state.processes
        }
        for process in processes {
            process.end()
            network.removeServices(of: process.name)
        }
        time.end()
    }

    /// Gives back the contents of the disks, whatever still refers to them.
    func destroyDisks() {
        let disks = state.withLock { state in
            defer { state.disks = [:] }
            return state.disks
        }
        for disk in disks.values { disk.destroy() }
    }

    private func latency(of name: String, _ profile: DiskProfile, _ generator: SplitMix64) -> MemoryDisk.Latency {
        let draws = Draws(generator)
        return { [time, trace, weak self] operation, path, bytes in
            let factor = self?.state.withLock { $0.slowness[name] } ?? 1
            let microseconds = factor * draws.draw { profile.microseconds(for: operation, bytes: bytes, using: &$0) }
            trace.record(microseconds) {
                "disk \(name) \(operation.rawValue) \(path) \(bytes) \(microseconds) us"
            }
            try? await time.sleep(for: .microseconds(microseconds))
        }
    }
}

/// A generator shared by the calls of one disk.
private final class Draws: Sendable {
    private let generator: Mutex<SplitMix64>
    init(_ generator: SplitMix64) { self.generator = Mutex(generator) }

    func draw(_ body: (inout SplitMix64) -> Int) -> Int { generator.withLock { body(&$0) } }
}
