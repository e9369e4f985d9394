internal import ClusterProtocol
package import DiskFormat
package import ObjectModel
import Synchronization
package import SystemInterface

/// What a coordinator brings to the start of its journal.
package struct JournalOpening: Sendable {
    /// Every keeper that can be found, of the journal's set or not.
    package var clients: [any KeeperClient]
    /// The keepers of a store that is new; nil when it is not: then disks without a journal are an error.
    package var founding: [DiskID]?
    /// The last change that the database holds; `.origin` for an empty one.
    package var database: JournalPosition
    /// The highest incarnation the database has heard of.
    package var databaseIncarnation: UInt32
    /// The highest incarnation that this coordinator has drawn itself; a keeper that knows of a higher one has another
    /// coordinator, and this one must not start. nil where there can be no other.
    package var ownIncarnation: UInt32?
    /// Makes an incarnation durable as this coordinator's own, before any keeper promises it.
    package var recordIncarnation: (@Sendable (UInt32) async throws -> Void)?
    /// The operator's word (`--force-journal`) to go on with the keepers that are there, as the new set, although fewer
    /// than J of the old one are.
    package var isForced: Bool

    package init(
        clients: [any KeeperClient],
        founding: [DiskID]? = nil,
        database: JournalPosition = .origin,
        databaseIncarnation: UInt32 = 0,
        isForced: Bool = false
    ) {
        self.clients = clients
        self.founding = founding
        self.database = database
        self.databaseIncarnation = databaseIncarnation
        self.isForced = isForced
    }
}

extension Journal {
    /// Finds the journal on its keepers and makes it this incarnation's (DESIGN §7, Start; one path after a clean stop,
    /// a crash, or a move to another machine).
    ///
    /// Draws an incarnation higher than any seen, at random, gets the promises of J keepers, takes the log that was
    /// declared whole last and of those the longest, has J keepers declare it whole under the new incarnation, hands
    /// the records that the database lacks to `replay` in order (keeper set changes among them: they have no effect on
    /// metadata), waits until no older coordinator can still believe itself confirmed, and returns. Call `run()` next.
    package static func start(
        _ opening: JournalOpening,
        configuration: JournalConfiguration = JournalConfiguration(),
        time: any TimeSource,
        random: any RandomSource,
        replay: ([JournalRecord]) async throws -> Void
    ) async throws(JournalError) -> Journal {
        let start = JournalStart(opening: opening, configuration: configuration, time: time)
        let (incarnation, survey) = try await start.promises(holder: random.next())
        let promisedAt = time.monotonic
        let found = try await start.choose(survey)
        let core = JournalCore(
            incarnation: incarnation,
            limits: configuration,
            keepers: found.keepers,
            other: found.other,
            ring: found.ring,
            base: found.base,
            checkpoint: found.checkpoint
        )
        let journal = Journal(
            core: core,
            clients: Dictionary(opening.clients.map { ($0.keeper, $0) }) { first, _ in first },
            time: time,
            wasForced: found.isForced
        )
        try await journal.establish(asNew: found.isNew)
        try await start.replay(found, replay)
        if !survey.isFresh { try await start.outwait(promisedAt) }
        for keeper in found.keepers.keepers { await journal.confirm(keeper, after: configuration.confirmation / 4) }
        return journal
    }

    /// Brings J keepers of every set (all of a new store) to hold the whole log, declared whole under this incarnation.
    private func establish(asNew: Bool) async throws(JournalError) {
        await withTaskGroup(of: Void.self) { group in
            for keeper in core.withLock({ $0.members }) {
                group.addTask { await self.bringUp(keeper) }
            }
            for await _ in group where core.withLock({ $0.isEstablished(asNew: asNew) }) { group.cancelAll() }
        }
        try core.withLock { core throws(JournalError) in
            if let stopped = core.stopped { throw stopped }
            guard core.isEstablished(asNew: asNew) else {
                let missing = core.keepers.keepers.filter { core.progress[$0]?.phase != .whole }
                throw .tooFewKeepers(
                    reached: core.keepers.keepers.count - missing.count,
                    needed: asNew ? core.keepers.keepers.count : core.keepers.quorum,
                    missing: missing
                )
            }
            core.settleStart()
        }
    }

