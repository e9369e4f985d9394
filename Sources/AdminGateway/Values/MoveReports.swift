/// Disks that were taken into the store.
package struct DiskAddition: Codable, Hashable, Sendable {
    /// `SITE/NODE/SLOT` of each.
    package var disks: [String]

    package init(disks: [String]) { self.disks = disks }
}

/// What if disks of a node were added?
package struct AdditionQuestion: Codable, Hashable, Sendable {
    package var node: String
    /// Only the disk in this slot; nil for all that are empty and not in use.
    package var slot: String?
    /// Bytes a second that are moved at most; nil for the rate that holds.
    package var rate: Int?

    package init(node: String, slot: String? = nil, rate: Int? = nil) {
        self.node = node
        self.slot = slot
        self.rate = rate
    }
}

/// The answer to an `AdditionQuestion`. Nothing was changed for it.
package struct DiskAdditionReport: Codable, Hashable, Sendable {
    /// `SITE/NODE/SLOT` of each disk that would be taken.
    package var disks: [String]
    /// Bytes that each is taken to hold: what the smallest in use does.
    package var capacity: Int
    /// What would be moved then.
    package var moves: MovePlanReport

    package init(disks: [String], capacity: Int, moves: MovePlanReport) {
        self.disks = disks
        self.capacity = capacity
        self.moves = moves
    }
}

/// What shards are to be moved for.
package struct MoveRequest: Codable, Hashable, Sendable {
    /// Disks to empty, as `replaceDisk` names them; with none and no node, all disks are evened out.
    package var disks: [String]
    /// All disks of this node are to be emptied.
    package var node: String?
    /// Only tell what it would take.
    package var isDryRun: Bool
    /// Also where a class then survives less than it does.
    @Added package var isForced: Bool
    /// Bytes a second at most, of these moves alone; nil for the usual rate.
    package var rate: Int?

    package init(
        disks: [String] = [],
        node: String? = nil,
        isDryRun: Bool = false,
        isForced: Bool = false,
        rate: Int? = nil
    ) {
        self.isForced = isForced
        self.disks = disks
        self.node = node
        self.isDryRun = isDryRun
        self.rate = rate
    }
}

/// What was begun, or would be.
package struct MovePlanReport: Codable, Hashable, Sendable {
    package struct Disk: Codable, Hashable, Sendable {
        package var name: String
        /// Bytes of shards.
        package var before: Int
        package var after: Int
        /// Bytes of its file system in use now, and all it has; 0 of a disk that does not answer.
        @Added package var used: Int
        @Added package var capacity: Int

        package init(name: String, before: Int, after: Int, used: Int = 0, capacity: Int = 0) {
            self.name = name
            self.before = before
            self.after = after
            self.used = used
            self.capacity = capacity
        }

        /// Bytes of its file system in use then.
        package var usedThen: Int { max(0, used + after - before) }
    }

    /// What a class survives now, and once everything has moved.
    package struct Outlook: Codable, Hashable, Sendable {
        package var name: String
        package var now: ProtectionReport
        package var then: ProtectionReport
        /// Both by the shards alone: the journal bears less, now and then.
        package var isOfShardsAlone: Bool

        package init(name: String, now: ProtectionReport, then: ProtectionReport, isOfShardsAlone: Bool = false) {
            self.name = name
            self.now = now
            self.then = then
            self.isOfShardsAlone = isOfShardsAlone
        }
    }

    /// Shards' places in groups that change their disk.
    package var places: Int
    package var bytes: Int
    /// At the rate that is allowed; the disks may be slower.
    package var seconds: Int
    package var disks: [Disk]
    /// Disks that places move from and that do not answer: what lies there lacks a shard until it is made anew.
    @Added package var away: [String]
    /// By class; empty unless disks are to be empty.
    @Added package var outlooks: [Outlook]
    /// An operator has paused moves: nothing moves until they are resumed.
    @Added package var isPaused: Bool
    package var isDryRun: Bool

    package init(
        places: Int,
        bytes: Int,
        seconds: Int,
        disks: [Disk],
        away: [String] = [],
        outlooks: [Outlook] = [],
        isPaused: Bool = false,
        isDryRun: Bool
    ) {
        self.isPaused = isPaused
        self.outlooks = outlooks
        self.places = places
        self.bytes = bytes
        self.seconds = seconds
        self.disks = disks
        self.away = away
        self.isDryRun = isDryRun
    }
}

/// How the moves go.
package struct MovesReport: Codable, Hashable, Sendable {
    /// Places that are not moved yet.
    package var places: Int
    package var shardsLeft: Int
    /// Of these, by the mean of all shards.
    @Added package var bytesLeft: Int
    /// Of the moves under way, or the last ones, since they or the program began.
    package var shardsDone: Int
    package var bytesDone: Int
    package var isPaused: Bool
    /// The moves under way, or the last ones, are such that were cancelled: what had been moved goes back.
    @Added package var isCancelled: Bool
    /// Disks that are being emptied, as `SITE/NODE/SLOT`.
    package var draining: [String]
    /// Disks that places move from and that do not answer, as `SITE/NODE/SLOT`.
    @Added package var away: [String]
    /// Disks being emptied that keep the journal, which no other disk can take over now: they wait for one.
    @Added package var keeping: [String]
    /// At the pace of the last minute or two; nil while that is not known, and while they are paused.
    package var secondsLeft: Int?
    /// Bytes a second that are moved at most; nil of a program that does not say.
    package var rate: Int?
    /// Why the pause and the rate could not be read or kept; nil or empty when they could.
    package var problem: String?

    package init(
        places: Int,
        shardsLeft: Int,
        bytesLeft: Int,
        shardsDone: Int,
        bytesDone: Int,
        isPaused: Bool,
        isCancelled: Bool = false,
        draining: [String],
        away: [String] = [],
        keeping: [String] = [],
        secondsLeft: Int?,
        rate: Int? = nil,
        problem: String? = nil
    ) {
        self.places = places
        self.shardsLeft = shardsLeft
        self.bytesLeft = bytesLeft
        self.shardsDone = shardsDone
        self.bytesDone = bytesDone
        self.isPaused = isPaused
        self.isCancelled = isCancelled
        self.draining = draining
        self.away = away
        self.keeping = keeping
        self.secondsLeft = secondsLeft
        self.rate = rate
        self.problem = problem
    }

    package var isDone: Bool { places == 0 && draining.isEmpty }
}

/// What an operator may do to moves that are under way.
package enum MovesAction: String, Codable, Hashable, Sendable {
    case pause
    case resume
    /// Everything goes back to where it was.
    case cancel
}

/// The body of the call that adds disks.
struct AdditionRequest: Codable {
    var node: String
    var slot: String?
}

/// The body of the call that pauses, resumes or cancels.
struct MovesRequest: Codable {
    var action: MovesAction
}
