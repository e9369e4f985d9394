import Glibc
import Synchronization
import TestKit

/// Runs plain `async` code on one thread in an order that a seed alone decides.
///
/// The runtime's `swift_task_enqueueGlobal_hook` is handed every job that would go to the global pool: tasks, groups,
/// default actors, continuations. They are kept in a list, and the next one is drawn from it. When none is ready,
/// virtual time moves to the next timer; now and then it does so although jobs are ready, as on a busy machine. The
/// hook serves the whole process: a simulation runs in a program of its own, never beside other tasks.
package enum DeterministicExecutor {
    /// How a run ended.
    package enum End: Sendable {
        case finished
        /// The root task threw.
        case failed(String)
        /// Nothing is ready and nobody sleeps, but the root task has not returned: a wait for what will never come, or
        /// work that escaped to a real thread or clock.
        case deadlock
        /// More jobs than `stepLimit`: something spins.
        case endless
        /// A job came from another thread: something beneath the simulation uses threads, a real clock or real files.
        case foreignThread
    }

    package struct Report: Sendable {
        package var end: End
        /// Jobs run.
        package var steps: Int
    }

    /// Jobs of one run at most; a run of some hundred operations takes less than a hundredth of it.
    package static let stepLimit = 20_000_000
    /// Jobs run after the root's end, to let the rest wind up; what still spins then is dropped.
    private static let afterlifeLimit = 200_000
    /// One choice in so many wakes the next sleeper although jobs are ready, if it is due within `shortPause`.
    private static let pauseRate: UInt64 = 64
    /// What a busy machine makes a thread wait.
    private static let shortPause = Duration.milliseconds(5)
    /// One choice in so many does so whenever it is due: a machine that was suspended.
    private static let longPauseRate: UInt64 = 65_536
    /// One job in so many is left at each change of executor: another may go on there, as where a thread is preempted.
    /// The others go on through them as on the real pool, and a run has a third of the steps.
    private static let preemptionRate: UInt64 = 4

    private typealias Original = @convention(thin) (UnownedJob) -> Void
    private typealias Hook = @convention(thin) (UnownedJob, Original) -> Void

    private struct Shared {
        var ready: [UnownedJob] = []
        var thread: pthread_t?
        var hasForeign = false
        /// From the first run on no job goes to the real pool any more.
        var hasRun = false
    }

    private static let shared = Mutex(Shared())
    private static let executor = InlineExecutor()
    /// The executor of the global pool, which has no name in the language: an identity and an implementation of zero
    /// (`SerialExecutorRef::generic` of the runtime).
    private static let generic = withUnsafeBytes(of: (identity: 0, implementation: 0)) {
        $0.load(as: UnownedSerialExecutor.self)
    }
    private static let isInstalled: Bool = install()

    /// Runs `root` to its end, on the calling thread. `wind` is called after it: it must make every task that is left
    /// come to an end. One run at a time.
    package static func run(
        seed: UInt64,
        time: SimulatedTime,
        trace: Trace,
        stepLimit: Int = stepLimit,
        wind: () -> Void,
        root: @escaping @Sendable () async throws -> Void
    ) -> Report {
        guard isInstalled else {
            return Report(end: .failed("this Swift runtime has no swift_task_enqueueGlobal_hook"), steps: 0)
        }
        shared.withLock { $0 = Shared(thread: pthread_self(), hasRun: true) }
        defer { shared.withLock { $0.thread = nil } }
        var generator = SplitMix64(seed: seed)
        let result = RootResult()
        Task {
            do {
                try await root()
                result.set(.finished)
            } catch {
                result.set(.failed("\(error)"))
            }
        }
        let report = drive(until: result, time: time, trace: trace, stepLimit: stepLimit, using: &generator)
        wind()
        drain(using: &generator)
        return report
    }

    /// Puts the task that calls it back among those that are ready. `Task.yield` asks the executor that the task is on,
    /// and from the generic one goes to the real pool, past the hook.
    static func letOthersRun() async {
        await withUnsafeContinuation { continuation in
            Task { continuation.resume() }
        }
    }

    private static func drive(
        until result: RootResult,
        time: SimulatedTime,
        trace: Trace,
        stepLimit: Int,
        using generator: inout SplitMix64
    ) -> Report {
        var steps = 0
        while true {
            if let end = result.value { return Report(end: end, steps: steps) }
            if shared.withLock({ $0.hasForeign }) { return Report(end: .foreignThread, steps: steps) }
            if steps == stepLimit { return Report(end: .endless, steps: steps) }
            pause(time, using: &generator)
            if let (job, index) = draw(using: &generator) {
                trace.mix(index)
                run(job, using: &generator)
                steps += 1
            } else if !time.advance() {
                return Report(end: .deadlock, steps: steps)
            }
        }
    }

    private static func pause(_ time: SimulatedTime, using generator: inout SplitMix64) {
        let draw = generator.next()
        if draw % longPauseRate == 1 {
            _ = time.advance()
        } else if draw % pauseRate == 0 {
            _ = time.advance(within: shortPause)
        }
    }

    /// Lets the tasks that a run leaves behind end, so that they do not meet the next run.
    private static func drain(using generator: inout SplitMix64) {
        for _ in 0..<afterlifeLimit {
            guard let (job, _) = draw(using: &generator) else { return }
            run(job, using: &generator)
        }
    }

    /// The runtime lets a job switch from the generic executor to an actor that nobody uses, and back, without a new
    /// job; from any other executor it does not.
    private static func run(_ job: UnownedJob, using generator: inout SplitMix64) {
        let isPreempted = generator.next() % preemptionRate == 0
        job.runSynchronously(on: isPreempted ? executor.asUnownedSerialExecutor() : generic)
    }

    private static func draw(using generator: inout SplitMix64) -> (UnownedJob, Int)? {
        shared.withLock { shared in
            guard !shared.ready.isEmpty else { return nil }
            let index = Int.random(in: 0..<shared.ready.count, using: &generator)
            return (shared.ready.remove(at: index), index)
        }
    }

    private static func install() -> Bool {
        guard let symbol = dlsym(nil, "swift_task_enqueueGlobal_hook") else { return false }
        let hook: Hook = { job, original in
            if !DeterministicExecutor.take(job) { original(job) }
        }
        symbol.assumingMemoryBound(to: Optional<Hook>.self).pointee = hook
        return true
    }

    /// Keeps a job for the run in progress; false before the first run. Between runs a job is one that the last left
    /// behind, and is dropped: on the real pool it could go on into the next run.
    fileprivate static func take(_ job: UnownedJob) -> Bool {
        shared.withLock { shared in
            guard let thread = shared.thread else { return shared.hasRun }
            if pthread_equal(thread, pthread_self()) == 0 { shared.hasForeign = true }
            shared.ready.append(job)
            return true
        }
    }
}

/// The executor that jobs believe to run on: what they enqueue on it by name joins the same list.
private final class InlineExecutor: SerialExecutor {
    func enqueue(_ job: consuming ExecutorJob) {
        // A job left over from a run that has ended is dropped.
        _ = DeterministicExecutor.take(UnownedJob(job))
    }
}

private final class RootResult: Sendable {
    private let state = Mutex<DeterministicExecutor.End?>(nil)
    var value: DeterministicExecutor.End? { state.withLock { $0 } }
    func set(_ end: DeterministicExecutor.End) { state.withLock { $0 = end } }
}
