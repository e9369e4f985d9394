import BlobStorage
import Checksums
import ClusterProtocol
import Coordination
import DiskFormat
import JournalStorage
import LinuxSystem
import Metadata
import ObjectInterface
import ObjectModel
import ObjectStorage
import Placement
import ShardStorage
import StorageNode
import Synchronization
import SystemInterface
import TestKit

/// The processes of a cluster in this one: a coordinator and three nodes of one disk each, which call one another as
/// their certificates would say.
final class ClusterHarness: Sendable {
    static let bucket = "archive"
    static let owner = UserID("owner")
    static let region = "eu-1"

    /// Where calls go: a process that is down is not here.
    final class Switchboard: Sendable {
        typealias Service = @Sendable (TransportMessage, ClusterCaller) async -> TransportMessage
        private let services = Mutex<[String: Service]>([:])

        func plug(_ name: String, _ service: Service?) { services.withLock { $0[name] = service } }
        func service(_ name: String) -> Service? { services.withLock { $0[name] } }
    }

    /// The calls of one process.
    struct Line: Transport {
        let board: Switchboard
        let caller: ClusterCaller

        func call(
            _ node: String,
            _ message: TransportMessage,
            timeout: Duration
        ) async throws(TransportError) -> TransportMessage {
            guard let service = board.service(node) else { throw .unreachable(node: node) }
            return await service(message, caller)
        }
    }

    struct NoAddresses: AddressBook {
        func setAddress(_ node: String, host: String, port: Int) {}
    }

    /// What a node's outside is told.
    final class Told: Sendable {
        let credentials = Mutex<[[CredentialsUpdate.Entry]]>([])
        let follow = Mutex<[String]>([])
        let refusals = Mutex<[String]>([])
    }

    struct Node: Sendable {
        /// Where each node says that its disk lies.
        static let path = "/mnt/disk-1"

        let name: NodeName
        let agent: NodeAgent
        let service: NodeService
        let feed: GatewayFeed
        let view: ClusterView
        let objects: ObjectStore
        let told: Told

        init(_ number: Int, board: Switchboard) {
            let name = NodeName("node-\(number)")
            let told = Told()
            let time = LinuxTime()
            let random = SeededRandom(seed: UInt64(number))
            let disk = MemoryDisk(device: UInt64(number))
            let slot = StoreSlot(
                site: SiteName("site-1"),
                node: name,
                name: "disk-1",
                path: Self.path,
                open: { () throws(FileError) in disk.mount() }
            )
            var configuration = ShardDiskConfiguration()
            configuration.segmentLength = 32 << 20
            configuration.growthLength = 4 << 20
            configuration.reserveLength = 1 << 20
            agent = NodeAgent(
                slots: [slot],
                configuration: configuration,
                keeper: KeeperLog.Configuration(),
                time: time,
                random: random
            )
            let line = Line(board: board, caller: .node(name))
            view = ClusterView()
            objects = ObjectStore(
                metadata: RemoteMetadataStore(transport: line, coordinator: CoordinatorName.name, time: time),
                blobs: BlobStore(transport: line, view: view, time: time, random: random),
                node: name,
                time: time,
                random: random,
                md5: .inline
            )
            feed = GatewayFeed(
                address: NodeAddress(name: name, site: SiteName("site-1"), host: "10.0.0.\(number)", port: 7_400),
                transport: line,
                addresses: NoAddresses(),
                view: view,
                readers: objects.readers,
                time: time,
                handlers: GatewayFeed.Handlers(
                    credentials: { entries in told.credentials.withLock { $0.append(entries) } },
                    follow: { host, port in told.follow.withLock { $0.append("\(host):\(port)") } }
                )
            )
            service = NodeService(agent: agent, feed: feed) { caller, _ in
                told.refusals.withLock { $0.append(caller.name) }
            }
            (self.name, self.told) = (name, told)
        }
    }

    let board = Switchboard()
    let nodes: [Node]
    let membership: Membership
    let coordinator: CoordinatorService
    let store: Store
    /// The clock by which the coordinator sees nodes fall silent.
    let time: ManualTime

    /// A cluster that is formed, whose nodes have beaten once, with a bucket. `confirmation` is long by default: a
    /// machine busy with other tests must not look like a coordinator that another one has replaced.
    init(confirmation: Duration = .seconds(60)) async throws {
        guard let scheme = Scheme(name: "rs-2-1") else { throw StoreHarness.HarnessError.noSuchScheme }
        let board = board
        nodes = (1...3).map { Node($0, board: board) }
        for node in nodes { board.plug(node.name.name) { await node.service.answer($0, from: $1) } }
        time = ManualTime()
        time.advance(by: .seconds(1))
        let line = Line(board: board, caller: .coordinator)
        membership = Membership(
            known: [],
            region: Self.region,
            addresses: NoAddresses(),
            transport: line,
            time: time
        ) { _ in }
        let coordinator = CoordinatorService(membership: membership) { _ in
            throw StoreHarness.HarnessError.notOpen
        }
        self.coordinator = coordinator
        var configuration = StoreConfiguration(slots: [], scheme: scheme)
        configuration.nodes = nodes.map { NodeMember(name: $0.name, site: SiteName("site-1")) }
        configuration.transport = line
        configuration.cluster = ClusterID(Identifier128(high: 1, low: 1))
        configuration.holder = NodeName(CoordinatorName.name)
        configuration.journal = JournalConfiguration(confirmation: confirmation)
        store = try await Store.open(
            configuration,
            time: LinuxTime(),
            random: SeededRandom(seed: 9),
            md5: .inline
        ) { journal async throws(MetadataError) in JournaledMetadataStore.inMemory(journal: journal) }
        membership.setCredentials([
            CredentialsUpdate.Entry(user: "owner", displayName: "Owner", accessKey: "AK", secretKey: "SK")
        ])
        coordinator.attach(store)
        board.plug(CoordinatorName.name) { await coordinator.answer($0, from: $1) }
        for node in nodes { await node.feed.beat() }
        try await nodes[0].objects.createBucket(Self.bucket, owner: Self.owner, region: Self.region)
    }

    func close() async {
        coordinator.detach()
        await store.close()
        for node in nodes { await node.agent.close() }
    }

    /// The disk of a node.
    func disk(_ node: Int) throws -> DiskID {
        guard let disk = nodes[node].agent.service.disks.first else { throw StoreHarness.HarnessError.notOpen }
        return disk.shards.identity.disk
    }

    // MARK: Objects

    func put(_ key: String, _ bytes: [UInt8], at node: Int) async throws -> WriteResult {
        try await nodes[node].objects.put(
            PutRequest(
                bucket: Self.bucket,
                key: key,
                owner: Self.owner,
                length: bytes.count,
                attributes: ObjectAttributes(),
                tags: [],
                condition: .none,
                contentMD5: nil,
                checksum: .none
            ),
            body: ArrayBody(bytes)
        )
    }

    func get(_ key: String, at node: Int) async throws -> [UInt8] {
        let result = try await nodes[node].objects.get(
            GetRequest(bucket: Self.bucket, key: key, range: nil, partNumber: nil)
        )
        return try await StoreHarness.bytes(of: result)
    }

    // MARK: Calls

    /// The answer of a node's disk to a shard call.
    func ask(_ node: Int, _ request: ShardRequest, as caller: ClusterCaller) async throws -> ShardResponse {
        let message = TransportMessage(header: request.encoded())
        return try ShardResponse(encoded: await nodes[node].service.answer(message, from: caller).header)
    }
}
