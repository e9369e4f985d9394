import BlobStorage
import Checksums
import ClusterProtocol
import ClusterTransport
import Coordination
import ErasureCoding
import Foundation
import JournalStorage
import LinuxSystem
import Logging
import Metadata
import ObjectInterface
import ObjectModel
import ObjectStorage
import S3Gateway
import ServiceLifecycle
import ShardStorage
import StorageNode
import SystemInterface

/// The composition root of `cairn node`.
struct NodeProgram {
    let options: NodeCommand

    func run() async throws {
        LoggingSystem.bootstrap { StreamLogHandler.standardError(label: $0) }
        try ErasureCoder.selfTest()
        try ChecksumSelfTest.run()
        let logger = Logger(label: "cairn")
        let folder = DataFolder(path: options.data)
        let files = try await folder.open()
        let remembered = try NodeSettings.read(folder.path)
        var settings = try NodeSettings(options, remembered: remembered)
        try DiskFolders.checkDistinct(settings.paths)
        let disks = try await DiskFolders.look(settings.paths)
        let membership = NodeMembership(files: files)
        let identity = try await identity(membership, settings, isFirstStart: remembered == nil)
        try Self.nameSlots(disks, of: identity, in: &settings, logger)
        try await Self.write(settings, in: files)
        let node = try RunningNode(settings: settings, identity: identity, folder: folder, files: files, logger: logger)
        Announcement.say("joined: node \(settings.name) of site \(settings.site), cluster \(identity.cluster)")
        let server = node.server
        let client = node.client
        let services: [any Service] = [
            Listening(
                address: try ListenAddress(settings.listen, option: "--listen"),
                option: "--listen",
                base: ClusterPortService(server: server) { _ in }
            ),
            BackgroundWork { await node.feed.run() },
            BackgroundWork { try await node.keepLeases() },
            BackgroundWork { try await node.trimMemory() },
            S3EndpointService(node: node, settings: settings, logger: logger),
            Renewal(logger: logger) {
                try membership.identity()
            } renew: {
                let fresh = try await membership.renew(client)
                try client.replaceIdentity(fresh)
                try server.replaceIdentity(fresh)
            },
        ]
        try await ServiceRun.run(services, logger: logger)
        await node.agent.close()
        client.close()
        if let reason = node.feed.dismissal {
            try await membership.noteDismissed()
            throw ServeError("\(reason). If it is to be a member again, \(Self.remedy(settings.name))")
        }
        withExtendedLifetime(files) {}
    }

    private func identity(
        _ membership: NodeMembership,
        _ settings: NodeSettings,
        isFirstStart: Bool
    ) async throws -> ClusterIdentity {
        if let identity = try membership.identity() {
            let isExpired = identity.isExpired(now: LinuxTime().wall)
            let hasToken = options.join != nil && options.token != nil
            guard try isExpired || hasToken && membership.isDismissed(identity) else {
                if isFirstStart { try await settings.check(against: identity, in: DataFolder(path: options.data)) }
                return identity
            }
            // The old token that a configuration still names is refused, and that is said.
            let trouble =
                "the certificate of node \(identity.name) "
                + (isExpired ? "has expired on \(DateText.text(identity.notAfter))" : "counts no more")
            let remedy = Self.remedy(identity.name)
            guard options.join != nil, let token = options.token else { throw ServeError("\(trouble): \(remedy)") }
            do {
                try await Self.checkBeforeJoining(settings, isFirstStart: isFirstStart)
                return try await membership.join(settings, token: token)
            } catch {
                throw ServeError("\(trouble), and it could not join anew (\(error)): \(remedy)")
            }
        }
        guard let token = options.token else {
            throw ServeError("this node has not joined yet: give --token, which `cairn admin node token` prints")
        }
        try await Self.checkBeforeJoining(settings, isFirstStart: isFirstStart)
        return try await membership.join(settings, token: token)
    }

    private static func nameSlots(
        _ disks: [GivenDisk],
        of identity: ClusterIdentity,
        in settings: inout NodeSettings,
        _ logger: Logger
    ) throws {
        guard let cluster = Identifier128(text: identity.cluster) else {
            throw ServeError("this node's certificate names no cluster: join anew with a `--replace` token")
        }
        for (slot, disk, remark) in settings.nameSlots(disks, of: ClusterID(cluster)) {
            // An empty one is usual: it is new.
            logger.log(
                level: disk.finding == .empty ? .notice : .warning,
                "a disk is not one that this node has served",
                metadata: ["slot": "\(slot)", "path": "\(disk.path)", "reason": "\(remark)"]
            )
        }
    }