    /// Tries at start before a keeper is left for later: it may need another one to be whole first.
    private static let startTries = 8

    private func bringUp(_ keeper: DiskID) async {
        guard let tenure = tenure(of: keeper) else { return }
        var tries = 0
        while !Task.isCancelled, tries < Self.startTries {
            switch await feedOnce(keeper, tenure: tenure) {
            case .done: continue
            case .nothingToDo, .leave: return
            case .failed:
                tries += 1
                guard (try? await time.sleep(for: .milliseconds(10 << tries))) != nil else { return }
            }
        }
    }
}

/// The steps of a start.
private struct JournalStart {
    struct Found {
        var keepers: KeeperSet
        /// True for a store that begins.
        var isNew = false
        /// True when fewer than J keepers were there.
        var isForced = false
        /// The set before, when the change is still in the log: J of both are needed.
        var other: KeeperSet?
        var base: JournalPosition
        var checkpoint: [UInt8]
        var ring: JournalRing
        var reader: JournalReader
    }

    let opening: JournalOpening
    let configuration: JournalConfiguration
    let time: any TimeSource

    /// Draws again this often when another coordinator draws at the same time.
    private static let draws = 8
    /// Incarnations are drawn at random from the next so many-th part of those that are left: 65,536 at first, and
    /// never the last of them.
    private static let strideShare: UInt32 = 1 << 16

    func promises(holder: UInt64) async throws(JournalError) -> (UInt32, JournalSurvey) {
        let first = await JournalSurvey.take(opening.clients)
        if first.isFresh && (opening.founding == nil || opening.database != .origin) { throw .noJournal }
        if let own = opening.ownIncarnation, first.highestIncarnation > max(own, opening.databaseIncarnation) {
            throw .superseded(incarnation: first.highestIncarnation)
        }
        var highest = max(first.highestIncarnation, opening.databaseIncarnation)
        for _ in 0..<Self.draws {
            guard highest < .max else { throw .invalid("incarnations are used up") }
            let incarnation = Self.incarnation(above: highest, by: holder)
            do {
                try await opening.recordIncarnation?(incarnation)
            } catch {
                throw .invalid("the incarnation cannot be recorded: \(error)")
            }
            let survey = await JournalSurvey.ask(opening.clients) { client async throws(KeeperCallError) in
                try await client.promise(incarnation: incarnation, holder: holder)
            }
            let refused = survey.failures.values.compactMap { error -> UInt32? in
                if case .refused(.superseded(let promised)) = error { return promised }
                return nil
            }
            guard let higher = refused.max() else { return (incarnation, survey) }
            highest = max(highest + 1, higher)
        }
        throw .superseded(incarnation: highest)
    }

    /// A store begins with 1. From then on it is not simply the next one: what is known may be less than what was.
    /// Database and disks may have been put back as they were once, while other disks keep what was written since. An
    /// incarnation that both histories had would give two blobs one id, and two records one position, and nothing
    /// could tell them apart.
    private static func incarnation(above highest: UInt32, by holder: UInt64) -> UInt32 {
        guard highest > 0 else { return 1 }
        let stride = max((.max - highest) / strideShare, 1)
        return highest + 1 + UInt32(holder % UInt64(stride))
    }

