import Coordination
import Metadata
import ObjectInterface
import ObjectModel
import ObjectStorage
import SystemInterface
import TestKit

/// The whole store, as it runs in production, on eight simulated disks with rs-4-2: 500 operations by a few clients, in
/// one or two rounds of composed faults, with crashes.
///
/// After each round everything is mended, the store must become whole by itself, every shard counted as verified, and
/// every key is read again. In the end two disks may be pulled and everything read once more, or everything deleted:
/// then nothing may be left on the disks but what metadata names.
package struct StoreScenario: Scenario {
    static let operationCount = 500
    static let clientCount = 5
    static let keyCount = 7

    package init() {}

    package var name: String { "store" }

    package var summary: String {
        "\(Self.operationCount) operations by \(Self.clientCount) clients on the whole store, crashes, and faults of "
            + "at most \(StorePlan.touchedLimit) disks at a time"
    }

    package func faults(seed: UInt64) -> [String] {
        var generator = Self.generator(World(seed: seed, echo: nil))
        let plan = StorePlan(using: &generator)
        let points = Self.points(seed: seed, plan)
        return plan.faults.map(\.description) + points.map(\.description)
    }

    /// No coordinator takes over from another here.
    package var points: [String] { BuggifyPoint.allCases.filter { $0 != .importCutShort }.map(\.rawValue) }
    package var deeds: [String] { StoreDeed.allCases.map(\.rawValue) }

    private static func points(seed: UInt64, _ plan: StorePlan) -> [StoreMischief.Setting] {
        StoreMischief.settings(
            seed: seed,
            after: plan.faults.count,
            mayCostShards: plan.mostTouched < StorePlan.touchedLimit
        )
    }

    private static func generator(_ world: World) -> SplitMix64 { SplitMix64(seed: world.random.next()) }

    package func run(world: World, without left: Set<Int>) async throws {
        var generator = Self.generator(world)
        var plan = StorePlan(using: &generator)
        let points = Self.points(seed: world.seed, plan)
        plan.faults.removeAll { left.contains($0.number) }
        let mischief = StoreMischief(points.filter { !left.contains($0.number) }, world: world)
        let run = StoreRun(plan: plan, world: world, mischief: mischief)
        defer { run.server.end() }
        try await run.run(using: &generator)
    }
}

/// One run of the scenario.
struct StoreRun: ClientRun {
    /// Of the writes that are answered, so many of a hundred are done at least, whatever is hurt: a store may refuse
    /// what it cannot keep its promises for, but not as it likes.
    private static let donePercent = 25

    let plan: StorePlan
    let world: World
    let mischief: StoreMischief
    let server: StoreServer
    let oracle = StoreOracle()
    let registers = RegisterOracle()

    init(plan: StorePlan, world: World, mischief: StoreMischief? = nil) {
        let mischief = mischief ?? StoreMischief([], world: world)
        self.plan = plan
        self.world = world
        self.mischief = mischief
        server = StoreServer(world: world, mischief: mischief, settings: plan.settings)
    }

    var clientCount: Int { StoreScenario.clientCount }
    var keyCount: Int { StoreScenario.keyCount }
    var objects: any ObjectServer { server }

    func currentStore() async throws -> Store { await server.store() }

    var slots: [SlotPlace] {
        (0..<StoreServer.slotCount).map { SlotPlace(node: StoreServer.node, slot: StoreServer.slotName($0)) }
    }

    func useSpare(_ slot: Int) { server.useSpare(slot) }

    func run(using generator: inout SplitMix64) async throws {
        server.start()
        try await createBucket(region: "us-east-1")
        let nemesis = StoreNemesis(faults: plan.faults, server: server, world: world)
        for end in plan.roundEnds {
            mischief.allowEnds(true)
            await runClients(until: end, using: &generator) { nemesis.reached($0) }
            mischief.allowEnds(false)
            let replaced = await nemesis.mend()
            guard world.problems.isEmpty else { return }
            try await renewDisks(replaced, liars: nemesis.liars)
            try await fillEmptySlots()
            try await waitUntilWhole()
            // Disks that were still being emptied have left.
            try await fillEmptySlots()
            try await countRewritten()
            await server.learnDisks(await server.store())
            try await writeAll()
            try await readAll()
        }
        guard oracle.donePercent >= Self.donePercent else {
            throw BrokenPromise("of the writes that were answered only \(oracle.donePercent) % were done")
        }
        if plan.pullsTwoAtLast {
            // What was written since may lack a shard.
            try await waitUntilWhole()
            for slot in plan.pulledAtLast { world.disk(server.disk(slot)).isGone = true }
            try await readAll()
            for slot in plan.pulledAtLast { world.disk(server.disk(slot)).isGone = false }
        }
        guard plan.checksLeaks else { return }
        // Disks that were pulled are left alone for a while, and garbage is looked for only when all are there.
        mischief.end()
        if plan.pullsTwoAtLast { try await waitUntilWhole() }
        try await checkLeaks()
    }
}
