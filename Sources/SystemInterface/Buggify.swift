/// A place in the code where a simulation makes happen often what is rare: a wait, an early end, a failure, another
/// way round. Each is something that the outside world may bring about anyway, so that every promise holds with any of
/// them. Docs/Testing.md says how to add one.
package enum BuggifyPoint: String, CaseIterable, Sendable {
    // MARK: Metadata

    /// The keepers have the records, and the database fails before it commits them: the store stops.
    case commitFails
    /// A change goes into a transaction of its own, although others wait.
    case changeAlone
    /// A version that is in the read cache is read from the database.
    case cacheForgets
    /// A checkpoint's blobs are written, and it ends before it is recorded.
    case checkpointCutShort
    /// A checkpoint is recorded, and the journal is not trimmed behind it.
    case journalUntrimmed
    /// The journal keeps few records in memory: a keeper that is behind is fed from another's log.
    case journalForgets

    // MARK: Objects

    /// The current write lease ends, as when its node is declared dead, while writes are under way.
    case leaseEndsEarly
    /// A pack takes one object, although others wait.
    case packOfOne
    /// Long between a blob's shards and the transaction that names them.
    case commitLate
    /// Long between a reader's look-up and its first byte.
    case readLate
    /// Long between a repack's copy and the transaction that moves the owners.
    case repackLate

    // MARK: Blobs

    /// The answer of a disk that a write has a quorum without is lost: its shard counts as missing, and is there.
    case answerLost
    /// A write waits for every disk.
    case stragglersAwaited
    /// A read asks other shards at once, as if its disks were slow.
    case hedgeAtOnce
    /// What repair or a move has written reads back bad.
    case repairReadsBad

    // MARK: Maintenance

    /// A look found a shard bad, and it is long until that is noted.
    case lookLate
    /// The mover stops between a copy and its registration.
    case moveCutShort
    /// Long between a moved shard's registration and its erasure where it was.
    case moveErasesLate
    /// Long between the question who reads a dead blob and its erasure.
    case collectorLate
    /// Long between the last look at an orphan or surplus shard and its erasure.
    case orphansLate

    // MARK: One disk

    /// A compaction ends before the copies count.
    case compactionCutShort
    /// Long between a compaction's copies and the switch to them.
    case compactionLate
    /// A round of the group commit takes few writes.
    case smallRounds

    // MARK: Journal keepers

    /// A keeper refuses an append, as if too many calls waited for its disk.
    case keeperBusy
    /// A keeper's log fails behind a write: the records are there, and nobody knows.
    case keeperFails
    /// A keeper has noted what a checkpoint covers, and keeps the files of that.
    case trimCutShort
    /// The opening of a keeper's log ends when it has read everything, and is begun again.
    case openingCutShort
    /// Long before a keeper does what it was called for.
    case keeperCallLate
    /// A keeper's call is carried out twice.
    case keeperCallTwice

    // MARK: Nodes

    /// Long before a node looks at a disk that it serves.
    case nodeLooksLate
    /// A node formats a disk, opens a failed log or begins a new one twice.
    case nodeCallTwice
    /// A node refuses to open a failed log, this time.
    case logStaysShut
    /// Long before a shard is read.
    case shardReadLate

    // MARK: Recovery

    /// The import of a checkpoint ends behind its first rows, and is begun again.
    case importCutShort
}

/// Which points strike: none, but in a simulation. A parameter below the outside world, like time and randomness.
package struct Buggify: Sendable {
    /// Nothing ever strikes.
    package static let never = Buggify(draw: nil)

    /// The longest pause.
    private static let longestPause = Duration.seconds(3)

    private let draw: (@Sendable (BuggifyPoint) -> UInt64?)?

    /// `draw` is asked at each point that is passed: nil, or a random number when it is to strike.
    package init(_ draw: @escaping @Sendable (BuggifyPoint) -> UInt64?) { self.init(draw: draw) }

    private init(draw: (@Sendable (BuggifyPoint) -> UInt64?)?) { self.draw = draw }

    /// Whether the point strikes, this time.
    package func strikes(_ point: BuggifyPoint) -> Bool {
        guard let draw else { return false }
        return draw(point) != nil
    }

    /// Waits a random time when the point strikes; returns at once when it does not.
    package func pause(_ point: BuggifyPoint, _ time: any TimeSource) async {
        guard let number = draw?(point) else { return }
        let microseconds = number % UInt64(Self.longestPause / .microseconds(1))
        try? await time.sleep(for: .microseconds(Int64(microseconds)))
    }
}
