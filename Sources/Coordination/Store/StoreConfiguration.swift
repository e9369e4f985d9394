package import JournalStorage
package import ObjectModel
package import ShardStorage
package import StorageNode
package import SystemInterface

/// A storage node and where it stands.
package struct NodeMember: Hashable, Sendable {
    package var name: NodeName
    package var site: SiteName

    package init(name: NodeName, site: SiteName) {
        self.name = name
        self.site = site
    }
}

/// How a store is made up.
package struct StoreConfiguration: Sendable {
    /// Slots of nodes in this process.
    package var slots: [StoreSlot]
    /// Nodes in other processes, reached by `transport`.
    package var nodes: [NodeMember] = []
    /// The way to the nodes; nil when all are in this process.
    package var transport: (any Transport)?
    /// The cluster whose disks these are; nil lets the disks say, or draws one for a new store.
    package var cluster: ClusterID?
    /// Whether a store may be made of empty disks.
    package var mayFound = true
    /// Whether there was one already, so that empty disks alone are no store to be made.
    package var wasFounded = false
    /// The highest incarnation that this coordinator has drawn itself, and how the next is made durable; nil where the
    /// locks on the disks see to it that there is no other.
    package var ownIncarnation: UInt32?
    package var recordIncarnation: (@Sendable (UInt32) async throws -> Void)?
    /// A start before this one may have been forced without the metadata saying so: it was cut off, or of a time when
    /// metadata did not say so.
    package var wasForced = false
    /// The name under which this process holds write leases; nil for that of the first slot's node.
    package var holder: NodeName?
    /// The scheme of a store that is made now; one that exists keeps its own.
    package var scheme: Scheme
    package var disk: ShardDiskConfiguration
    package var journal: JournalConfiguration
    /// Sizes of a journal keeper's files.
    package var keeper: KeeperLog.Configuration
    /// Uploads older than this are aborted.
    package var uploadAge: Duration
    /// How long a disk may be away before its shards are made anew on others; nil for ever.
    package var outAfter: Duration?
    /// What repair may take of disks and lines, until an operator says otherwise.
    package var repairRates = RepairRates()
    /// Where the coordinator stands, in a cluster: what is near is read first, and what crosses lines is counted.
    package var site: SiteName?
    /// What the scrub promises, and what it may cost.
    package var scrub = ScrubSettings()
    /// Where the scrub's position is kept, and what operators said of scrub and moves; nil for nowhere: then a restart
    /// begins anew.
    package var stateFolder: (any FileSystem)?
    /// How long a blob must have been mostly dead before it is repacked.
    package var repackGrace: Duration
    /// How long garbage that was only inferred stays suspected before it is erased.
    package var orphanQuarantine: Duration
    /// What calls to disks and journal keepers pass on their way, a simulation's network say; nil for nothing.
    package var link: (@Sendable (any Transport) -> any Transport)?
    /// Runs calls to disks between their waits; nil is the global executor.
    package var callExecutor: (any TaskExecutor)?
    /// Bytes that all requests of clients together may hold in memory.
    package var requestMemory = Int.max
    /// The operator's word to go on with fewer than J journal keepers.
    package var forcesJournal: Bool
    /// What a simulation makes happen often.
    package var buggify = Buggify.never

    /// Within one process no other coordinator can be confirmed: the file locks on the disks see to it. So T is short.
    package static let confirmation = Duration.milliseconds(200)
    /// AWS has no such rule; an archive's broken uploads should not stay for ever.
    package static let defaultUploadAge = Duration.seconds(7 * 24 * 3_600)

    package init(
        slots: [StoreSlot],
        scheme: Scheme,
        disk: ShardDiskConfiguration = ShardDiskConfiguration(),
        journal: JournalConfiguration = JournalConfiguration(confirmation: StoreConfiguration.confirmation),
        keeper: KeeperLog.Configuration = KeeperLog.Configuration(),
        uploadAge: Duration = StoreConfiguration.defaultUploadAge,
        repackGrace: Duration = Repacker.grace,
        orphanQuarantine: Duration = OrphanCollector.quarantine,
        link: (@Sendable (any Transport) -> any Transport)? = nil,
        callExecutor: (any TaskExecutor)? = nil,
        forcesJournal: Bool = false
    ) {
        self.slots = slots
        self.scheme = scheme
        self.disk = disk
        self.journal = journal
        self.keeper = keeper
        self.uploadAge = uploadAge
        self.repackGrace = repackGrace
        self.orphanQuarantine = orphanQuarantine
        self.link = link
        self.callExecutor = callExecutor
        self.forcesJournal = forcesJournal
    }
}

/// Why a store does not start. Every message says what to do.
package enum StoreStartError: Error, Sendable, CustomStringConvertible {
    /// `unusable`: slots that cannot be used, each with its reason.
    case tooFewDisks(found: Int, needed: Int, scheme: String, unusable: [String] = [])
    /// There is no store yet, and none may be made.
    case notFounded
    /// Another coordinator has begun since this one last ran.
    case superseded(UInt32)
    /// The disks have seen a store and the database has not: it was lost, or is another's.
    case databaseLost
    /// Disks of more than one store are given.
    case mixedClusters([String])
    /// The database names disks none of which is here, and those that are here belong to another store.
    case foreignDatabase(ClusterID)
    /// There was a store here, and neither its database nor any of its disks is given.
    case storeLost
    case database(String)
    case journal(String)
    /// The database ends before what the journal still has begins: it must be read anew from the checkpoint.
    case databaseBehind(String)
    case disk(slot: String, reason: String)

    package var description: String {
        switch self {
        case .tooFewDisks(let found, let needed, let scheme, let unusable):
            "\(found) \(found == 1 ? "disk" : "disks") can be used and \(scheme) needs \(needed): give more disks, "
                + "or a smaller --scheme"
                + (unusable.isEmpty ? "" : ". Not usable: \(unusable.joined(separator: "; "))")
        case .superseded(let incarnation):
            "another coordinator has taken over (incarnation \(incarnation)): this one must not run any more"
        case .notFounded: "the cluster is not formed yet: run `cairn admin cluster form` when all its nodes have joined"
        case .databaseLost:
            "the disks hold a store, but the metadata database is missing or empty: nothing was changed. Run "
                + "`cairn metadata rebuild` with the same --data and --disk options, then start again"
        case .mixedClusters(let slots):
            "these disks belong to another store: \(slots.joined(separator: ", ")). Nothing was changed; take them "
                + "out or give empty disks"
        case .foreignDatabase(let cluster):
            "the metadata database is another store's: none of the disks that it names is here, and those here belong "
                + "to \(cluster). Nothing was changed. Move the database aside, run `cairn metadata rebuild` with the "
                + "same --data and --disk options, then start again"
        case .storeLost:
            "this data folder had a store, whose database is gone, and none of its disks is given: nothing was made in "
                + "its place. Name its disks by --disk and run `cairn metadata rebuild`, or give another --data"
        case .database(let reason): "the metadata database cannot be used: \(reason)"
        case .journal(let reason), .databaseBehind(let reason): "the journal cannot be started: \(reason)"
        case .disk(let slot, let reason): "disk \(slot): \(reason)"
        }
    }
}
