/// How a disk is.
package enum DiskState: String, Codable, Sendable, CaseIterable {
    case healthy
    /// Errors were seen; it is read, and written only when nothing better is there.
    case suspect
    /// No room left but the reserve.
    case full
    /// A write to it does not end, or it can make no new segment; it is read, and gets nothing new.
    case hanging
    /// Its folder is gone, empty or not mounted, or it does not answer.
    case missing
    /// Not used any more after errors.
    case failed
    /// Another disk stands in its slot, or it in another's: neither is touched.
    case foreign
    /// In the place of another disk, not all of whose shards are there yet.
    case rebuilding

    /// Whether shards on it can be read.
    var isReadable: Bool { [.healthy, .suspect, .full, .hanging, .rebuilding].contains(self) }
    /// Whether the operator must see to it before it, or another in its place, is used again.
    var needsAttention: Bool { [.missing, .failed, .foreign].contains(self) }
}

/// One disk.
package struct DiskReport: Codable, Hashable, Sendable {
    package var id: String
    package var site: String
    package var node: String
    package var slot: String
    package var state: DiskState
    package var path: String
    /// Bytes of the file system that the store may use.
    package var capacity: Int
    /// Bytes that segments, journal and reserve take.
    package var used: Int
    /// Bytes of shards that metadata names.
    package var liveBytes: Int
    /// Bytes that compaction can win back.
    package var deadBytes: Int
    /// Shards that belong on it, are lost or damaged, and are not repaired yet; of very many missing in all not each is
    /// counted here.
    package var missingShards: Int

    package init(
        id: String,
        site: String,
        node: String,
        slot: String,
        state: DiskState,
        path: String,
        capacity: Int,
        used: Int,
        liveBytes: Int,
        deadBytes: Int,
        missingShards: Int
    ) {
        self.id = id
        self.site = site
        self.node = node
        self.slot = slot
        self.state = state
        self.path = path
        self.capacity = capacity
        self.used = used
        self.liveBytes = liveBytes
        self.deadBytes = deadBytes
        self.missingShards = missingShards
    }
}

/// A disk that a node was given and that is not in use.
package struct UnusedDiskReport: Codable, Hashable, Sendable {
    package enum Kind: String, Codable, Sendable, CaseIterable {
        /// Empty, or formatted for this store and never in use.
        case new
        /// Emptied, given up or replaced.
        case retired
        /// Another store's, or one that belongs in another slot.
        case foreign
        case unusable
    }

    package var site: String
    package var node: String
    package var slot: String
    package var path: String
    package var kind: Kind
    /// What it is, for people.
    package var reason: String

    package init(site: String, node: String, slot: String, path: String, kind: Kind, reason: String) {
        self.site = site
        self.node = node
        self.slot = slot
        self.path = path
        self.kind = kind
        self.reason = reason
    }

    /// Whether somebody should see why it is not in use.
    var needsAttention: Bool { kind == .foreign || kind == .unusable }

    /// `disk SITE/NODE/SLOT (PATH)`: how a sentence names it.
    var name: String { "disk \(site)/\(node)/\(slot)" + (path.isEmpty ? "" : " (\(path))") }
}

/// The placement groups by how whole they are.
package struct GroupsReport: Codable, Hashable, Sendable {
    package var total: Int
    /// Every member is usable.
    package var whole: Int
    /// Some member is not, yet writes reach their quorum or are taken as degraded.
    package var degraded: Int
    /// Too few members for any write.
    package var unwritable: Int
    /// Too few members for any read.
    @Added package var unreadable: Int
    /// Shards beyond those that reading needs, of the blob or group that has the fewest; negative when it cannot be
    /// read. Nil without groups.
    package var fewestSpares: Int?
    /// Of classes that were removed, among the others: nothing is written there, and they go once nothing lies there.
    @Added package var closed: Int

    package init(
        total: Int,
        whole: Int,
        degraded: Int,
        unwritable: Int,
        unreadable: Int = 0,
        fewestSpares: Int? = nil,
        closed: Int = 0
    ) {
        self.closed = closed
        self.unreadable = unreadable
        self.fewestSpares = fewestSpares
        self.total = total
        self.whole = whole
        self.degraded = degraded
        self.unwritable = unwritable
    }
}

/// The count that says whether every shard is there: by reading, not by belief.
package struct VerificationReport: Codable, Hashable, Sendable {
    /// Shards that metadata names.
    package var shardsExpected: Int
    /// Of those, found on their disks.
    package var shardsPresent: Int
    /// Of those, read and found right since they were written or repaired.
    package var shardsVerified: Int
    /// Seconds since 1970 at the end of the last full pass; nil when there has been none.
    package var lastFullPass: Int?
    /// Whether a pass is running.
    package var active: Bool

    package init(shardsExpected: Int, shardsPresent: Int, shardsVerified: Int, lastFullPass: Int?, active: Bool) {
        self.shardsExpected = shardsExpected
        self.shardsPresent = shardsPresent
        self.shardsVerified = shardsVerified
        self.lastFullPass = lastFullPass
        self.active = active
    }
}

/// One journal keeper.
package struct KeeperReport: Codable, Hashable, Sendable {
    package enum State: String, Codable, Sendable, CaseIterable {
        case current
        /// Answers, and lacks records that others have.
        case behind
        case unreachable
    }

    package var disk: String
    package var state: State

    package init(disk: String, state: State) {
        self.disk = disk
        self.state = state
    }
}

