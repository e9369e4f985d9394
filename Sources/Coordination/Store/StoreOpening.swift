internal import BlobStorage
internal import Checksums
internal import ClusterProtocol
internal import DiskFormat
internal import JournalStorage
internal import Metadata
internal import ObjectInterface
internal import ObjectModel
internal import Placement
internal import ShardStorage
internal import StorageNode
internal import SystemInterface

/// The steps of opening a store, in order.
struct StoreOpening {
    let configuration: StoreConfiguration
    let time: any TimeSource
    let random: any RandomSource
    let metadata: any ReplicatedMetadata
    let survey: DiskSurvey
    private let nodesTransport: LocalTransport
    /// The way to the nodes, with what the configuration puts into it.
    private let transport: any Transport
    private let view = ClusterView()
    private var nodes: [NodeName: StorageNodeService] = [:]
    private var cluster = ClusterID(Identifier128(high: 0, low: 0))
    private var absent: [String: String] = [:]
    private var position = JournalPosition.origin
    /// Of a store that is made now: its disks, in the order of their slots.
    private var founded: [DiskRecord] = []

    init(
        configuration: StoreConfiguration,
        time: any TimeSource,
        random: any RandomSource,
        metadata: any ReplicatedMetadata,
        survey: DiskSurvey
    ) {
        self.configuration = configuration
        self.time = time
        self.random = random
        self.metadata = metadata
        self.survey = survey
        nodesTransport = LocalTransport(time: time, executor: configuration.callExecutor)
        transport = configuration.link?(nodesTransport) ?? nodesTransport
    }

    // MARK: Disks

    mutating func takeDisks() async throws(StoreStartError) {
        for slot in configuration.slots where nodes[slot.node] == nil {
            let service = StorageNodeService()
            nodes[slot.node] = service
            nodesTransport.register(slot.node.name, service)
        }
        let records = try await reading { () async throws(StorageError) in try await metadata.disks() }
        do {
            position = try await metadata.position()
        } catch {
            throw .database("\(error)")
        }
        if records.isEmpty {
            try await found()
        } else {
            try await takeUp(records)
        }
        var map = ClusterMap()
        for record in records + founded where record.state == .active {
            map.disks[record.id] = PlacementDisk(id: record.id, site: record.site, node: record.node)
        }
        view.update(map: map)
    }

    /// A new store: formats the empty disks. Disks that an interrupted founding left are taken up again.
    private mutating func found() async throws(StoreStartError) {
        let identities = survey.identities
        let clusters = Set(identities.map(\.identity.cluster))
        guard clusters.count <= 1 else { throw .mixedClusters(identities.map(\.slot.name)) }
        let usable = survey.findings.count { if case .unusable = $0.finding { false } else { true } }
        guard usable >= configuration.scheme.shardCount else {
            throw .tooFewDisks(
                found: usable,
                needed: configuration.scheme.shardCount,
                scheme: configuration.scheme.name
            )
        }
        var generator = random.generator
        cluster = clusters.first ?? ClusterID(.random(using: &generator))
        for (slot, identity, fileSystem) in identities {
            try await take(slot, id: identity.disk, fileSystem: fileSystem)
        }
        if position == .origin, try await haveSeenMore() { throw .databaseLost }
        for (slot, finding) in survey.findings {
            switch finding {
            case .identity: break
            case .unusable(let reason): absent[slot.name] = reason
            case .empty(let fileSystem):
                let id = DiskID(.random(using: &generator))
                do {
                    try await slotDisk.format(fileSystem, slot: slot, id: id)
                } catch {
                    throw .disk(slot: slot.name, reason: error.description)
                }
                try await take(slot, id: id, fileSystem: fileSystem)
            }
        }
        for keeper in foundingKeepers {
            guard let (slot, disk) = hosted(keeper), disk.journal == nil else { continue }
            try await host(slot, shards: disk.shards, opensJournal: true)
        }
    }

