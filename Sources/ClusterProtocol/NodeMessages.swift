package import ObjectModel

/// A call to a node about its slots: what stands in them, and what shall (`Docs/ClusterProtocol.md`).
package struct NodeCall: Hashable, Sendable {
    /// The coordinator's. A node refuses one that is lower than the highest it has seen; 0 while a coordinator starts,
    /// which may only look and have disks served.
    package var incarnation: UInt32
    package var request: NodeRequest

    package init(incarnation: UInt32, request: NodeRequest) {
        self.incarnation = incarnation
        self.request = request
    }
}

/// What a coordinator asks of a node beside shards and journal. Slots and ids only, never paths (DESIGN §10). All may
/// be repeated: what is done already is done no second time.
package enum NodeRequest: Hashable, Sendable {
    /// What stands in each slot, changing nothing. Answered by `.slots`.
    case survey
    /// Makes the empty folder in a slot a disk of that identity. Anything in the folder is a refusal. `.done`.
    case format(slot: String, NewDisk)
    /// Serves the disk in a slot if it is the expected one. Answered by `.opened`.
    case open(slot: String, ExpectedDisk)
    /// Stops serving a disk and closes its files. `.done`, also when it was not served.
    case release(DiskID)
    /// Opens a failed journal log again where its files still are. `.done`, or `.refused(.failed)`.
    case reopenLog(DiskID)
    /// Throws the disk's log away and opens an empty one: only for a disk that is no keeper. `.done`.
    case renewLog(DiskID)
    /// How the disks served do. Answered by `.disks`.
    case watch
    /// Wins back the room of dead shards where that pays, and fills reserves up again. Answered by `.bad`.
    case compact
    /// Writes what rotted of the segments' own structure again, on all disks. Answered by `.count`.
    case mend
}

/// The identity of a disk that is to be made.
package struct NewDisk: Hashable, Sendable {
    package var cluster: ClusterID
    package var disk: DiskID

    package init(cluster: ClusterID, disk: DiskID) {
        self.cluster = cluster
        self.disk = disk
    }
}

/// The disk that a slot should hold.
package struct ExpectedDisk: Hashable, Sendable {
    package var cluster: ClusterID
    package var disk: DiskID
    /// The lowest epoch that is not stale.
    package var epoch: UInt32
    /// A journal log is made where there is none.
    package var wantsLog: Bool
    /// The disk was away: it must take a write before it is served, and nothing that was cached of it counts.
    package var isReturning: Bool

    package init(
        cluster: ClusterID,
        disk: DiskID,
        epoch: UInt32 = 0,
        wantsLog: Bool = false,
        isReturning: Bool = false
    ) {
        self.cluster = cluster
        self.disk = disk
        self.epoch = epoch
        self.wantsLog = wantsLog
        self.isReturning = isReturning
    }
}

package enum NodeResponse: Hashable, Sendable {
    case slots([SlotReport])
    case opened(OpenedDisk)
    case disks([HostedDiskReport])
    /// Shards that compaction found bad.
    case bad([ShardID])
    case count(Int)
    case done
    case refused(NodeRefusal)
}

/// What stands in one slot.
package struct SlotReport: Hashable, Sendable {
    package enum Finding: Hashable, Sendable {
        case disk(ClusterID, DiskID)
        case empty
        /// No disk, and something that is never formatted over.
        case occupied(String)
        case unusable(String)
    }

    package var slot: String
    /// Where it lies, for people.
    package var path: String
    package var finding: Finding

    package init(slot: String, path: String, finding: Finding) {
        self.slot = slot
        self.path = path
        self.finding = finding
    }
}

/// A disk that is served from here on.
package struct OpenedDisk: Hashable, Sendable {
    package var hasLog: Bool
    /// Neither a shard nor a journal record is on it.
    package var isUnused: Bool

    package init(hasLog: Bool, isUnused: Bool) {
        self.hasLog = hasLog
        self.isUnused = isUnused
    }
}

/// How a served disk does.
package struct HostedDiskReport: Hashable, Sendable {
    package enum Log: UInt8, Hashable, Sendable {
        case none = 0
        case working = 1
        /// It takes no records any more.
        case failed = 2
    }

    package var disk: DiskID
    package var slot: String
    /// Why a write to it failed; empty while none has.
    package var failure: String
    /// Its folder is still the one that was opened.
    package var isInPlace: Bool
    package var log: Log
    /// The room kept for the journal is whole, or there is no journal that needs it.
    package var hasJournalRoom: Bool
    /// Bytes that the journal takes before only its last room is left; `.max` without a journal.
    package var journalRoom: UInt64
    /// A checkpoint would give the disk back log files that it wants for.
    package var wantsCheckpoint: Bool

    package init(
        disk: DiskID,
        slot: String,
        failure: String,
        isInPlace: Bool,
        log: Log,
        hasJournalRoom: Bool,
        journalRoom: UInt64 = .max,
        wantsCheckpoint: Bool = false
    ) {
        self.disk = disk
        self.slot = slot
        self.failure = failure
        self.isInPlace = isInPlace
        self.log = log
        self.hasJournalRoom = hasJournalRoom
        self.journalRoom = journalRoom
        self.wantsCheckpoint = wantsCheckpoint
    }
}

/// Why a node does not do what it was asked.
package enum NodeRefusal: Error, Hashable, Sendable, CustomStringConvertible {
    /// A coordinator of a higher incarnation is known: whoever asks must stop.
    case superseded(UInt32)
    case noSuchSlot(String)
    /// The folder holds something: it is never formatted over.
    case notEmpty(String)
    case failed(String)
    case busy
    /// The node does not serve the disk, as one that has just begun: that says nothing of what lies on it.
    case notServed

    package var description: String {
        switch self {
        case .superseded(let incarnation): "a coordinator of incarnation \(incarnation) has taken over"
        case .noSuchSlot(let slot): "the node has no slot \(slot)"
        case .notEmpty(let what): "the folder is not empty: it holds \(what)"
        case .failed(let reason): reason
        case .notServed: "the disk is not served here"
        case .busy: "too many other changes of this disk or its slot wait: try again"
        }
    }
}
