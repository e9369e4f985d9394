import ClusterProtocol
import Coordination
import ObjectInterface
import ObjectModel
import ObjectStorage
import SystemInterface
import TestKit

/// A whole cluster, as its programs run in production: six nodes of two disks in three sites, a coordinator, clients
/// on all nodes; processes crash, pause and wake late, the network is cut, coordinators are taken over from, disks are
/// lost.
///
/// After each round everything is mended, the cluster must become whole by itself, every shard counted as verified, and
/// every key is read again.
package struct ClusterScenario: Scenario {
    static let operationCount = 500
    static let clientCount = 5
    /// More than in one store: what nobody answered keeps its key for the round.
    static let keyCount = 12

    package init() {}

    package var name: String { "cluster" }

    package var summary: String {
        "\(Self.operationCount) operations by \(Self.clientCount) clients on \(ClusterLayout.nodeCount) nodes in "
            + "\(ClusterLayout.siteCount) sites: crashes, pauses, cuts, take-overs, hurt disks"
    }

    package func faults(seed: UInt64) -> [String] {
        var generator = Self.generator(World(seed: seed, echo: nil))
        let plan = ClusterPlan(using: &generator)
        return plan.faults.map(\.description) + Self.points(seed: seed, plan).map(\.description)
    }

    private static func points(seed: UInt64, _ plan: ClusterPlan) -> [StoreMischief.Setting] {
        StoreMischief.settings(seed: seed, after: plan.faults.count, mayCostShards: plan.mayCostShards)
    }

    /// Two are asked only where a store of one process is put together.
    package var points: [String] {
        BuggifyPoint.allCases.filter { $0 != .journalForgets && $0 != .smallRounds }.map(\.rawValue)
    }

    package var deeds: [String] { StoreDeed.allCases.map(\.rawValue) }

    private static func generator(_ world: World) -> SplitMix64 { SplitMix64(seed: world.random.next()) }

    package func run(world: World, without left: Set<Int>) async throws {
        var generator = Self.generator(world)
        var plan = ClusterPlan(using: &generator)
        let points = Self.points(seed: world.seed, plan)
        plan.faults.removeAll { left.contains($0.number) }
        let mischief = StoreMischief(points.filter { !left.contains($0.number) }, world: world)
        let run = ClusterRun(plan: plan, world: world, mischief: mischief)
        defer { run.cluster.end() }
        try await run.run(using: &generator)
    }
}

/// One run of the scenario.
struct ClusterRun: ClientRun {
    /// How long calls may still be under way when all is mended: longer than any call's timeout.
    private static let lastCalls = Duration.seconds(60)

    let plan: ClusterPlan
    let world: World
    let mischief: StoreMischief
    let cluster: SimulatedCluster
    let oracle = StoreOracle(landsLate: true)
    let registers = RegisterOracle()

    init(plan: ClusterPlan, world: World, mischief: StoreMischief) {
        self.plan = plan
        self.world = world
        self.mischief = mischief
        cluster = SimulatedCluster(world: world, mischief: mischief, settings: plan.settings)
    }

    var clientCount: Int { ClusterScenario.clientCount }
    var keyCount: Int { ClusterScenario.keyCount }
    var objects: any ObjectServer { cluster }

    /// What is called again when no answer came, with the call before under way perhaps. A connection repeats nothing
    /// by itself, and a write to a disk is left to repair.
    private static func mayRepeat(_ message: TransportMessage) -> Bool {
        if (try? KeeperCall(decoding: message.header)) != nil { return true }
        switch try? ShardRequest(encoded: message.header) {
        case .read, .describe, .verify, .inventory, .status: return true
        default: return false
        }
    }

    func currentStore() async throws -> Store { try await cluster.store() }
    var slots: [SlotPlace] { ClusterLayout.slots }
    func useSpare(_ slot: Int) { cluster.useSpare(slot) }

    func run(using generator: inout SplitMix64) async throws {
        defer { world.count(.callsRepeated, times: world.network.repeated) }
        world.network.profile = ClusterNemesis.calm
        world.network.mayRepeat { Self.mayRepeat($0) }
        mischief.allowEnds(false)
        cluster.start()
        try await waitUntilServing()
        try await createBucket(region: ClusterLayout.region)
        let nemesis = ClusterNemesis(faults: plan.faults, cluster: cluster)
        for end in plan.roundEnds {
            mischief.allowEnds(true)
            if mischief.endsProcesses { cluster.isCalm = false }
            await runClients(until: end, using: &generator) { nemesis.reached($0) }
            mischief.allowEnds(false)
            let replaced = await nemesis.mend()
            guard world.problems.isEmpty else { return }
            try await waitUntilServing()
            try await world.time.sleep(for: Self.lastCalls)
            oracle.settle()
            cluster.isCalm = true
            try await renewDisks(replaced, liars: nemesis.liars)
            try await fillEmptySlots()
            try await waitUntilWhole()
            // Disks that were still being emptied have left.
            try await fillEmptySlots()
            try await countRewritten()
            try checkCoordinators()
            try await writeAll()
            try await readAll()
        }
        mischief.end()
        if plan.checksLeaks { try await checkLeaks() }
    }
}
