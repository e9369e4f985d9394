import BlobStorage
import ClusterProtocol
import ClusterTransport
import Coordination
import JournalStorage
import LinuxSystem
import Logging
import Metadata
import ObjectModel
import ObjectStorage
import S3Gateway
import ShardStorage
import StorageNode
import SystemInterface

/// The parts of a node that runs.
struct RunningNode: Sendable {
    /// How long a write lease is current.
    private static let leaseInterval = Duration.seconds(300)
    private static let trimInterval = Duration.seconds(3)
    /// Bytes of buffers from which it is worth to trim the whole heap.
    private static let heapThreshold = 16 << 20

    let agent: NodeAgent
    let client: ClusterClient
    let server: ClusterServer
    let feed: GatewayFeed
    let objects: ObjectStore
    let credentials: PushedCredentials
    /// To each port.
    let connections: Int
    private let blobs: BlobStore
    private let time = LinuxTime()

    init(
        settings: NodeSettings,
        identity: ClusterIdentity,
        folder: DataFolder,
        files: LinuxFileSystem,
        logger: Logger
    ) throws {
        let budget = try OpenFileBudget(
            disks: settings.folders(in: folder).count,
            ports: 2,
            limit: LinuxLimits.raiseOpenFiles()
        )
        connections = budget.connections
        agent = NodeAgent(
            slots: Self.slots(settings, in: folder),
            configuration: budget.disk,
            keeper: KeeperLog.Configuration(),
            time: time,
            random: LinuxRandom()
        )
        client = try Self.makeClient(settings, identity: identity, logger: logger)
        blobs = Self.makeBlobs(settings, agent: agent, client: client)
        objects = try Self.makeObjects(settings, blobs: blobs, client: client)
        credentials = PushedCredentials()
        let listen = try ListenAddress(settings.listen, option: "--listen")
        feed = GatewayFeed(
            address: try Self.address(settings, listening: listen),
            process: LinuxRandom().next(),
            transport: client,
            addresses: client,
            view: blobs.view,
            readers: objects.readers,
            time: time,
            handlers: Self.handlers(credentials: credentials, files: files, logger: logger)
        )
        Self.connect(feed, client: client, blobs: blobs)
        server = try ClusterServer(
            identity: identity,
            host: listen.host,
            port: listen.port,
            acceptsStrangers: false,
            connectionLimit: budget.connections,
            time: time,
            logger: logger,
            service: Self.port(agent, feed, logger: logger)
        )
    }

    /// Knows where the coordinator was last.
    private static func makeClient(
        _ settings: NodeSettings,
        identity: ClusterIdentity,
        logger: Logger
    ) throws -> ClusterClient {
        let client = try ClusterClient(identity: identity, time: LinuxTime(), logger: logger)
        let coordinator = try ListenAddress(settings.coordinator, option: "--join")
        client.setAddress(CoordinatorName.name, host: coordinator.host, port: coordinator.port)
        return client
    }

    /// Blobs on all disks of the cluster: the node's own are called without a network.
    private static func makeBlobs(_ settings: NodeSettings, agent: NodeAgent, client: ClusterClient) -> BlobStore {
        let (name, time, executor) = (NodeName(settings.name), LinuxTime(), InlineExecutor())
        let local = LocalTransport(time: time, executor: executor)
        local.register(name.name, agent)
        return BlobStore(
            transport: NearestTransport(own: name.name, local: local, remote: client),
            view: ClusterView(standpoint: Standpoint(site: SiteName(settings.site), node: name)),
            time: time,
            random: LinuxRandom(),
            executor: executor
        )
    }

    private static func makeObjects(
        _ settings: NodeSettings,
        blobs: BlobStore,
        client: ClusterClient
    ) throws -> ObjectStore {
        let time = LinuxTime()
        return ObjectStore(
            metadata: RemoteMetadataStore(transport: client, coordinator: CoordinatorName.name, time: time),
            blobs: blobs,
            node: NodeName(settings.name),
            time: time,
            random: LinuxRandom(),
            md5: try HashThread().makeEngine(),
            memoryLimit: MemoryShare.ofRequests
        )
    }

    /// Where others reach the node: where it listens, unless it is told to advertise another address.
    private static func address(_ settings: NodeSettings, listening listen: ListenAddress) throws -> NodeAddress {
        let reached = try settings.advertise.map { try ListenAddress($0, option: "--advertise") } ?? listen
        return NodeAddress(
            name: NodeName(settings.name),
            site: SiteName(settings.site),
            host: reached.host,
            port: reached.port
        )
    }

    private static func handlers(
        credentials: PushedCredentials,
        files: LinuxFileSystem,
        logger: Logger
    ) -> GatewayFeed.Handlers {
        GatewayFeed.Handlers(
            credentials: { credentials.replace($0) },
            follow: { host, port in remember(coordinator: host, port, in: files, logger) }
        )
    }

    /// What the coordinator says of members counts for calls; what reads find goes to it.
    private static func connect(_ feed: GatewayFeed, client: ClusterClient, blobs: BlobStore) {
        client.setAdmission { [weak feed] peer in
            peer.role != .node || feed?.counts(NodeName(peer.name), generation: peer.generation) ?? true
        }
        blobs.onBadShard { feed.suspect($0) }
        blobs.onDegradedRead { feed.prefer($0) }
    }

    private static func port(_ agent: NodeAgent, _ feed: GatewayFeed, logger: Logger) -> NodePort {
        NodePort(
            service: NodeService(
                agent: agent,
                feed: feed,
                onRefusal: RefusalLog(logger).report,
                onDismissal: RefusalLog(logger).reportDismissed
            )
        )
    }

    private static func slots(_ settings: NodeSettings, in folder: DataFolder) -> [StoreSlot] {
        settings.folders(in: folder).map {
            slot($0.slot, at: $0.path, of: settings, createsRoot: settings.paths.isEmpty)
        }
    }

    private static func slot(
        _ name: String,
        at path: String,
        of settings: NodeSettings,
        createsRoot: Bool
    ) -> StoreSlot {
        StoreSlot(site: SiteName(settings.site), node: NodeName(settings.name), name: name, path: path) {
            () async throws(FileError) in
            try await LinuxFileSystem.open(root: path, name: name, createsRoot: createsRoot)
        }
    }

    /// The next start asks the coordinator where it is now.
    private static func remember(coordinator host: String, _ port: Int, in files: LinuxFileSystem, _ logger: Logger) {
        Task {
            do {
                guard var settings = try NodeSettings.read(files.root) else { return }
                let address = host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)"
                guard settings.coordinator != address else { return }
                settings.coordinator = address
                try await NodeProgram.write(settings, in: files)
            } catch {
                logger.error("node.json cannot be written", metadata: ["error": "\(error)"])
            }
        }
    }

    /// Rotates the write lease and ends those that have drained.
    func keepLeases() async throws {
        while true {
            try await time.sleep(for: Self.leaseInterval)
            try? await objects.leases.rotate()
            try? await objects.leases.endDrained()
        }
    }

    func trimMemory() async throws {
        while true {
            try await time.sleep(for: Self.trimInterval)
            let freed = agent.service.disks.reduce(blobs.pool.trim()) { $0 + $1.shards.trimMemory() }
            if freed >= Self.heapThreshold { LinuxHeap.trim() }
        }
    }
}

/// The port of a node.
private struct NodePort: ClusterService {
    let service: NodeService

    func answer(
        _ message: TransportMessage,
        from peer: ClusterPeer?,
        at address: String
    ) async -> TransportMessage {
        await service.answer(message, from: ClusterCaller(peer, at: address))
    }
}
