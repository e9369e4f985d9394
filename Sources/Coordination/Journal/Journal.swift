internal import ClusterProtocol
package import DiskFormat
internal import Metadata
package import ObjectInterface
package import ObjectModel
import Synchronization
internal import SystemInterface

/// Limits of a journal.
package struct JournalConfiguration: Hashable, Sendable {
    /// T of DESIGN §7: a coordinator answers only while J keepers have confirmed its incarnation within this time.
    package var confirmation: Duration
    /// How long an append may wait for J keepers before the journal stops: longer than a disk takes to come back from
    /// a reset, shorter than a client's patience.
    package var patience: Duration
    /// Records kept in memory for keepers that are behind; a keeper further behind is fed from another one's log.
    package var ringBytes: Int
    /// Payload of one call to a keeper at most, one record aside.
    package var batchBytes: Int
    /// Appends that may wait at once.
    package var waitingAppends: Int

    package init(
        confirmation: Duration = .seconds(2),
        patience: Duration = .seconds(30),
        ringBytes: Int = 32 << 20,
        batchBytes: Int = 1 << 20,
        waitingAppends: Int = 4_096
    ) {
        self.confirmation = confirmation
        self.patience = patience
        self.ringBytes = ringBytes
        self.batchBytes = batchBytes
        self.waitingAppends = waitingAppends
    }

    /// How much faster than this coordinator's clock another's may run, as a part of T: a new coordinator waits T and
    /// this much more.
    static let clockAllowance = 8
}