    /// The journal among the logs of those that promised, and whether they are enough.
    func choose(_ survey: JournalSurvey) async throws(JournalError) -> Found {
        if survey.isFresh { return try found(survey) }
        let ranked = survey.ranked
        let reader = JournalReader(ranked: ranked, clients: opening.clients, batchBytes: configuration.batchBytes)
        guard let newest = try survey.reference(), !ranked.isEmpty else { throw .noJournal }
        let base = newest.base
        var keepers = newest.reference.keepers
        var other: KeeperSet?
        var isForced = false
        var ring = JournalRing(after: base)
        try checkDatabase(base: base, last: reader.last)
        try await reader.read(after: base) { records throws(JournalError) in
            for record in records {
                if record.position.sequence == opening.database.sequence, record.position != opening.database {
                    throw .databaseDiverged(at: opening.database)
                }
                if let change = try decode(record), change.after.generation > newest.reference.keepers.generation {
                    (keepers, other) = (change.after, change.before)
                }
                ring.append(record)
            }
            ring.shorten(to: configuration.ringBytes)
        }
        let knowing = ranked.map(\.keeper)
        do throws(JournalError) {
            for set in [keepers] + (other.map { [$0] } ?? []) { try check(set, knowing) }
        } catch {
            if survey.isEmpty, let again = try? self.found(survey) { return again }
            guard opening.isForced else { throw error }
            keepers = KeeperSet(generation: keepers.generation + 1, keepers: survey.answers.map(\.keeper))
            other = nil
            isForced = true
        }
        return Found(
            keepers: keepers,
            isForced: isForced,
            other: other,
            base: base,
            checkpoint: newest.reference.checkpoint,
            ring: ring,
            reader: reader
        )
    }

    /// A store that is new: it begins with all its keepers.
    private func found(_ survey: JournalSurvey) throws(JournalError) -> Found {
        guard let founding = opening.founding, !founding.isEmpty, opening.database == .origin else { throw .noJournal }
        let keepers = KeeperSet(generation: 1, keepers: founding)
        let reached = keepers.count(of: survey.answers.map(\.keeper))
        guard reached == keepers.keepers.count else {
            let missing = keepers.keepers.filter { keeper in !survey.answers.contains { $0.keeper == keeper } }
            throw .tooFewKeepers(reached: reached, needed: keepers.keepers.count, missing: missing)
        }
        return Found(
            keepers: keepers,
            isNew: true,
            other: nil,
            base: .origin,
            checkpoint: [],
            ring: JournalRing(after: .origin),
            reader: JournalReader(ranked: [], clients: [], batchBytes: configuration.batchBytes)
        )
    }

    private func check(_ set: KeeperSet, _ knowing: [DiskID]) throws(JournalError) {
        let reached = set.count(of: knowing)
        guard reached < set.quorum else { return }
        throw .tooFewKeepers(
            reached: reached,
            needed: set.quorum,
            missing: set.keepers.filter { !knowing.contains($0) }
        )
    }

    private func checkDatabase(base: JournalPosition, last: JournalPosition) throws(JournalError) {
        let database = opening.database
        guard database.sequence >= base.sequence else { throw .databaseBehind(database: database, journal: base) }
        guard database.sequence <= last.sequence else { throw .databaseAhead(database: database, journal: last) }
        guard database.sequence != base.sequence || database == base else { throw .databaseDiverged(at: base) }
    }

    private func decode(_ record: JournalRecord) throws(JournalError) -> KeeperSetChange? {
        do throws(JournalFormatError) {
            return try KeeperSetChange.decode(record.payload)
        } catch {
            throw .format(error)
        }
    }

    func replay(
        _ found: Found,
        _ body: ([JournalRecord]) async throws -> Void
    ) async throws(JournalError) {
        try await found.reader.read(after: opening.database) { records throws(JournalError) in
            do {
                try await body(records)
            } catch {
                throw .replayFailed("\(error)")
            }
        }
    }

    /// Waits until every older coordinator's confirmation has run out, its clock being a little slower than this one.
    func outwait(_ promisedAt: MonotonicTime) async throws(JournalError) {
        let whole = configuration.confirmation + configuration.confirmation / JournalConfiguration.clockAllowance
        let left = whole - time.monotonic.duration(since: promisedAt)
        guard left > .zero else { return }
        do {
            try await time.sleep(for: left)
        } catch {
            throw .stopped
        }
    }
}