    private mutating func take(
        _ slot: StoreSlot,
        id: DiskID,
        fileSystem: any FileSystem
    ) async throws(StoreStartError) {
        founded.append(
            DiskRecord(id: id, site: slot.site, node: slot.node, slot: slot.name, state: .active, epoch: 1)
        )
        do {
            let shards = try await slotDisk.open(fileSystem, id: id)
            try await host(slot, shards: shards, opensJournal: false)
        } catch let error as ShardStorageError {
            throw .disk(slot: slot.name, reason: error.description)
        } catch {
            throw .disk(slot: slot.name, reason: "\(error)")
        }
    }

    private var slotDisk: SlotDisk {
        SlotDisk(cluster: cluster, configuration: configuration.disk, time: time, random: random)
    }

    /// Whether a shard or a journal record is on the disks: then this store is not new.
    private func haveSeenMore() async throws(StoreStartError) -> Bool {
        for service in nodes.values {
            for disk in service.disks {
                if !disk.shards.inventory(after: nil, limit: 1).isEmpty { return true }
                guard let journal = disk.journal else { continue }
                do {
                    if try await !journal.state().isFresh { return true }
                } catch {
                    throw .journal(error.description)
                }
            }
        }
        return false
    }

    /// The store that the database knows: every disk is matched by its identity, whatever slot it stands in.
    private mutating func takeUp(_ records: [DiskRecord]) async throws(StoreStartError) {
        guard let cluster = survey.cluster(records) else {
            throw .tooFewDisks(
                found: 0,
                needed: configuration.scheme.degradedQuorum,
                scheme: configuration.scheme.name
            )
        }
        self.cluster = cluster
        let byID = Dictionary(records.map { ($0.id, $0) }, uniquingKeysWith: { first, _ in first })
        for (slot, finding) in survey.findings {
            switch finding {
            case .unusable(let reason): absent[slot.name] = reason
            case .empty:
                absent[slot.name] = "its folder is empty: run `cairn admin disk replace \(slot.name)`"
            case .identity(let identity, let fileSystem):
                if let reason = await takeUp(slot, identity, fileSystem, record: byID[identity.disk]) {
                    absent[slot.name] = reason
                }
            }
        }
    }

    /// Hosts a disk of the store; otherwise says why not.
    private mutating func takeUp(
        _ slot: StoreSlot,
        _ identity: DiskIdentity,
        _ fileSystem: any FileSystem,
        record: DiskRecord?
    ) async -> String? {
        guard identity.cluster == cluster else { return "it belongs to another store and is not touched" }
        guard let record else { return "it belongs to this store but is not in use; it is not touched" }
        guard record.state == .active else { return "it was replaced earlier and is out of date; it is not touched" }
        do {
            let shards = try await slotDisk.open(fileSystem, id: record.id, epoch: record.epoch)
            try await host(slot, shards: shards, opensJournal: false)
            return nil
        } catch {
            return "\(error)"
        }
    }

    /// Serves a disk, with its journal log when it has one or shall have one.
    private func host(
        _ slot: StoreSlot,
        shards: ShardDisk,
        opensJournal: Bool
    ) async throws(StoreStartError) {
        var journal: KeeperLog?
        do {
            let hasLog = try await shards.fileSystem.status(DiskFolder.journal) != nil
            if opensJournal || hasLog { journal = try await openLog(shards.fileSystem) }
        } catch let error as KeeperError {
            // A keeper that cannot be opened is one less: the journal's start decides whether the others are enough.
            if opensJournal { throw .disk(slot: slot.name, reason: error.description) }
        } catch {
            throw .disk(slot: slot.name, reason: "\(error)")
        }
        nodes[slot.node]?.host(HostedDisk(shards: shards, journal: journal))
    }

    private func openLog(_ files: any FileSystem) async throws(KeeperError) -> KeeperLog {
        try await KeeperLog.open(files, random: random, configuration: configuration.keeper)
    }

    private func hosted(_ id: DiskID) -> (slot: StoreSlot, disk: HostedDisk)? {
        for slot in configuration.slots {
            guard let record = founded.first(where: { $0.slot == slot.name && $0.id == id }),
                let disk = nodes[record.node]?.disk(id)
            else { continue }
            return (slot, disk)
        }
        return nil
    }

