import BlobStorage
import Checksums
import ClusterProtocol
import Coordination
import Metadata
import ObjectModel
import ObjectStorage
import StorageNode
import Synchronization
import SystemInterface

/// A storage node as `cairn node` runs it: disks, the gateway of its clients, beats. It crashes, pauses and starts
/// again.
final class SimulatedNode: Sendable {
    /// How long a write lease is current: short, so that a run sees some come and go.
    private static let leaseInterval = Duration.seconds(20)
    private static let poll = Duration.milliseconds(100)

    /// One life of the node's process.
    struct Life: Sendable {
        let process: SimulatedProcess
        let agent: NodeAgent
        let objects: ObjectStore
        let feed: GatewayFeed
    }

    private struct State {
        var life: Life?
        var process: SimulatedProcess?
        var isServing = false
        /// Where the coordinator was last heard of: kept on the node's disk.
        var coordinator = ClusterLayout.coordinatorName(0)
        var generations = Array(repeating: 0, count: ClusterLayout.disksPerNode)
        var nextCall = 0
        var calls: [Int: @Sendable () -> Void] = [:]
    }

    let number: Int
    let name: String
    private let world: World
    private let watch: ErasureWatch
    private let mischief: StoreMischief
    private let state = Mutex(State())

    init(_ number: Int, world: World, watch: ErasureWatch, mischief: StoreMischief) {
        self.number = number
        self.world = world
        self.watch = watch
        self.mischief = mischief
        name = ClusterLayout.nodeName(number)
    }

    private var places: Range<Int> {
        number * ClusterLayout.disksPerNode..<(number + 1) * ClusterLayout.disksPerNode
    }

    /// The disk in a place of this node.
    func disk(_ place: Int) -> String {
        ClusterLayout.diskName(place, state.withLock { $0.generations[place - places.lowerBound] })
    }

    /// Puts the next, empty disk into a place.
    func useSpare(_ place: Int) { state.withLock { $0.generations[place - places.lowerBound] += 1 } }

    /// Whether clients are served.
    var isServing: Bool { state.withLock { $0.isServing } }
    var isUp: Bool { state.withLock { $0.process != nil } }
    var agent: NodeAgent? { state.withLock { $0.life?.agent } }
    var objects: ObjectStore? { state.withLock { $0.life?.objects } }

    // MARK: Up and down

    func start() {
        guard !isUp else { return }
        let all = places.flatMap { place in
            (0..<ClusterLayout.generationCount).map { ClusterLayout.diskName(place, $0) }
        }
        let process = world.start(name, disks: all) { [self] process in
            let life = life(of: process)
            state.withLock { $0.life = life }
            await run(life)
        }
        state.withLock { $0.process = process }
    }

    /// Ends the process, perhaps with its machine's power.
    func crash(losingPower: Bool) {
        let (process, calls) = state.withLock { state in
            defer {
                (state.process, state.life, state.isServing) = (nil, nil, false)
                state.calls = [:]
            }
            return (state.process, state.calls.sorted { $0.key < $1.key }.map(\.value))
        }
        process?.crash(losingPower: losingPower)
        for call in calls { call() }
    }

    func pause() { state.withLock { $0.process }?.pause() }
    func resume() { state.withLock { $0.process }?.resume() }

    // MARK: The process

    private func life(of process: SimulatedProcess) -> Life {
        // Nothing of a node ends with a point.
        let buggify = mischief.buggify {}
        let agent = agent(in: process, buggify)
        let remote = AddressedTransport(process.transport)
        remote.setAddress(
            CoordinatorName.name,
            host: state.withLock { $0.coordinator },
            port: ClusterLayout.port
        )
        let blobs = blobs(in: process, agent: agent, remote: remote, buggify)
        let objects = ObjectStore(
            metadata: RemoteMetadataStore(
                transport: remote,
                coordinator: CoordinatorName.name,
                time: process.time
            ),
            blobs: blobs,
            node: NodeName(name),
            time: process.time,
            random: process.random,
            md5: .inline
        )
        let feed = feed(in: process, objects: objects, remote: remote)
        blobs.onBadShard { feed.suspect($0) }
        blobs.onDegradedRead { feed.prefer($0) }
        process.serve(name, NodePort(service: NodeService(agent: agent, feed: feed), watch: watch))
        return Life(process: process, agent: agent, objects: objects, feed: feed)
    }

