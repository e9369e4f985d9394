import BlobStorage
import ClusterProtocol
import Coordination
import DiskFormat
import Metadata
import ObjectModel
import ObjectStorage
import Placement
import ShardStorage
import StorageNode
import Synchronization
import SystemInterface
import TestKit

/// A whole cluster as its clients reach it: nodes in three sites, one coordinator or, for a while, two.
final class SimulatedCluster: ObjectServer {
    private static let poll = Duration.milliseconds(50)
    /// Short, so that a run meets it.
    static let orphanQuarantine = Duration.seconds(10)

    private struct State {
        var coordinators: [SimulatedCoordinator] = []
        var isCalm = true
    }

    let world: World
    let watch: ErasureWatch
    let nodes: [SimulatedNode]
    private let cluster: ClusterID
    private let state: Shared
    private let mischief: StoreMischief
    private let settings: OperatorSettings

    /// What the watch looks at, too.
    private final class Shared: Sendable {
        private let state = Mutex(State())
        func withLock<Value>(_ body: (inout sending State) throws -> sending Value) rethrows -> sending Value {
            try state.withLock(body)
        }

        /// The coordinator that counts: of those that run, the one of the highest incarnation, or else the newest.
        var coordinator: SimulatedCoordinator? {
            let all = withLock { $0.coordinators }
            return all.filter { $0.incarnation > 0 }.max { $0.incarnation < $1.incarnation } ?? all.last { $0.mayStart }
        }
    }

    init(world: World, mischief: StoreMischief, settings: OperatorSettings) {
        self.world = world
        self.mischief = mischief
        self.settings = settings
        let state = Shared()
        self.state = state
        let watch = ErasureWatch(
            counts: { shard, disk in state.coordinator?.committed?.counts(shard, on: disk) },
            report: { world.report($0) }
        )
        self.watch = watch
        nodes = (0..<ClusterLayout.nodeCount).map { SimulatedNode($0, world: world, watch: watch, mischief: mischief) }
        var generator = SplitMix64(seed: world.random.next())
        cluster = ClusterID(.random(using: &generator))
    }

    static func address(ofNode node: Int) -> NodeAddress {
        NodeAddress(
            name: NodeName(ClusterLayout.nodeName(node)),
            site: SiteName(ClusterLayout.siteName(ofNode: node)),
            host: ClusterLayout.nodeName(node),
            port: ClusterLayout.port
        )
    }

    // MARK: Coordinators

    var coordinator: SimulatedCoordinator? { state.coordinator }

    /// All there ever were.
    var coordinators: [SimulatedCoordinator] { state.withLock { $0.coordinators } }

    /// Starts one more coordinator: the first, or one that takes over from all others.
    func addCoordinator() {
        let coordinator = state.withLock { state in
            let number = state.coordinators.count
            let next = SimulatedCoordinator(
                number,
                of: cluster,
                takesOver: number > 0,
                world: world,
                mischief: mischief,
                settings: settings
            )
            state.coordinators.append(next)
            return next
        }
        coordinator.start()
    }

    func start() {
        for node in nodes { node.start() }
        addCoordinator()
    }

    /// Starts whatever is down: coordinators that were taken over from as well, which must find out.
    func startAll() {
        for node in nodes { node.start() }
        for coordinator in coordinators { coordinator.start() }
    }

    func end() {
        for coordinator in coordinators { coordinator.end() }
        world.count(.erasuresJudged, times: watch.judged)
    }

    /// The store of the newest coordinator, once it runs.
    func store() async throws -> Store {
        while true {
            if let store = coordinator?.store { return store }
            try await world.time.sleep(for: Self.poll)
        }
    }

    // MARK: Disks

    /// The disk in a place.
    func disk(_ place: Int) -> String { nodes[ClusterLayout.node(ofPlace: place)].disk(place) }

    func useSpare(_ place: Int) { nodes[ClusterLayout.node(ofPlace: place)].useSpare(place) }

    /// Every disk that some node serves.
    var hosted: [HostedDisk] { nodes.flatMap { $0.agent?.service.disks ?? [] } }

    // MARK: Clients

    /// Nothing is in the way of anything, and nothing is down.
    var isCalm: Bool {
        get { state.withLock { $0.isCalm } }
        set { state.withLock { $0.isCalm = newValue } }
    }

    var mayBeUnavailable: Bool { !isCalm }

    func use<Value: Sendable>(_ body: @escaping @Sendable (ObjectStore) async -> Value) async -> Value? {
        while world.problems.isEmpty {
            let serving = nodes.filter(\.isServing)
            if !serving.isEmpty {
                return await serving[Int(world.random.next() % UInt64(serving.count))].use(body)
            }
            guard (try? await world.time.sleep(for: Self.poll)) != nil else { return nil }
        }
        return nil
    }

    func describeShards(of key: String) async -> [String] {
        guard let store = coordinator?.store else { return ["no coordinator: \(coordinator?.problem ?? "")"] }
        return await store.describeShards(of: key, on: hosted)
    }
}