/// The metadata journal of one coordinator incarnation (DESIGN §7): records go to all keepers in order, and count when
/// J of them have them on stable storage.
///
/// `start` finds the journal and makes it this incarnation's; `run` must run from then on until the coordinator ends.
/// Once an append has thrown, the journal is stopped for good, and so is the coordinator: what was sent may or may not
/// survive, and the next start finds out.
package final class Journal: JournalWriter, Sendable {
    package let incarnation: UInt32
    /// It was started with fewer than J keepers, by the operator's word: records may be lost.
    package let wasForced: Bool
    let configuration: JournalConfiguration
    let time: any TimeSource
    let core: Mutex<JournalCore>
    private let clients: Mutex<[DiskID: any KeeperClient]>
    private let wakeups: Mutex<[DiskID: Wakeup]>
    /// Nanoseconds of monotonic time until which J keepers have confirmed the incarnation.
    private let confirmedUntil = Atomic<UInt64>(0)
    private let arrivals = Wakeup()
    private let arrived = Mutex<[DiskID]>([])
    private let isRunning = Atomic(false)
    let room = JournalRoom()

    init(core: JournalCore, clients: [DiskID: any KeeperClient], time: any TimeSource, wasForced: Bool) {
        incarnation = core.incarnation
        self.wasForced = wasForced
        configuration = core.limits
        self.time = time
        wakeups = Mutex(Dictionary(uniqueKeysWithValues: core.members.map { ($0, Wakeup()) }))
        self.core = Mutex(core)
        self.clients = Mutex(clients)
    }

    // MARK: The data path

    /// Returns once J keepers hold the records durably; see `JournalWriter`. The records must follow the last one of
    /// the journal, in this incarnation. Throws `JournalError`; then the coordinator must stop.
    package func append(_ records: [JournalRecord]) async throws {
        guard let last = records.last else { return }
        try await withCheckedThrowingContinuation { (continuation: CheckedContinuation<Void, any Error>) in
            let waiter = JournalCore.Waiter(
                sequence: last.position.sequence,
                since: time.monotonic,
                continuation: continuation
            )
            do throws(JournalError) {
                try core.withLock { core throws(JournalError) in try core.append(records, waiter: waiter) }
                room.spend(on: records)
            } catch {
                return continuation.resume(throwing: error)
            }
            signalAll()
        }
    }

    package var shortage: StorageError? {
        guard room.isShort else { return nil }
        return StorageError(
            .full,
            "The disks are full, and the journal's last room is kept for a checkpoint. Add disks or make room on them; "
                + "reads go on, and changes once a checkpoint has been taken."
        )
    }

    /// The last record appended, durable or not.
    package var last: JournalPosition { core.withLock { $0.last } }

    /// True while J keepers have confirmed this incarnation within T. A coordinator that is asked anything looks here
    /// before it answers, after it has read: one atomic load and the clock.
    package var isConfirmed: Bool {
        time.monotonic.nanoseconds < confirmedUntil.load(ordering: .acquiring)
    }

    /// Trims the journal: everything up to `position` is in the checkpoint that `checkpoint` lists. Returns at once;
    /// the keepers follow by and by.
    package func checkpointTaken(_ position: JournalPosition, checkpoint: [UInt8]) throws(JournalError) {
        try core.withLock { core throws(JournalError) in try core.checkpointTaken(position, checkpoint) }
        signalAll()
    }

    /// What an operator sees of one keeper.
    package struct KeeperReport: Hashable, Sendable {
        package var keeper: DiskID
        /// True when it holds a whole log and counts.
        package var isWhole: Bool
        /// Records that it has yet to get.
        package var lag: UInt64
        /// For how long it has been on its way to records that there were then; zero when it has all, or had all a
        /// moment ago.
        package var lagging: Duration
        package var failure: String?

        /// Records on their way are no lag: a keeper that is written to is always behind by some.
        private static let patience = Duration.seconds(2)

        /// How it is to be counted. `isServed`: whether its disk is used by its node, of which a journal that nothing
        /// is written to would not hear.
        package func standing(isServed: Bool) -> KeeperStanding {
            guard isServed, failure == nil else { return .unreachable }
            return isWhole && lagging <= Self.patience ? .current : .behind
        }
    }

    /// See `KeeperReport.standing`.
    package enum KeeperStanding: Hashable, Sendable { case current, behind, unreachable }

    package struct Report: Hashable, Sendable {
        package var keepers: KeeperSet
        package var last: JournalPosition
        /// The last sequence that J keepers hold.
        package var committed: UInt64
        package var base: JournalPosition
        package var members: [KeeperReport]
        package var stopped: JournalError?
    }

    package var report: Report {
        let now = time.monotonic
        return core.withLock { core in
            // One that learns is no keeper yet.
            let members = core.members.filter { $0 != core.learner }.compactMap { keeper in
                core.progress[keeper].map {
                    KeeperReport(
                        keeper: keeper,
                        isWhole: $0.phase == .whole,
                        lag: core.last.sequence - min($0.sequence, core.last.sequence),
                        lagging: $0.lag.map { now.duration(since: $0.since) } ?? .zero,
                        failure: $0.failure
                    )
                }
            }
            return Report(
                keepers: core.keepers,
                last: core.last,
                committed: core.committed,
                base: core.base,
                members: members,
                stopped: core.stopped
            )
        }
    }

    // MARK: Background work

    /// From here on the keeper of this client is fed, by `run`.
    func join(_ client: any KeeperClient) {
        clients.withLock { $0[client.keeper] = client }
        let former = wakeups.withLock { $0.updateValue(Wakeup(), forKey: client.keeper) }
        former?.signal()
        arrived.withLock { $0.append(client.keeper) }
        arrivals.signal()
    }

    /// Feeds the keepers, renews the confirmation and watches the time, until the task is cancelled or the journal
    /// stops. Call once.
    package func run(executor: (any TaskExecutor)? = nil) async {
        guard !isRunning.exchange(true, ordering: .relaxed) else { return }
        await withDiscardingTaskGroup { group in
            group.addTask { await self.watch() }
            for keeper in core.withLock({ $0.members }) { addTasks(for: keeper, to: &group, executor) }
            while !Task.isCancelled && !isStopped {
                await arrivals.wait()
                let joined = arrived.withLock { keepers in
                    defer { keepers = [] }
                    return keepers
                }
                for keeper in joined { addTasks(for: keeper, to: &group, executor) }
            }
            stop(.stopped)
            group.cancelAll()
        }
    }

    private func addTasks(
        for keeper: DiskID,
        to group: inout DiscardingTaskGroup,
        _ executor: (any TaskExecutor)?
    ) {
        // The child itself is the global executor's, so that it ends outside whatever calls it inline.
        group.addTask { await withTaskExecutorPreference(executor) { await self.feed(keeper) } }
        group.addTask { await self.renew(keeper) }
    }

    private var isStopped: Bool { core.withLock { $0.stopped != nil } }

    /// Stops the journal: every append that waits, and every later one, throws.
    package func stop(_ error: JournalError) {
        core.withLock { $0.stop(error) }
        settle()
    }

    /// Stops the journal when appends have waited too long.
    private func watch() async {
        while !isStopped {
            guard (try? await time.sleep(for: configuration.patience / 8)) != nil else { return }
            let now = time.monotonic
            let patience = configuration.patience
            core.withLock { core in
                guard core.waiters.contains(where: { now.duration(since: $0.since) >= patience }) else { return }
                var failures: [DiskID: String] = [:]
                for keeper in core.members { failures[keeper] = core.progress[keeper]?.failure }
                core.stop(.quorumLost(failures))
            }
            settle()
        }
    }

    private func renew(_ keeper: DiskID) async {
        let interval = configuration.confirmation / 4
        let tenure = tenure(of: keeper)
        while let tenure, core.withLock({ $0.stopped == nil && $0.progress[keeper]?.tenure == tenure }) {
            await confirm(keeper, after: interval)
            guard (try? await time.sleep(for: interval)) != nil else { return }
        }
    }

    /// Asks the keeper unless it has confirmed less than `interval` ago.
    func confirm(_ keeper: DiskID, after interval: Duration) async {
        let now = time.monotonic
        let confirmed = core.withLock { $0.progress[keeper]?.confirmedAt }
        if let confirmed, now.duration(since: confirmed) < interval { return }
        guard let client = client(keeper) else { return }
        do throws(KeeperCallError) {
            try await client.confirm(incarnation: incarnation)
            core.withLock { $0.confirmed(keeper, sentAt: now) }
        } catch {
            if case .refused(.superseded) = error { core.withLock { $0.failed(keeper, error) } }
        }
        settle()
    }

    // MARK: Common

    func client(_ keeper: DiskID) -> (any KeeperClient)? { clients.withLock { $0[keeper] } }

    func wakeup(_ keeper: DiskID) -> Wakeup? { wakeups.withLock { $0[keeper] } }

    func signalAll() {
        for wakeup in wakeups.withLock({ Array($0.values) }) { wakeup.signal() }
    }

    /// After any change of the core: the confirmation as it now is, what all keepers are to be told, and the waiters of
    /// a journal that has stopped.
    func settle() {
        let (until, isUntold, stranded, stopped) = core.withLock { core in
            (
                core.confirmedUntil(within: configuration.confirmation), core.takeUntoldReference(),
                core.takeStranded(), core.stopped
            )
        }
        confirmedUntil.store(until?.nanoseconds ?? 0, ordering: .releasing)
        if isUntold { signalAll() }
        guard let stopped else { return }
        for waiter in stranded { waiter.continuation.resume(throwing: stopped) }
        signalAll()
        arrivals.signal()
    }
}