    private static func remedy(_ name: String) -> String {
        "start it once with --join ADDRESS:PORT and --token of `cairn admin node token --replace \(name)`"
    }

    /// A join uses up the token and gives the name away: what would end the start right after it is found before. Of a
    /// node that has served, a disk may have died meanwhile.
    private static func checkBeforeJoining(_ settings: NodeSettings, isFirstStart: Bool) async throws {
        if isFirstStart { try DiskFolders.checkUsable(settings.paths) }
        let listen = try ListenAddress(settings.listen, option: "--listen")
        let s3 = try ListenAddress(settings.s3, option: "--s3")
        do {
            // Both at once: they may be in each other's way.
            try await listen.serving(option: "--listen") {
                try await ListenProbe.holding(host: listen.host, port: listen.port) {
                    try await s3.serving(option: "--s3") {
                        try await ListenProbe.holding(host: s3.host, port: s3.port) {}
                    }
                }
            }
        } catch let error as ServeError {
            throw ServeError("\(error); the node has not joined, and its token was not used")
        }
    }

    static func write(_ settings: NodeSettings, in files: LinuxFileSystem) async throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        let text = String(decoding: try encoder.encode(settings), as: UTF8.self)
        try await DataFolder.writeSecret(text, name: "node.json", in: files)
    }
}

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
        let random = LinuxRandom()
        let executor = InlineExecutor()
        let name = NodeName(settings.name)
        let budget = try OpenFileBudget(
            disks: settings.folders(in: folder).count,
            ports: 2,
            limit: LinuxLimits.raiseOpenFiles()
        )
        connections = budget.connections
        let agent = NodeAgent(
            slots: Self.slots(settings, in: folder),
            configuration: budget.disk,
            keeper: KeeperLog.Configuration(),
            time: time,
            random: random
        )
        let local = LocalTransport(time: time, executor: executor)
        local.register(name.name, agent)
        let client = try ClusterClient(identity: identity, time: time, logger: logger)
        let coordinator = try ListenAddress(settings.coordinator, option: "--join")
        client.setAddress(CoordinatorName.name, host: coordinator.host, port: coordinator.port)
        let view = ClusterView(standpoint: Standpoint(site: SiteName(settings.site), node: name))
        let blobs = BlobStore(
            transport: NearestTransport(own: name.name, local: local, remote: client),
            view: view,
            time: time,
            random: random,
            executor: executor
        )
        let objects = ObjectStore(
            metadata: RemoteMetadataStore(transport: client, coordinator: CoordinatorName.name, time: time),
            blobs: blobs,
            node: name,
            time: time,
            random: random,
            md5: try HashThread().makeEngine(),
            memoryLimit: MemoryShare.ofRequests
        )
        let credentials = PushedCredentials()
        let listen = try ListenAddress(settings.listen, option: "--listen")
        let reached = try settings.advertise.map { try ListenAddress($0, option: "--advertise") } ?? listen
        let feed = GatewayFeed(
            address: NodeAddress(
                name: name,
                site: SiteName(settings.site),
                host: reached.host,
                port: reached.port
            ),
            transport: client,
            addresses: client,
            view: view,
            readers: objects.readers,
            time: time,
            handlers: GatewayFeed.Handlers(
                credentials: { credentials.replace($0) },
                follow: { host, port in Self.remember(coordinator: host, port, in: files, logger) }
            )
        )
        client.setAdmission { [weak feed] peer in
            peer.role != .node || feed?.counts(NodeName(peer.name), generation: peer.generation) ?? true
        }
        blobs.onBadShard { feed.suspect($0) }
        blobs.onDegradedRead { feed.prefer($0) }
        server = try ClusterServer(
            identity: identity,
            host: listen.host,
            port: listen.port,
            acceptsStrangers: false,
            connectionLimit: budget.connections,
            time: time,
            logger: logger,
            service: NodePort(
                service: NodeService(
                    agent: agent,
                    feed: feed,
                    onRefusal: RefusalLog(logger).report,
                    onDismissal: RefusalLog(logger).reportDismissed
                )
            )
        )
        self.agent = agent
        self.client = client
        self.feed = feed
        self.objects = objects
        self.credentials = credentials
        self.blobs = blobs
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
