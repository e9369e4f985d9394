internal import ClusterProtocol
internal import DiskFormat
internal import ObjectModel
internal import SystemInterface

/// What one keeper is known to hold.
struct KeeperProgress: Sendable {
    /// Where this keeper stands. `unknown`: ask it. `feeding`: it is brought up to date and does not count. `whole`: it
    /// has acknowledged a mark of this incarnation, and counts.
    enum Phase: Sendable { case unknown, feeding, whole }

    /// Another one each time that a disk joins: what is still under way to the log that it had before says nothing
    /// about the one that it has now.
    let tenure: Int
    var phase = Phase.unknown
    /// Up to here the keeper is believed to hold this journal, or has said so when `whole`.
    var sequence: UInt64 = 0
    /// The reference that it has; 0 when that is not the current one.
    var reference = 0
    /// When the last call that it answered as this incarnation's keeper was begun.
    var confirmedAt: MonotonicTime?
    var failures = 0
    var failure: String?
    /// The last record there was at some moment, which the keeper did not have then: how long it has been on its way to
    /// that tells one that is behind from one that lacks what was appended this instant.
    var lag: (target: UInt64, since: MonotonicTime)?

    /// To be called after what it holds or what there is has changed.
    mutating func noteLag(last: UInt64, now: MonotonicTime) {
        if let lag, sequence < lag.target { return }
        lag = sequence < last ? (last, now) : nil
    }
}

/// The decisions of a running journal, as a value: what is to be sent to whom, what counts, what is kept in memory.
struct JournalCore: Sendable {
    /// What to do next with one keeper.
    enum Step: Sendable {
        case inspect
        case trim(base: JournalPosition, reference: [UInt8], number: Int)
        case send(Entry)
        /// What comes after `sequence` is no longer in memory: read it, and the record there, from another keeper.
        case refeed(sequence: UInt64)
        case idle
        case leave
    }

    /// What one call puts into a keeper's log.
    enum Entry: Sendable {
        /// At least one, after a place.
        case records([JournalRecord], after: JournalPosition)
        /// That the log is whole up to a place, in the journal of this incarnation.
        case mark(at: JournalPosition)
    }

    struct Waiter: Sendable {
        var sequence: UInt64
        var since: MonotonicTime
        var continuation: CheckedContinuation<Void, any Error>
    }

    let incarnation: UInt32
    let limits: JournalConfiguration
    /// The end of the log that this incarnation began with: a keeper counts once it holds all up to here.
    let start: UInt64
    private(set) var keepers: KeeperSet
    /// The set to come, or at start the one before, while records need J of both.
    private(set) var other: KeeperSet?
    /// A disk that is to join the set: fed as its keepers are, and counted with none of them.
    private(set) var learner: DiskID?
    /// Where a change of the set stands in the journal, once it has been appended.
    private var change: (after: KeeperSet, sequence: UInt64?)?
    private(set) var ring: JournalRing
    private(set) var committed: UInt64
    private(set) var base: JournalPosition
    private(set) var checkpoint: [UInt8]
    private(set) var referenceNumber = 1
    private var isReferenceUntold = false
    private(set) var progress: [DiskID: KeeperProgress] = [:]
    private var tenures = 0
    private(set) var waiters: [Waiter] = []
    private(set) var stopped: JournalError?

    init(
        incarnation: UInt32,
        limits: JournalConfiguration,
        keepers: KeeperSet,
        other: KeeperSet?,
        ring: JournalRing,
        base: JournalPosition,
        checkpoint: [UInt8]
    ) {
        self.incarnation = incarnation
        self.limits = limits
        self.keepers = keepers
        self.other = other
        self.ring = ring
        self.base = base
        self.checkpoint = checkpoint
        start = ring.last.sequence
        committed = start
        for keeper in keepers.keepers + (other?.keepers ?? []) { admit(keeper) }
    }

    private mutating func admit(_ keeper: DiskID) {
        tenures += 1
        progress[keeper] = KeeperProgress(tenure: tenures)
    }

