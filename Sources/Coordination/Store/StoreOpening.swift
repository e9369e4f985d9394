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
    private let agents: [NodeName: NodeAgent]
    private let nodes: [NodeMember]
    /// The way to the nodes, with what the configuration puts into it.
    private let transport: any Transport
    private let calls: NodeCalls
    private let view: ClusterView
    private var survey = DiskSurvey()
    private var served: [DiskID: ServedDisk] = [:]
    private var cluster = ClusterID(Identifier128(high: 0, low: 0))
    private var absent: [SlotPlace: String] = [:]
    private var paths: [SlotPlace: String] = [:]
    /// Why disks of the store that are there could not be opened.
    private var refusals: [DiskID: String] = [:]
    private var position = JournalPosition.origin
    /// Of a store that is made now: its disks, in the order of their slots.
    private var founded: [DiskRecord] = []
    /// Disks that stand in other slots than metadata knew.
    private var moved: [DiskRecord] = []

    init(
        configuration: StoreConfiguration,
        time: any TimeSource,
        random: any RandomSource,
        metadata: any ReplicatedMetadata
    ) {
        self.configuration = configuration
        self.time = time
        self.random = random
        self.metadata = metadata
        let holder = configuration.holder ?? NodeName("coordinator")
        view = ClusterView(standpoint: configuration.site.map { Standpoint(site: $0, node: holder) })
        let local = LocalTransport(time: time, executor: configuration.callExecutor)
        var agents: [NodeName: NodeAgent] = [:]
        var nodes = configuration.nodes
        for (name, slots) in Dictionary(grouping: configuration.slots, by: \.node).sorted(by: { $0.key < $1.key }) {
            let agent = NodeAgent(
                slots: slots,
                configuration: configuration.disk,
                keeper: configuration.keeper,
                time: time,
                random: random
            )
            agents[name] = agent
            nodes.append(NodeMember(name: name, site: slots[0].site))
            local.register(name.name, agent)
        }
        self.agents = agents
        self.nodes = nodes
        let base: any Transport = configuration.transport ?? local
        transport = configuration.link?(base) ?? base
        calls = NodeCalls(transport: transport, incarnation: 0)
    }

    // MARK: Disks

    mutating func takeDisks() async throws(StoreStartError) {
        survey = await DiskSurvey.take(nodes, calls)
        for entry in survey.entries { paths[entry.place] = entry.path }
        var records = try await reading { () async throws(StorageError) in try await metadata.disks() }
        do {
            position = try await metadata.position()
        } catch {
            throw .database("\(error)")
        }
        // Groups come last: without them a founding was cut off, and whatever it had done is done again.
        let groups = try await reading { () async throws(StorageError) in try await metadata.groups() }
        if records.isEmpty || groups.isEmpty {
            guard configuration.mayFound else { throw .notFounded }
            if configuration.wasFounded, survey.identities.isEmpty { throw .storeLost }
            records = []
            try await found()
        } else {
            try await takeUp(&records)
        }
        var map = ClusterMap()
        for record in records + founded where record.isInUse {
            map.disks[record.id] = PlacementDisk(id: record.id, site: record.site, node: record.node)
        }
        view.update(map: map)
    }

    /// A new store: formats the empty disks. Disks that an interrupted founding left are taken up again.
    private mutating func found() async throws(StoreStartError) {
        let identities = survey.identities
        // Its database was durable before the store was known to be here.
        if configuration.wasFounded, !identities.isEmpty { throw .databaseLost }
        let clusters = Set(identities.map(\.cluster)).union(configuration.cluster.map { [$0] } ?? [])
        guard clusters.count <= 1 else { throw .mixedClusters(identities.map(\.entry.place.slot)) }
        var generator = random.generator
        cluster = clusters.first ?? ClusterID(.random(using: &generator))
        try await takeFormatted()
        let unusable = survey.unusable
        let usable = survey.entries.count - unusable.count
        guard usable >= configuration.scheme.shardCount else {
            throw .tooFewDisks(
                found: usable,
                needed: configuration.scheme.shardCount,
                scheme: configuration.scheme.name,
                unusable: unusable
            )
        }
        for entry in survey.entries {
            switch entry.finding {
            case .disk: break
            case .unusable(let reason): absent[entry.place] = reason
            // One that holds something is refused by its node.
            case .empty, .occupied:
                let id = DiskID(.random(using: &generator))
                do {
                    try await calls.format(entry.place, NewDisk(cluster: cluster, disk: id))
                } catch {
                    throw .disk(slot: entry.place.slot, reason: error.description)
                }
                _ = try await take(entry, id: id)
            }
        }
        for keeper in keeperPlan.members {
            guard let record = founded.first(where: { $0.id == keeper }), served[keeper]?.hasLog == false else {
                continue
            }
            try await serve(record, expecting: ExpectedDisk(cluster: cluster, disk: keeper, wantsLog: true))
        }
    }

    /// Disks that an interrupted founding left. One in use is a store's whose database is gone, and that comes before
    /// whatever another disk wants.
    private mutating func takeFormatted() async throws(StoreStartError) {
        var failure: StoreStartError?
        var isUnused = true
        for (entry, _, disk) in survey.identities {
            do throws(StoreStartError) {
                if !(try await take(entry, id: disk).isUnused) { isUnused = false }
            } catch {
                failure = failure ?? error
            }
        }
        if position == .origin, !isUnused { throw .databaseLost }
        if let failure { throw failure }
    }

    private mutating func take(_ entry: DiskSurvey.Entry, id: DiskID) async throws(StoreStartError) -> OpenedDisk {
        let record = DiskRecord(
            id: id,
            site: entry.site,
            node: entry.place.node,
            slot: entry.place.slot,
            state: .active,
            epoch: 1
        )
        founded.append(record)
        return try await serve(record, expecting: ExpectedDisk(cluster: cluster, disk: id))
    }

    @discardableResult
    private mutating func serve(
        _ record: DiskRecord,
        expecting expected: ExpectedDisk
    ) async throws(StoreStartError) -> OpenedDisk {
        do {
            let opened = try await calls.open(record.place, expected)
            served[record.id] = ServedDisk(place: record.place, hasLog: opened.hasLog, since: time.monotonic)
            return opened
        } catch {
            throw .disk(slot: record.slot, reason: error.description)
        }
    }

    /// The store that the database knows: every disk is matched by its identity, whatever slot it stands in.
    private mutating func takeUp(_ records: inout [DiskRecord]) async throws(StoreStartError) {
        if let other = foreignCluster(records) { throw .foreignDatabase(other) }
        guard let cluster = survey.cluster(records) else {
            throw .tooFewDisks(
                found: 0,
                needed: configuration.scheme.degradedQuorum,
                scheme: configuration.scheme.name,
                unusable: survey.unusable
            )
        }
        self.cluster = cluster
        let byID = Dictionary(records.map { ($0.id, $0) }, uniquingKeysWith: { first, _ in first })
        for record in records where record.isInUse {
            if let silence = survey.silent[record.node] { absent[record.place] = silence }
            if !nodes.contains(where: { $0.name == record.node }) {
                absent[record.place] = "its node \(record.node) has not been heard of"
            }
        }
        leaveOutCopies(byID)
        for (entry, outcome) in await openAll(byID) {
            switch outcome {
            case .absent(let reason): absent[entry.place] = reason
            case .refused(let disk, let reason): (absent[entry.place], refusals[disk]) = (reason, reason)
            case .served(var record, let opened):
                served[record.id] = ServedDisk(place: entry.place, hasLog: opened.hasLog, since: time.monotonic)
                guard record.place != entry.place else { continue }
                (record.site, record.node, record.slot) = (entry.site, entry.place.node, entry.place.slot)
                moved.append(record)
            }
        }
        // A place that belongs to a disk which stands nowhere else stays that disk's.
        let movers = Set(moved.map(\.id))
        let taken = Set(records.filter { $0.isInUse && !movers.contains($0.id) }.map(\.place))
        moved.removeAll { taken.contains($0.place) }
        for record in moved { records.replace(record) }
    }

    /// The store whose disks these are, when the database names none of them. Nodes in other processes that have not
    /// answered may hold those that it does name.
    private func foreignCluster(_ records: [DiskRecord]) -> ClusterID? {
        let known = Set(records.map(\.id))
        let heard = Set(nodes.map(\.name)).subtracting(survey.silent.keys)
        let isConclusive = configuration.transport == nil || records.allSatisfy { heard.contains($0.node) }
        guard isConclusive, !survey.identities.contains(where: { known.contains($0.disk) }) else { return nil }
        return survey.identities.first?.cluster
    }

    /// Of a disk that stands in two places the one where it belongs is served; which of two others is the copy cannot
    /// be told.
    private mutating func leaveOutCopies(_ records: [DiskID: DiskRecord]) {
        let counts = Dictionary(grouping: survey.identities, by: \.disk).mapValues(\.count)
        survey.entries.removeAll { entry in
            guard case .disk(_, let disk) = entry.finding, counts[disk, default: 0] > 1,
                records[disk]?.place != entry.place
            else { return false }
            absent[entry.place] = "a disk that stands elsewhere as well: one of the two is a copy and is not touched"
            return true
        }
    }

    private enum Outcome: Sendable {
        case absent(String)
        /// The disk is there.
        case refused(DiskID, String)
        case served(DiskRecord, OpenedDisk)
    }

    /// Disks of one node that are opened at a time: one whose segments must be read, or that hangs, keeps no other
    /// waiting, and each takes memory of its own meanwhile.
    static let openedAtOnce = 8

    /// Has every disk of the store served, wherever it stands; nodes side by side.
    private func openAll(_ records: [DiskID: DiskRecord]) async -> [(DiskSurvey.Entry, Outcome)] {
        let byNode = Dictionary(grouping: survey.entries, by: \.place.node).sorted { $0.key < $1.key }
        let (calls, cluster) = (calls, cluster)
        let outcomes = await withTaskGroup(of: [(DiskSurvey.Entry, Outcome)].self) { group in
            for (_, entries) in byNode {
                group.addTask { await Self.openSideBySide(entries, records, cluster, calls) }
            }
            return await group.reduce(into: []) { $0 += $1 }
        }
        return outcomes.sorted { $0.0.place < $1.0.place }
    }

    private static func openSideBySide(
        _ entries: [DiskSurvey.Entry],
        _ records: [DiskID: DiskRecord],
        _ cluster: ClusterID,
        _ calls: NodeCalls
    ) async -> [(DiskSurvey.Entry, Outcome)] {
        await withTaskGroup(of: (DiskSurvey.Entry, Outcome).self) { group in
            var outcomes: [(DiskSurvey.Entry, Outcome)] = []
            for (number, entry) in entries.enumerated() {
                if number >= openedAtOnce, let outcome = await group.next() { outcomes.append(outcome) }
                group.addTask { (entry, await open(entry, records, cluster, calls)) }
            }
            return await group.reduce(into: outcomes) { $0.append($1) }
        }
    }

    private static func open(
        _ entry: DiskSurvey.Entry,
        _ records: [DiskID: DiskRecord],
        _ cluster: ClusterID,
        _ calls: NodeCalls
    ) async -> Outcome {
        let id: DiskID
        switch entry.finding {
        case .unusable(let reason): return .absent(reason)
        case .empty: return .absent(empty(entry.place, records))
        case .occupied(let what): return .absent(occupied(entry.place, by: what, records))
        case .disk(let found, let disk):
            guard found == cluster else { return .absent("it belongs to another store and is not touched") }
            id = disk
        }
        guard let record = records[id] else {
            return .absent("it belongs to this store but is not in use; it is not touched")
        }
        guard record.isInUse else {
            return .absent("it was replaced earlier and is out of date; it is not touched")
        }
        do throws(NodeCallError) {
            let expected = ExpectedDisk(cluster: cluster, disk: id, epoch: record.epoch)
            return .served(record, try await calls.open(entry.place, expected))
        } catch {
            guard case .refused = error else { return .absent(error.description) }
            return .refused(id, error.description)
        }
    }

    /// What an empty folder wants: a slot that had a disk gets another, one that never had any joins the store.
    private static func empty(_ place: SlotPlace, _ records: [DiskID: DiskRecord]) -> String {
        if let record = records.values.first(where: { $0.isInUse && $0.place == place }) {
            return "no disk is in its folder: if that is empty, run `cairn admin disk replace \(record.name)`; if it "
                + "holds segments, its file `disk` is lost: put that back, or move all of it away first"
        }
        return "it is new to this store: run `cairn admin disk add --node \(place.node)`"
    }

    /// What a folder wants that holds something and no disk: nothing is formatted over it.
    private static func occupied(_ place: SlotPlace, by what: String, _ records: [DiskID: DiskRecord]) -> String {
        let found = "no disk is in its folder, which holds \(what)"
        if let record = records.values.first(where: { $0.isInUse && $0.place == place }) {
            return "\(found): if those are its segments, its file `disk` is lost: put that back; else move all of it "
                + "away and run `cairn admin disk replace \(record.name)`"
        }
        return "\(found): if nobody needs that, move it away and run `cairn admin disk add --node \(place.node)`"
    }

    // MARK: Journal

    private var keeperPlan: KeeperPlan {
        let disks = founded.filter { served[$0.id] != nil }
        return KeeperPlan(
            scheme: configuration.scheme,
            disks: disks.map { PlacementDisk(id: $0.id, site: $0.site, node: $0.node) }
        )
    }

    /// How long one call to a keeper may take.
    static let keeperTimeout = Duration.seconds(10)

    /// Finds or founds the journal, brings the database up to it and lets the journal run.
    func startJournal(_ late: LateJournal) async throws(StoreStartError) -> (Journal, Task<Void, Never>) {
        let incarnation = try await reading { () async throws(StorageError) in try await metadata.incarnation() }
        var clients: [any KeeperClient] = []
        for (disk, place) in served.filter(\.value.hasLog).mapValues(\.place).sorted(by: { $0.key < $1.key }) {
            clients.append(
                TransportKeeperClient(
                    keeper: disk,
                    node: place.node.name,
                    transport: transport,
                    timeout: Self.keeperTimeout
                )
            )
        }
        var opening = JournalOpening(
            clients: clients,
            founding: position == .origin && !founded.isEmpty ? keeperPlan.members : nil,
            database: position,
            databaseIncarnation: incarnation,
            isForced: configuration.forcesJournal
        )
        opening.ownIncarnation = configuration.ownIncarnation
        opening.recordIncarnation = configuration.recordIncarnation
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
        } catch .superseded(let incarnation) {
            throw .superseded(incarnation)
        } catch .databaseBehind(let database, let journal) {
            throw .databaseBehind(JournalError.databaseBehind(database: database, journal: journal).description)
        } catch .tooFewKeepers(let reached, let needed, let missing) {
            let keepers = await missingKeepers().explain(missing)
            throw .journal(MissingKeeper.text(reached: reached, needed: needed, keepers))
        } catch {
            throw .journal(error.description)
        }
    }

    private func missingKeepers() async -> MissingKeepers {
        let records = ((try? await metadata.disks()) ?? []) + founded
        return MissingKeepers(
            survey: survey,
            served: served,
            refusals: refusals,
            records: Dictionary(records.map { ($0.id, $0) }) { first, _ in first },
            transport: transport
        )
    }

    /// What must be true before the first request: this incarnation, no leases of earlier ones, and the groups.
    func settle(_ journal: Journal) async throws(StoreStartError) {
        try await reading { () async throws(StorageError) in
            try await metadata.beginIncarnation(journal.incarnation)
            if journal.wasForced || configuration.wasForced {
                try await metadata.noteForcedStart(ForcedStart(time: time.wall))
            }
            // Their holders ended with the process before this one: what they had not committed can no longer be.
            for (lease, _) in try await metadata.activeLeases() { try await metadata.endLease(lease) }
            for record in moved { try await metadata.putDisk(record) }
            guard !founded.isEmpty else { return }
            let groups = await groups()
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

    /// Of a new store: larger disks are in more of them.
    private func groups() async -> [GroupRecord] {
        let nodes = NodeClient(transport: transport, view: view)
        let capacities = await nodes.capacities(of: founded.map(\.id))
        let disks = founded.map {
            PlacementDisk(id: $0.id, site: $0.site, node: $0.node, weight: Double(capacities[$0.id] ?? 1))
        }
        guard let planner = GroupPlanner(scheme: configuration.scheme, disks: disks) else { return [] }
        return planner.groups(from: 0)
            .map { GroupRecord(id: $0.id, epoch: $0.epoch, scheme: $0.scheme, members: $0.members) }
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
                executor: configuration.callExecutor,
                buggify: configuration.buggify
            ),
            agents: agents,
            nodes: nodes,
            served: served,
            transport: transport,
            time: time,
            random: random,
            md5: md5,
            absent: absent,
            paths: paths
        )
    }
}
