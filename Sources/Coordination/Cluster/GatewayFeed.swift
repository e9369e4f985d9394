package import BlobStorage
package import ClusterProtocol
internal import JournalStorage
package import ObjectModel
package import ObjectStorage
internal import Placement
internal import StorageNode
import Synchronization
package import SystemInterface

/// A node's link to its coordinator: beats, and keeps what the node's gateway must know up to date.
///
/// Follows the coordinator of the highest incarnation it has heard of, and no older one.
package final class GatewayFeed: LeaseDirectory {
    /// How long one beat may take.
    private static let timeout = Duration.seconds(5)
    /// A coordinator that has answered no beat for so long is missed: two beats that time out.
    package static let patience = Duration.seconds(10)
    /// Beats that are wanted out of turn begin no sooner after the one before: callers with made-up leases must not
    /// become a storm on the coordinator.
    private static let spacing = Duration.milliseconds(10)
    /// Callers that may wait for such a beat; what more there are is refused.
    private static let waitingCallers = 4_096

    /// What the outside of a node does with what the feed learns. Called from the feed's task, one at a time.
    package struct Handlers: Sendable {
        package var credentials: @Sendable ([CredentialsUpdate.Entry]) -> Void
        /// The coordinator takes calls there from here on: to be remembered.
        package var follow: @Sendable (_ host: String, _ port: Int) -> Void

        package init(
            credentials: @escaping @Sendable ([CredentialsUpdate.Entry]) -> Void,
            follow: @escaping @Sendable (_ host: String, _ port: Int) -> Void
        ) {
            self.credentials = credentials
            self.follow = follow
        }
    }

    private struct State {
        var incarnation: UInt32 = 0
        var mapVersion: UInt64 = 0
        var credentialsVersion: UInt64 = 0
        var nodes: [NodeAddress] = []
        var suspects: Set<ShardID> = []
        var degraded: Set<BlobID> = []
        var region: String?
        var isServing = false
        var holders: [WriteLease: NodeName] = [:]
        /// The generation from which on the certificates of a node count, and the map's version when that was asked.
        var floors: [NodeName: UInt32] = [:]
        var floorsVersion: UInt64 = 0
        /// Why this node is no member any more.
        var dismissal: String?
        /// The coordinator takes beats that say which process this is; one of the version before does not.
        var tellsProcess = true
        /// Beats that have begun, and when the last of them did.
        var beats: UInt64 = 0
        var lastBeat = MonotonicTime(nanoseconds: 0)
        /// When a coordinator whose store runs last answered a beat.
        var lastAnswer: MonotonicTime
    }

    private let state: Mutex<State>
    private let address: NodeAddress
    private let process: UInt64?
    private let transport: any Transport
    private let addresses: any AddressBook
    private let view: ClusterView
    private let readers: BlobReaders
    private let time: any TimeSource
    private let handlers: Handlers
    /// One beat at a time, so that no older answer comes behind a newer one.
    private let gate = CallGate(limit: GatewayFeed.waitingCallers)

    /// `process`: drawn anew at each start; nil is never told from another process of this name.
    package init(
        address: NodeAddress,
        process: UInt64? = nil,
        transport: any Transport,
        addresses: any AddressBook,
        view: ClusterView,
        readers: BlobReaders,
        time: any TimeSource,
        handlers: Handlers
    ) {
        state = Mutex(State(lastAnswer: time.monotonic))
        self.address = address
        self.process = process
        self.transport = transport
        self.addresses = addresses
        self.view = view
        self.readers = readers
        self.time = time
        self.handlers = handlers
    }

    /// Whether the map and the credentials are here, so that clients can be served; with the cluster's region.
    package var region: String? { state.withLock { $0.isServing ? $0.region : nil } }

    /// Since when no coordinator whose store runs has answered; from the start, before the first has.
    package var silence: Duration { time.monotonic.duration(since: state.withLock { $0.lastAnswer }) }

    /// Why clients had better ask another node; nil when this one serves. A request needs the coordinator: without it
    /// most are answered 503.
    package var problem: String? {
        guard region != nil else { return "the node does not know the cluster's map yet" }
        let silence = silence
        guard silence >= Self.patience else { return nil }
        return "the coordinator has not answered for \(silence.components.seconds) s"
    }

    /// A shard that a read found lost or bad: told to the coordinator with the next beat, dropped beyond a limit.
    package func suspect(_ shard: ShardID) {
        state.withLock { if $0.suspects.count < NodeBeat.suspectLimit { $0.suspects.insert(shard) } }
    }

    /// A client has read a blob that lacks a shard: told, and dropped, in the same way.
    package func prefer(_ blob: BlobID) {
        state.withLock { if $0.degraded.count < NodeBeat.degradedLimit { $0.degraded.insert(blob) } }
    }

    /// Why the coordinator answers this node no more; nil while it is a member. Nothing but a new certificate ends it.
    package var dismissal: String? { state.withLock { $0.dismissal } }

    /// Beats until cancelled, or until this node is no member any more.
    package func run() async {
        while !Task.isCancelled, dismissal == nil {
            await beat()
            try? await time.sleep(for: Membership.interval)
        }
    }

    /// One beat; what its answer brings is in use on return.
    package func beat() async {
        guard await gate.enter() else { return }
        defer { gate.leave() }
        await beatAlone()
    }

    private func beatAlone() async {
        let beat = state.withLock { state in
            defer { (state.suspects, state.degraded) = ([], []) }
            state.beats += 1
            state.lastBeat = time.monotonic
            return NodeBeat(
                address: address,
                incarnation: state.incarnation,
                mapVersion: state.mapVersion,
                credentialsVersion: state.credentialsVersion,
                suspects: state.suspects.sorted(),
                degraded: state.degraded.sorted(),
                process: state.tellsProcess ? process : nil
            )
        }
        let message = TransportMessage(header: CoordinatorCall.beat(beat).encoded)
        switch await ask(message) {
        case .state(let update):
            apply(update)
            await askForFloors()
        case .dismissed(let reason): state.withLock { $0.dismissal = reason }
        case let answer:
            // The next beat goes without what it cannot read.
            if case .refused = answer, beat.process != nil { state.withLock { $0.tellsProcess = false } }
            beat.suspects.forEach { suspect($0) }
            beat.degraded.forEach { prefer($0) }
        }
    }

    /// nil when there was no answer, or none that this version reads.
    private func ask(_ message: TransportMessage) async -> CoordinatorResponse? {
        guard let answer = try? await transport.call(CoordinatorName.name, message, timeout: Self.timeout) else {
            return nil
        }
        return try? CoordinatorResponse(decoding: answer.header)
    }

    private func apply(_ update: ClusterState) {
        guard update.incarnation > 0 else { return }
        let isNewer = state.withLock { state in
            guard update.incarnation >= state.incarnation else { return false }
            // A coordinator that begins ends all leases there were.
            // It may be of a later version, too.
            if update.incarnation > state.incarnation { (state.holders, state.tellsProcess) = ([:], true) }
            state.incarnation = update.incarnation
            state.lastAnswer = time.monotonic
            state.region = update.region
            if let leases = update.leases {
                state.holders = Dictionary(leases.map { ($0.lease, $0.holder) }) { first, _ in first }
            }
            return true
        }
        guard isNewer else { return }
        if let map = update.map { apply(map) }
        for condition in update.conditions {
            view.update(
                condition.disk,
                condition: DiskCondition(isUsable: condition.isUsable, hangs: condition.hangs, room: condition.room)
            )
        }
        if let credentials = update.credentials {
            handlers.credentials(credentials.entries)
            state.withLock { $0.credentialsVersion = credentials.version }
        }
        state.withLock { $0.isServing = $0.mapVersion > 0 && $0.credentialsVersion > 0 }
    }

    private func apply(_ update: MapUpdate) {
        for node in update.nodes where node.name != address.name {
            addresses.setAddress(node.name.name, host: node.host, port: node.port)
        }
        var map = ClusterMap()
        for disk in update.disks { map.disks[disk.id] = PlacementDisk(id: disk.id, site: disk.site, node: disk.node) }
        for group in update.groups {
            map.groups[group.id] = ClusterMap.Group(
                id: group.id,
                epoch: group.epoch,
                scheme: group.scheme,
                members: group.members,
                former: group.former
            )
        }
        for item in update.classes { map.classes[item.name] = item.scheme }
        view.update(map: map)
        state.withLock { state in
            state.nodes = update.nodes
            state.mapVersion = update.version
        }
    }

    // MARK: Certificates

    /// Whether a certificate counts that another node has shown.
    package func counts(_ name: NodeName, generation: UInt32) -> Bool {
        state.withLock { generation >= $0.floors[name] ?? 0 }
    }

    /// The map's version rises with each change: what comes with it is asked for once, and again until it is answered.
    private func askForFloors() async {
        let version = state.withLock { $0.mapVersion == $0.floorsVersion ? nil : $0.mapVersion }
        guard let version else { return }
        switch await ask(TransportMessage(header: CoordinatorCall.certificates.encoded)) {
        case .certificates(let floors):
            state.withLock { state in
                state.floors = Dictionary(floors.map { ($0.node, $0.generation) }) { max($0, $1) }
                state.floorsVersion = version
            }
        // One of the version before does not know of it.
        case .refused: state.withLock { $0.floorsVersion = version }
        default: return
        }
    }

    // MARK: Write leases

    package func knownHolder(of lease: WriteLease) -> NodeName? { state.withLock { $0.holders[lease] } }

    package func holder(of lease: WriteLease) async -> NodeName? {
        let (known, beats) = state.withLock { ($0.holders[lease], $0.beats) }
        if let known { return known }
        guard await gate.enter() else { return nil }
        defer { gate.leave() }
        // One beat that began after the question serves all who wait.
        if state.withLock({ $0.beats }) == beats {
            // On a task of its own: that this caller gives up must not take the answer from the others.
            await Task { await beatOutOfTurn() }.value
        }
        return knownHolder(of: lease)
    }

    private func beatOutOfTurn() async {
        let wait = Self.spacing - time.monotonic.duration(since: state.withLock { $0.lastBeat })
        if wait > .zero { try? await time.sleep(for: wait) }
        await beatAlone()
    }

    // MARK: Calls of the coordinator

    package func answer(_ header: [UInt8]) async -> GatewayResponse {
        let call: GatewayCall
        do {
            call = try GatewayCall(decoding: header)
        } catch {
            return .refused(error.description)
        }
        switch call {
        case .held(let dead): return .held(await readers.held(among: dead, time: time).sorted())
        case .nodes: return .nodes(state.withLock { $0.nodes })
        case .follow(let incarnation, let host, let port):
            let known = state.withLock { state in
                guard incarnation >= state.incarnation else { return nil as (nodes: [NodeAddress], isNewer: Bool)? }
                let isNewer = incarnation > state.incarnation
                if isNewer {
                    // Everything is asked for anew.
                    (state.incarnation, state.mapVersion, state.credentialsVersion) = (incarnation, 0, 0)
                    (state.holders, state.tellsProcess) = ([:], true)
                }
                return (state.nodes, isNewer)
            }
            guard let known else { return .refused("a coordinator of a higher incarnation is known here") }
            addresses.setAddress(CoordinatorName.name, host: host, port: port)
            handlers.follow(host, port)
            // Writes that waited for a coordinator go on now: a beat later they would have gone to disks that are away.
            // On a task of its own: that the coordinator waits no longer must not end it.
            if known.isNewer { await Task { await beat() }.value }
            return .nodes(known.nodes)
        }
    }
}