    var last: JournalPosition { ring.last }
    var members: [DiskID] { progress.keys.sorted() }
    var reference: [UInt8] { JournalReference(keepers: keepers, checkpoint: checkpoint).encoded }

    // MARK: Records

    /// Takes records to be sent. The waiter is told when they are durable.
    mutating func append(_ records: [JournalRecord], waiter: Waiter) throws(JournalError) {
        if let stopped { throw stopped }
        guard waiters.count < limits.waitingAppends else { throw .invalid("too many appends wait for the journal") }
        var expected = last.sequence
        for record in records {
            expected += 1
            guard record.position.sequence == expected, record.position.incarnation == incarnation else {
                throw .invalid("record \(record.position) does not follow \(last) of incarnation \(incarnation)")
            }
        }
        try noteChange(records)
        for record in records { ring.append(record) }
        for index in progress.values.indices { progress.values[index].noteLag(last: expected, now: waiter.since) }
        waiters.append(waiter)
    }

    private mutating func noteChange(_ records: [JournalRecord]) throws(JournalError) {
        for record in records where KeeperSetChange.isChange(record.payload) {
            do throws(JournalFormatError) {
                let found = try KeeperSetChange.decode(record.payload)
                guard let change, change.sequence == nil, found?.after == change.after else {
                    throw JournalFormatError.invalid("keeper set change that nobody asked for")
                }
                self.change = (change.after, record.position.sequence)
            } catch {
                throw .format(error)
            }
        }
    }

    // MARK: One keeper

    func nextStep(_ keeper: DiskID, tenure: Int) -> Step {
        guard stopped == nil, let progress = progress[keeper], progress.tenure == tenure else { return .leave }
        if progress.phase == .unknown { return .inspect }
        if progress.reference != referenceNumber {
            return .trim(base: base, reference: reference, number: referenceNumber)
        }
        let sequence = progress.sequence
        let isMarkDue = isMarkDue(keeper, at: sequence)
        guard isMarkDue || sequence < last.sequence else { return .idle }
        guard let place = ring.position(at: sequence) else { return .refeed(sequence: sequence) }
        if isMarkDue { return .send(.mark(at: place)) }
        return .send(.records(ring.records(after: sequence, limit: limits.batchBytes), after: place))
    }

    /// Whether a keeper that holds all up to `sequence` lacks nothing but the mark.
    func isMarkDue(_ keeper: DiskID, at sequence: UInt64) -> Bool {
        progress[keeper]?.phase == .feeding && sequence >= start
    }

    /// What the keeper says it has counts as if it had just been acknowledged: that answer may have got lost, or its
    /// log failed behind the write, and with nothing left to send it no other answer would come.
    mutating func inspected(_ keeper: DiskID, _ state: KeeperState, now: MonotonicTime) -> [Waiter] {
        if state.promised > incarnation {
            supersede(state.promised)
            return []
        }
        let hasReference = state.base == base && state.reference == reference
        let end = last.sequence
        let (own, number) = (incarnation, referenceNumber)
        update(keeper) { progress in
            progress.failures = 0
            progress.failure = nil
            let isDamaged = !state.damaged.isEmpty
            let isWhole = state.written == own && !isDamaged
            progress.phase = isWhole ? .whole : .feeding
            let intact = state.damaged.first.map { max($0.lowerBound, 1) - 1 } ?? state.last.sequence
            progress.sequence = min(intact, end)
            progress.noteLag(last: end, now: now)
            progress.reference = hasReference ? number : 0
        }
        return advance()
    }

    mutating func trimmed(_ keeper: DiskID, number: Int) {
        let base = base.sequence
        update(keeper) { progress in
            progress.reference = number
            progress.failures = 0
            // Its log may now begin, and end, elsewhere.
            if progress.phase == .feeding {
                progress.sequence = max(progress.sequence, base)
            }
        }
    }