    private var site: SiteName { SiteName(ClusterLayout.siteName(ofNode: number)) }

    private func agent(in process: SimulatedProcess, _ buggify: Buggify) -> NodeAgent {
        NodeAgent(
            slots: places.map { place in
                StoreSlot(
                    site: site,
                    node: NodeName(name),
                    name: ClusterLayout.slotName(place)
                ) { [self] () throws(FileError) in process.files(disk(place)) }
            },
            configuration: ClusterLayout.disk(buggify),
            keeper: ClusterLayout.keeper,
            time: process.time,
            random: process.random
        )
    }

    /// Blobs on all disks of the cluster: the node's own are called without a network.
    private func blobs(
        in process: SimulatedProcess,
        agent: NodeAgent,
        remote: AddressedTransport,
        _ buggify: Buggify
    ) -> BlobStore {
        let local = LocalTransport(time: process.time)
        local.register(name, WatchedService(service: agent, watch: watch))
        return BlobStore(
            transport: NearestTransport(own: name, local: local, remote: remote),
            view: ClusterView(standpoint: Standpoint(site: site, node: NodeName(name))),
            time: process.time,
            random: process.random,
            buggify: buggify
        )
    }

    private func feed(in process: SimulatedProcess, objects: ObjectStore, remote: AddressedTransport) -> GatewayFeed {
        GatewayFeed(
            address: SimulatedCluster.address(ofNode: number),
            transport: remote,
            addresses: remote,
            view: objects.blobs.view,
            readers: objects.readers,
            time: process.time,
            handlers: GatewayFeed.Handlers(
                credentials: { _ in },
                follow: { [self] host, _ in state.withLock { $0.coordinator = host } }
            )
        )
    }

    private func run(_ life: Life) async {
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await life.feed.run() }
            group.addTask { [self] in
                await serveClients(life)
                while (try? await life.process.time.sleep(for: Self.leaseInterval)) != nil {
                    try? await life.objects.leases.rotate()
                    try? await life.objects.leases.endDrained()
                }
            }
        }
    }

    /// Opens the door once the node knows the cluster, as the S3 endpoint of a node does.
    private func serveClients(_ life: Life) async {
        while life.feed.region == nil {
            guard (try? await life.process.time.sleep(for: Self.poll)) != nil else { return }
        }
        while (try? await life.objects.leases.endEarlier()) == nil {
            guard (try? await life.process.time.sleep(for: Self.poll)) != nil else { return }
        }
        state.withLock { if $0.process === life.process { $0.isServing = true } }
    }

    // MARK: Calls of clients

    /// Runs `body` in the node's process; nil when that dies before the answer.
    func use<Value: Sendable>(_ body: @escaping @Sendable (ObjectStore) async -> Value) async -> Value? {
        await withCheckedContinuation { continuation in
            let call = state.withLock { state -> (number: Int, objects: ObjectStore)? in
                guard let objects = state.life?.objects else { return nil }
                state.nextCall += 1
                state.calls[state.nextCall] = { continuation.resume(returning: nil) }
                return (state.nextCall, objects)
            }
            guard let call else { return continuation.resume(returning: nil) }
            Task { [self] in
                let value = await body(call.objects)
                let isWaiting = state.withLock { $0.calls.removeValue(forKey: call.number) != nil }
                if isWaiting { continuation.resume(returning: value) }
            }
        }
    }
}

/// The port of a node: what calls is who its certificate says.
private struct NodePort: PeerService {
    let service: NodeService
    let watch: ErasureWatch

    func answer(_ message: TransportMessage, from process: String) async -> TransportMessage {
        let request = watch.begin(message)
        let caller: ClusterCaller =
            ClusterLayout.isCoordinator(process) ? .coordinator : .node(NodeName(process))
        let answer = await service.answer(message, from: caller)
        if let request { watch.end(request, answer) }
        return answer
    }
}

/// A node's service behind the watch.
private struct WatchedService: TransportService {
    let service: any TransportService
    let watch: ErasureWatch

    func answer(_ message: TransportMessage) async -> TransportMessage {
        let request = watch.begin(message)
        let answer = await service.answer(message)
        if let request { watch.end(request, answer) }
        return answer
    }
}
