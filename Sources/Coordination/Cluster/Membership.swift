internal import BlobStorage
package import ClusterProtocol
internal import Metadata
package import ObjectModel
internal import Placement
import Synchronization
package import SystemInterface

/// Told where the processes are that run under the name of one node at the same time.
package typealias CopiesReport = @Sendable (_ name: NodeName, _ places: [String]) -> Void

/// The nodes of a cluster as their beats tell, and what each must know in turn (DESIGN §8, membership).
///
/// A beat comes over a connection that proved the node's name. Nothing here decides where shards lie: a silent node's
/// disks are left out by the store's own watch.
package final class Membership: Sendable {
    /// A node that beats twice a second and has not for so long is silent; one that gives the store no answer for as
    /// long is down.
    package static let silence = Duration.seconds(10)
    /// How often a node beats.
    package static let interval = Duration.milliseconds(500)
    /// After so long a change of the map is known to every gateway that still gets anything from the coordinator.
    static let mapPatience = interval * 4
    /// A node that was silent for so long is asked nothing any more; reads in progress there end with errors if the
    /// blobs they hold are erased, never with wrong bytes.
    static let forgotten = Duration.seconds(60)
    /// How long a gateway may take to say which blobs it reads.
    private static let readersTimeout = Duration.seconds(30)

    private struct Entry {
        var address: NodeAddress
        var lastBeat: MonotonicTime
        var sources = BeatSources()
    }

    private struct State {
        var nodes: [NodeName: Entry] = [:]
        /// Have joined and not beaten yet.
        var expected: Set<NodeName> = []
        /// The generation from which on the certificates of a node count; of a node that is not here all do.
        var floors: [NodeName: UInt32] = [:]
        /// Rises with each change of the nodes and of what certificates count.
        var version: UInt64
        var store: Store?
        /// When the store began: nodes of an earlier time get a while to beat.
        var attached = MonotonicTime(nanoseconds: 0)
        var credentials: CredentialsUpdate?
        /// The map as last built, and the store's and the nodes' versions it was built of.
        var map: (update: MapUpdate, of: (UInt64, UInt64))?

        mutating func raiseFloor(of name: NodeName, to generation: UInt32) {
            guard generation > floors[name] ?? 0 else { return }
            floors[name] = generation
            version += 1
        }
    }

    private let state: Mutex<State>
    private let region: String
    private let addresses: any AddressBook
    private let transport: any Transport
    private let time: any TimeSource
    private let onCopies: CopiesReport
    private let onChange: @Sendable ([NodeAddress]) -> Void

    /// `known`: the nodes of an earlier run, which may be called though they have not beaten yet; `floors`: what counts
    /// of certificates by then. `onChange` is told all nodes whenever one is new or has moved, `onCopies` at each beat
    /// that shows that it is not the only process of its name.
    package init(
        known: [NodeAddress],
        floors: [NodeName: UInt32] = [:],
        region: String,
        addresses: any AddressBook,
        transport: any Transport,
        time: any TimeSource,
        onCopies: @escaping CopiesReport = { _, _ in },
        onChange: @escaping @Sendable ([NodeAddress]) -> Void
    ) {
        self.region = region
        self.addresses = addresses
        self.transport = transport
        self.time = time
        self.onCopies = onCopies
        self.onChange = onChange
        // Above that of every earlier run, so that no node takes an old map for this one's.
        var first = State(version: UInt64(max(0, time.wall.milliseconds)) << 16)
        let long = MonotonicTime(nanoseconds: 0)
        first.floors = floors
        for node in known { first.nodes[node.name] = Entry(address: node, lastBeat: long) }
        state = Mutex(first)
        for node in known { addresses.setAddress(node.name.name, host: node.host, port: node.port) }
    }

    /// The store that runs from here on.
    package func attach(_ store: Store) {
        state.withLock { state in
            state.store = store
            state.attached = time.monotonic
        }
        store.remoteReaders.set { [weak self] dead in await self?.held(among: dead) ?? Set(dead) }
    }

    func detach() { state.withLock { $0.store = nil } }

    package func setCredentials(_ entries: [CredentialsUpdate.Entry]) {
        state.withLock { state in
            let version = (state.credentials?.version ?? state.version) + 1
            state.credentials = CredentialsUpdate(version: version, entries: entries)
        }
    }

    /// All nodes that were ever heard of in this run or the one before, by name.
    package var nodes: [NodeAddress] {
        state.withLock { $0.nodes.values.map(\.address).sorted { $0.name < $1.name } }
    }

    /// Those that have beaten within `duration`.
    package func present(within duration: Duration = Membership.silence) -> [NodeAddress] {
        let now = time.monotonic
        return state.withLock { state in
            state.nodes.values.filter { $0.lastBeat.nanoseconds > 0 && now.duration(since: $0.lastBeat) <= duration }
                .map(\.address).sorted { $0.name < $1.name }
        }
    }

    /// Forgets a node, here and in the store. Its certificates count from `generation` on, which it has to join anew
    /// for. Whoever asks has seen to it that it has ended and holds no disk.
    package func remove(_ name: NodeName, before generation: UInt32) {
        let (all, store) = state.withLock { state in
            state.raiseFloor(of: name, to: generation)
            state.expected.remove(name)
            if state.nodes.removeValue(forKey: name) != nil { state.version += 1 }
            return (state.nodes.values.map(\.address), state.store)
        }
        store?.dismiss(name)
        onChange(all.sorted { $0.name < $1.name })
    }

    /// A node has been given its certificate: it beats from now on.
    package func expect(_ name: NodeName) {
        state.withLock { if $0.nodes[name] == nil { $0.expected.insert(name) } }
    }

    /// Those that have joined, and have not beaten yet.
    var expected: Set<NodeName> { state.withLock { $0.expected } }

    /// All names that are taken: of nodes that were heard of, that have joined, and those of the disks in use.
    package var members: Set<NodeName> {
        let (known, store) = state.withLock { ($0.expected.union($0.nodes.keys), $0.store) }
        return known.union(store?.blobs.view.map.disks.values.map(\.node) ?? [])
    }

    /// Where the node's disks count that are in use; nil when it has none. While no store runs: where it was last.
    package func site(of name: NodeName) -> SiteName? {
        let (store, address) = state.withLock { ($0.store, $0.nodes[name]?.address) }
        guard let store else { return address?.site }
        return store.blobs.view.map.disks.values.first { $0.node == name }?.site
    }

    // MARK: Certificates

    /// Certificates of the node before that generation count no more from here on.
    package func endCertificates(of name: NodeName, before generation: UInt32) {
        state.withLock { $0.raiseFloor(of: name, to: generation) }
    }

    /// Whether a certificate counts that somebody has shown. One of a later generation than was known ends those
    /// before: so a coordinator that took over learns again which machines were replaced.
    package func counts(_ name: NodeName, generation: UInt32) -> Bool {
        state.withLock { state in
            state.raiseFloor(of: name, to: generation)
            return generation >= state.floors[name] ?? 0
        }
    }

    /// The generation from which on certificates of the node count.
    package func floor(of name: NodeName) -> UInt32 { state.withLock { $0.floors[name] ?? 0 } }

    /// For the nodes and the metadata, by name.
    package var certificateFloors: [CertificateFloor] {
        state.withLock { $0.floors }.sorted { $0.key < $1.key }
            .map { CertificateFloor(node: $0.key, generation: $0.value) }
    }

    // MARK: Beats

    /// What the node lacks. `name` is what its certificate says, `origin` the host that it calls from.
    package func answer(_ beat: NodeBeat, from name: NodeName, at origin: String = "") async -> ClusterState {
        var address = beat.address
        address.name = name
        let now = time.monotonic
        let (isNew, copies, all, store) = state.withLock { state in
            let isNew = state.nodes[name]?.address != address
            var entry = state.nodes[name] ?? Entry(address: address, lastBeat: now)
            (entry.address, entry.lastBeat) = (address, now)
            let source = BeatSources.Source(address: address, process: beat.process)
            let copies = entry.sources.hear(source, from: origin, at: now)
            state.nodes[name] = entry
            state.expected.remove(name)
            if isNew { state.version += 1 }
            return (isNew, copies, state.nodes.values.map(\.address), state.store)
        }
        if let copies { onCopies(name, copies) }
        if isNew {
            addresses.setAddress(name.name, host: address.host, port: address.port)
            onChange(all.sorted { $0.name < $1.name })
        }
        store?.admit(NodeMember(name: name, site: address.site))
        for shard in beat.suspects { store?.repairer.suspect(shard) }
        for blob in beat.degraded { store?.repairer.prefer(blob) }
        return await clusterState(for: beat)
    }

    /// The nodes under whose name several processes run, by name.
    package var copied: [CopiedNode] {
        let now = time.monotonic
        return state.withLock { $0.nodes.values.map { ($0.address, $0.sources.places(at: now)) } }
            .filter { !$0.1.isEmpty }
            .map { CopiedNode(address: $0.0, places: $0.1) }
            .sorted { $0.address.name < $1.address.name }
    }

    private func clusterState(for beat: NodeBeat) async -> ClusterState {
        let (store, credentials) = state.withLock { ($0.store, $0.credentials) }
        // Without its keepers' word another may be the coordinator, and requests get no answer: nodes are not ready.
        guard let store, store.stopReason == nil, store.journal.isConfirmed else {
            return ClusterState(incarnation: 0, region: region, map: nil, credentials: nil, conditions: [], leases: nil)
        }
        let map = map(of: store)
        let isCurrent = beat.incarnation == store.journal.incarnation
        return ClusterState(
            incarnation: store.journal.incarnation,
            region: region,
            map: isCurrent && map.version == beat.mapVersion ? nil : map,
            credentials: isCurrent && credentials?.version == beat.credentialsVersion ? nil : credentials,
            conditions: store.blobs.view.conditions.sorted { $0.key < $1.key }.map {
                DiskFitness(disk: $0.key, isUsable: $0.value.isUsable, hangs: $0.value.hangs, room: $0.value.room)
            },
            leases: await leases(of: store)
        )
    }

    /// Those of the nodes: the coordinator's own give no other process any right.
    private func leases(of store: Store) async -> [HeldLease]? {
        try? await store.metadata.activeLeases().filter { $0.holder != store.configuration.holder }
            .map { HeldLease(lease: $0.lease, holder: $0.holder) }
    }

    private func map(of store: Store) -> MapUpdate {
        let storeVersion = store.blobs.view.version
        return state.withLock { state in
            if let map = state.map, map.of == (storeVersion, state.version) { return map.update }
            let known = store.blobs.view.map
            let update = MapUpdate(
                version: max(state.version, state.map?.update.version ?? 0) + 1,
                nodes: state.nodes.values.map(\.address).sorted { $0.name < $1.name },
                disks: known.disks.values.sorted { $0.id < $1.id }.map {
                    MapUpdate.Disk(id: $0.id, site: $0.site, node: $0.node)
                },
                groups: known.groups.values.sorted { $0.id < $1.id }.map {
                    MapUpdate.Group(
                        id: $0.id,
                        epoch: $0.epoch,
                        scheme: $0.scheme,
                        members: $0.members,
                        former: $0.former
                    )
                },
                classes: known.classes.sorted { $0.key < $1.key }.map { StorageClass(name: $0.key, scheme: $0.value) }
            )
            state.map = (update, (storeVersion, state.version))
            return update
        }
    }

    /// The store began less than a node's patience ago.
    private var isNew: Bool {
        time.monotonic.duration(since: state.withLock { $0.attached }) < Self.forgotten
    }

    // MARK: Leases

    /// Ends the write leases of nodes that have been silent for long: what they had not committed can no longer be, and
    /// is an orphan. A node that lives all the same is refused its next commit and gets a new lease.
    package func endLeasesOfTheSilent() async {
        guard !isNew, let store = state.withLock({ $0.store }),
            let leases = try? await store.metadata.activeLeases()
        else { return }
        let present = Set(present(within: Self.forgotten).map(\.name))
        for (lease, holder) in leases where holder != store.configuration.holder && !present.contains(holder) {
            try? await store.metadata.endLease(lease)
        }
    }

    // MARK: Readers

    /// The blobs that some gateway may still read: all of them while one does not say.
    private func held(among dead: [BlobID]) async -> Set<BlobID> {
        let gateways = present(within: Self.forgotten)
        // After a start, those that have not beaten yet may be reading all the same.
        if isNew, gateways.count < nodes.count { return Set(dead) }
        return await withTaskGroup(of: Set<BlobID>.self) { group in
            for gateway in gateways { group.addTask { await self.held(among: dead, at: gateway.name) } }
            return await group.reduce(into: []) { $0.formUnion($1) }
        }
    }

    private func held(among dead: [BlobID], at gateway: NodeName) async -> Set<BlobID> {
        let message = TransportMessage(header: GatewayCall.held(dead).encoded)
        guard let answer = try? await transport.call(gateway.name, message, timeout: Self.readersTimeout),
            case .held(let blobs)? = try? GatewayResponse(decoding: answer.header)
        else { return Set(dead) }
        return Set(blobs)
    }
}