    /// The keeper has taken what was sent.
    mutating func acknowledged(_ keeper: DiskID, _ entry: Entry, sentAt: MonotonicTime) -> [Waiter] {
        let end = last.sequence
        update(keeper) { progress in
            progress.failures = 0
            progress.failure = nil
            switch entry {
            case .records(let records, let previous):
                progress.sequence = previous.sequence + UInt64(records.count)
            case .mark(let place):
                progress.sequence = place.sequence
                progress.phase = .whole
            }
            progress.confirmedAt = sentAt
            progress.noteLag(last: end, now: sentAt)
        }
        return advance()
    }

    mutating func confirmed(_ keeper: DiskID, sentAt: MonotonicTime) {
        update(keeper) { $0.confirmedAt = max($0.confirmedAt ?? sentAt, sentAt) }
    }

    mutating func failed(_ keeper: DiskID, _ error: KeeperCallError) {
        switch error {
        case .refused(.superseded(let promised)): supersede(promised)
        case .refused(.gap(let expected)): goBack(keeper, to: expected - min(expected, 1))
        case .refused(.mismatch(let sequence)): goBack(keeper, to: sequence)
        case .refused(.damaged(let range)): goBack(keeper, to: range.lowerBound - min(range.lowerBound, 1))
        default:
            update(keeper) { progress in
                progress.phase = .unknown
                progress.failures += 1
                // What it said before says more.
                if error == .refused(.notServed), progress.failure != nil { return }
                progress.failure = error.description
            }
        }
    }

    /// The keeper holds less of this journal than was thought. One that counted has lost records: it counts again only
    /// after a new mark.
    private mutating func goBack(_ keeper: DiskID, to sequence: UInt64) {
        update(keeper) { progress in
            let isProgress = progress.phase == .feeding && sequence < progress.sequence
            progress.phase = isProgress ? .feeding : .unknown
            progress.failures += isProgress ? 0 : 1
            progress.sequence = min(sequence, progress.sequence)
        }
    }

    private mutating func update(_ keeper: DiskID, _ body: (inout KeeperProgress) -> Void) {
        guard var progress = progress[keeper] else { return }
        body(&progress)
        self.progress[keeper] = progress
    }

    // MARK: Quorums

    /// The sets of which J are needed.
    private var sets: [KeeperSet] { [keepers] + (other.map { [$0] } ?? []) }

    /// True once enough keepers of every set in force are whole: J, or all of a store that is new. A keeper that was
    /// never written to is not told from one that has lost everything, so it would be no help at the next start.
    func isEstablished(asNew: Bool) -> Bool {
        sets.allSatisfy { set in
            set.keepers.count { progress[$0]?.phase == .whole } >= (asNew ? set.keepers.count : set.quorum)
        }
    }

    private mutating func advance() -> [Waiter] {
        var reached = UInt64.max
        for set in sets {
            let held = set.keepers.map { keeper in
                progress[keeper].map { $0.phase == .whole ? $0.sequence : 0 } ?? 0
            }
            reached = min(reached, held.sorted(by: >)[set.quorum - 1])
        }
        if reached > committed { committed = reached }
        finishChange()
        trimRing()
        let done = waiters.filter { $0.sequence <= committed }
        waiters.removeAll { $0.sequence <= committed }
        return done
    }

    /// Until when (exclusive) J keepers of every set have confirmed this incarnation; nil when they never have.
    func confirmedUntil(within duration: Duration) -> MonotonicTime? {
        guard stopped == nil else { return nil }
        var until: MonotonicTime?
        for set in sets {
            let times = set.keepers.compactMap { progress[$0]?.confirmedAt }.sorted(by: >)
            guard times.count >= set.quorum else { return nil }
            let end = times[set.quorum - 1].advanced(by: duration)
            until = min(until ?? end, end)
        }
        return until
    }

    // MARK: Memory

    private mutating func trimRing() {
        let held = progress.values.map(\.sequence).min() ?? 0
        ring.drop(upTo: committed, heldByAll: held, limit: limits.ringBytes)
    }