/// The metadata journal (DESIGN §7).
package struct JournalReport: Codable, Hashable, Sendable {
    package var incarnation: Int
    package var sequence: Int
    package var keepers: [KeeperReport]
    /// Keepers that must have a record before it is acknowledged.
    package var needed: Int
    /// Keepers that the strongest class needs on the disks in use.
    @Added package var wanted: Int

    package init(incarnation: Int, sequence: Int, keepers: [KeeperReport], needed: Int, wanted: Int) {
        self.incarnation = incarnation
        self.sequence = sequence
        self.keepers = keepers
        self.needed = needed
        self.wanted = wanted
    }

    /// Keepers that are current.
    var current: Int { keepers.count { $0.state == .current } }
}

/// The last start that went on with fewer journal keepers than are needed, or with metadata that had been put back.
package struct ForcedStartReport: Codable, Hashable, Sendable {
    /// Seconds since 1970: when it was forced; of what was put back, when that was found.
    package var time: Int
    /// An operator looks no more for what it may have lost.
    package var isAccepted: Bool
    /// The highest incarnation of which disks hold what a forgotten time wrote; nil when the start was forced.
    package var forgotten: Int?

    package init(time: Int, isAccepted: Bool, forgotten: Int? = nil) {
        self.time = time
        self.isAccepted = isAccepted
        self.forgotten = forgotten
    }
}

/// Everything that `cairn admin status` shows.
package struct StatusReport: Codable, Hashable, Sendable {
    package var clusterID: String
    /// `rs-4-2`.
    package var scheme: String
    /// Shards that a blob needs (k), and that it has when whole (k + m).
    package var dataShards: Int
    package var totalShards: Int
    /// Seconds since 1970, of the store's clock, when this was put together.
    package var time: Int
    package var disks: [DiskReport]
    /// What nodes were given beside them.
    @Added package var unusedDisks: [UnusedDiskReport]
    package var groups: GroupsReport
    package var objects: Int
    /// Logical bytes of all object versions.
    package var bytes: Int
    /// Logical bytes that the disks can hold in all.
    package var capacity: Int
    /// Shards that are not where metadata places them.
    package var missingShards: Int
    /// Blobs with fewer than k shards: their objects cannot be read.
    package var blobsBelowK: Int
    /// Some of those objects, as `BUCKET/KEY`.
    @Added package var unreadableObjects: [String]
    package var repair: RepairReport
    package var verification: VerificationReport
    /// What is wrong with the rows of the metadata; nil while nothing is known to be.
    package var metadataDamage: String?
    /// What the disks say that they hold has been compared with the metadata since the start.
    @AddedAsTrue package var isCounted: Bool
    @Added package var scrub: ScrubReport
    package var journal: JournalReport
    /// nil when no start was ever forced.
    package var forcedStart: ForcedStartReport?
    package var recoveryKitTaken: Bool
    /// Nodes in maintenance.
    @Added package var maintained: [MaintenanceReport.Node]
    /// Nodes with disks of which nothing is heard.
    @Added package var silentNodes: [NamedNode]
    /// Nodes under whose name several processes run.
    @Added package var copiedNodes: [CopiedNodeReport] = []
    /// How shards are being moved; nil when none are.
    package var moves: MovesReport?
    /// Buckets whose objects are being rewritten into another class.
    @Added package var rewrites: [ClassRewriteReport]
    /// Storage classes that are short of room.
    @Added package var room: [RoomReport]
    /// What the store does by itself and does not get on with.
    @Added package var troubles: [TroubleReport]

    package init(
        clusterID: String,
        scheme: String,
        dataShards: Int,
        totalShards: Int,
        time: Int,
        disks: [DiskReport],
        unusedDisks: [UnusedDiskReport] = [],
        groups: GroupsReport,
        objects: Int,
        bytes: Int,
        capacity: Int,
        missingShards: Int,
        blobsBelowK: Int,
        unreadableObjects: [String] = [],
        repair: RepairReport,
        verification: VerificationReport,
        metadataDamage: String? = nil,
        isCounted: Bool = true,
        scrub: ScrubReport = ScrubReport(),
        journal: JournalReport,
        forcedStart: ForcedStartReport? = nil,
        recoveryKitTaken: Bool,
        maintained: [MaintenanceReport.Node] = [],
        silentNodes: [NamedNode] = [],
        moves: MovesReport? = nil,
        rewrites: [ClassRewriteReport] = [],
        room: [RoomReport] = [],
        troubles: [TroubleReport] = []
    ) {
        self.troubles = troubles
        self.clusterID = clusterID
        self.scheme = scheme
        self.dataShards = dataShards
        self.totalShards = totalShards
        self.time = time
        self.disks = disks
        self.unusedDisks = unusedDisks
        self.groups = groups
        self.objects = objects
        self.bytes = bytes
        self.capacity = capacity
        self.missingShards = missingShards
        self.blobsBelowK = blobsBelowK
        self.unreadableObjects = unreadableObjects
        self.repair = repair
        self.verification = verification
        self.metadataDamage = metadataDamage
        self.isCounted = isCounted
        self.scrub = scrub
        self.journal = journal
        self.forcedStart = forcedStart
        self.recoveryKitTaken = recoveryKitTaken
        self.maintained = maintained
        self.silentNodes = silentNodes
        self.moves = moves
        self.rewrites = rewrites
        self.room = room
    }
}