    // MARK: Journal

    /// N = 2f + 1 keepers, f being the disks that the scheme survives losing at once; fewer where disks are few.
    private var foundingKeepers: [DiskID] {
        let wanted = 2 * configuration.scheme.parityCount + 1
        let hosted = founded.filter { nodes[$0.node]?.disk($0.id) != nil }.map(\.id)
        let count = min(wanted, hosted.count)
        return Array(hosted.prefix(count % 2 == 0 ? count - 1 : count))
    }

    /// How long one call to a keeper may take.
    static let keeperTimeout = Duration.seconds(10)

    /// Finds or founds the journal, brings the database up to it and lets the journal run.
    func startJournal(_ late: LateJournal) async throws(StoreStartError) -> (Journal, Task<Void, Never>) {
        let incarnation = try await reading { () async throws(StorageError) in try await metadata.incarnation() }
        var clients: [any KeeperClient] = []
        for (node, service) in nodes.sorted(by: { $0.key < $1.key }) {
            for disk in service.disks where disk.journal != nil {
                clients.append(
                    TransportKeeperClient(
                        keeper: disk.shards.identity.disk,
                        node: node.name,
                        transport: transport,
                        timeout: Self.keeperTimeout
                    )
                )
            }
        }
        let opening = JournalOpening(
            clients: clients,
            founding: position == .origin && !founded.isEmpty ? foundingKeepers : nil,
            database: position,
            databaseIncarnation: incarnation,
            isForced: configuration.forcesJournal
        )
        do {
            let journal = try await Journal.start(
                opening,
                configuration: configuration.journal,
                time: time,
                random: random
            ) { [metadata] records in try await metadata.apply(records) }
            late.set(journal)
            // Owned by the store, which cancels it when it closes.
            return (journal, Task { [executor = configuration.callExecutor] in await journal.run(executor: executor) })
        } catch {
            throw .journal(error.description)
        }
    }

    /// What must be true before the first request: this incarnation, no leases of earlier ones, and the groups.
    func settle(_ journal: Journal) async throws(StoreStartError) {
        try await reading { () async throws(StorageError) in
            try await metadata.beginIncarnation(journal.incarnation)
            // Their holders ended with the process before this one: what they had not committed can no longer be.
            for (lease, _) in try await metadata.activeLeases() { try await metadata.endLease(lease) }
            guard !founded.isEmpty else { return }
            for record in founded { try await metadata.putDisk(record) }
            try await metadata.putGroups(groups)
        }
        do {
            // After a loss of power it must still be known which store this is, and how far it had come by now.
            try await metadata.makeDurable()
        } catch {
            throw .database("\(error)")
        }
    }

    private var groups: [GroupRecord] {
        let disks = founded.map { PlacementDisk(id: $0.id, site: $0.site, node: $0.node) }
        guard let planner = GroupPlanner(scheme: configuration.scheme, disks: disks) else { return [] }
        return (0..<planner.groupCount).map { number in
            let id = GroupID(UInt32(number))
            return GroupRecord(id: id, epoch: 1, scheme: configuration.scheme, members: planner.members(of: id))
        }
    }

    private func reading<Value>(
        _ body: () async throws(StorageError) -> Value
    ) async throws(StoreStartError) -> Value {
        do {
            return try await body()
        } catch {
            throw .database(error.description)
        }
    }

    func parts(journal: Journal, running: Task<Void, Never>, md5: MD5Engine) -> StoreParts {
        StoreParts(
            configuration: configuration,
            cluster: cluster,
            metadata: metadata,
            journal: journal,
            journalTask: running,
            blobs: BlobStore(
                transport: transport,
                view: view,
                time: time,
                random: random,
                executor: configuration.callExecutor
            ),
            nodes: nodes,
            transport: transport,
            time: time,
            random: random,
            md5: md5,
            absent: absent
        )
    }
}