    // MARK: Keeper set and checkpoint

    /// From here on the disk is fed: with what the whole keepers have, then with what they get.
    mutating func beginLearning(_ keeper: DiskID) throws(JournalError) {
        try checkNoChange()
        guard progress[keeper] == nil else { throw .invalid("the disk keeps the journal already") }
        admit(keeper)
        learner = keeper
    }

    /// The learner joins nothing after all.
    mutating func endLearning(_ keeper: DiskID) {
        guard keeper == learner else { return }
        progress[keeper] = nil
        learner = nil
        trimRing()
    }

    /// `learned`: one that may be learning.
    private func checkNoChange(but learned: DiskID? = nil) throws(JournalError) {
        if let stopped { throw stopped }
        guard change == nil, other == nil, learner == learned else {
            throw .invalid("a change of the journal's keepers is in progress: wait for it")
        }
    }

    /// From here on records need J of the new set as well. A disk that joins has been learning until now.
    mutating func beginChange(to after: KeeperSet) throws(JournalError) {
        try checkNoChange(but: learner)
        let added = after.keepers.filter { !keepers.contains($0) }
        let removed = keepers.keepers.filter { !after.contains($0) }
        guard added.count <= 1, removed.count <= 1, added.count + removed.count > 0, !after.keepers.isEmpty,
            after.keepers.count <= KeeperSet.limit, after.generation == keepers.generation + 1
        else { throw .invalid("journal keepers change one at a time") }
        guard added.first == learner else { throw .invalid("a keeper joins only when it has been fed") }
        learner = nil
        other = after
        change = (after, nil)
    }

    /// Takes back a change whose record was never appended. What was appended meanwhile needs J of one set only now.
    mutating func cancelChange() -> [Waiter] {
        guard let change, change.sequence == nil else { return [] }
        adopt(keepers)
        return advance()
    }

    /// At start the last change of the log has been written again to J of both sets.
    mutating func settleStart() {
        guard change == nil, other != nil else { return }
        adopt(keepers)
    }

    private mutating func finishChange() {
        guard let change, let sequence = change.sequence, committed >= sequence else { return }
        adopt(change.after)
    }

    private mutating func adopt(_ set: KeeperSet) {
        keepers = set
        other = nil
        change = nil
        for keeper in members where !set.contains(keeper) { progress[keeper] = nil }
        // The set is part of what every log begins with.
        referenceNumber += 1
        isReferenceUntold = true
    }

    /// True once after a set has been adopted. All keepers are to be woken then: until they have been told, a start
    /// takes the change for one that may not have counted, and needs the set before as well.
    mutating func takeUntoldReference() -> Bool {
        defer { isReferenceUntold = false }
        return isReferenceUntold
    }

    mutating func checkpointTaken(_ position: JournalPosition, _ bytes: [UInt8]) throws(JournalError) {
        if let stopped { throw stopped }
        guard position.sequence <= committed else { throw .invalid("a checkpoint of changes that are not durable") }
        guard position.sequence >= base.sequence else { throw .invalid("a checkpoint older than the one before") }
        // A keeper takes another record at the same place for another history, and drops what follows.
        guard ring.incarnation(at: position.sequence) == position.incarnation else {
            throw .invalid("a checkpoint at \(position), where the journal has another record")
        }
        guard bytes.count <= JournalReference.checkpointLimit else {
            throw .invalid("the checkpoint's list is too long")
        }
        base = position
        checkpoint = bytes
        referenceNumber += 1
    }

    // MARK: The end

    private mutating func supersede(_ incarnation: UInt32) { stop(.superseded(incarnation: incarnation)) }

    mutating func stop(_ error: JournalError) { if stopped == nil { stopped = error } }

    /// Waiters to be told that the journal has stopped; none while it runs.
    mutating func takeStranded() -> [Waiter] {
        guard stopped != nil else { return [] }
        defer { waiters = [] }
        return waiters
    }
}
