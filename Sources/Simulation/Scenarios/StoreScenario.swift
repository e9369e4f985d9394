import Coordination
import Metadata
import ObjectInterface
import ObjectModel
import ObjectStorage
import SystemInterface
import TestKit

/// The whole store, as it runs in production, on six simulated disks with rs-4-2: 200 operations by a few clients, one
/// loss of power at a random moment, at most two bad disks.
///
/// In the end every key is read again; lost disks are replaced and every shard must be counted as verified; then two
/// other disks are pulled and everything is read once more.
package struct StoreScenario: Scenario {
    static let operationCount = 200
    static let clientCount = 5

    package init() {}

    package var name: String { "store" }

    package var summary: String {
        "\(Self.operationCount) operations by \(Self.clientCount) clients on the whole store; one power loss, at most "
            + "two bad disks"
    }

    package func run(world: World) async throws {
        let oracle = StoreOracle()
        let server = StoreServer(world: world)
        defer { server.end() }
        var generator = SplitMix64(seed: world.random.next())
        let plan = StorePlan(using: &generator)
        world.trace.record("plan: \(plan)")
        server.start()
        try await createBucket(server)
        let faults = StoreFaults(plan: plan, server: server, world: world)
        let clients = (0..<Self.clientCount).map { number in
            let client = StoreClient(
                number: number,
                clientCount: Self.clientCount,
                server: server,
                oracle: oracle,
                world: world
            )
            let seed = generator.next()
            return Task { [world] in
                do {
                    try await client.run(limit: Self.operationCount, seed: seed) { faults.reached($0) }
                } catch {
                    world.report("\(error)")
                }
            }
        }
        for client in clients { await client.value }
        await faults.finish()
        guard world.problems.isEmpty else { return }
        let reader = StoreClient(number: 0, clientCount: Self.clientCount, server: server, oracle: oracle, world: world)
        try await readAll(reader, oracle)
        if plan.checksRepair { try await checkRepair(plan, server, reader, oracle, world) }
    }

    private func createBucket(_ server: StoreServer) async throws {
        let failure = await server.call { store -> String? in
            do {
                try await store.objects.createBucket(StoreClient.bucket, owner: StoreClient.owner, region: "us-east-1")
                return nil
            } catch {
                return "\(error)"
            }
        }
        if let failure = failure ?? nil { throw BrokenPromise("no bucket: \(failure)") }
    }

    private func readAll(_ reader: StoreClient, _ oracle: StoreOracle) async throws {
        for key in oracle.keys { try await reader.read(key, range: nil) }
        try await reader.list()
    }

    // MARK: Repair

    /// Simulated time within which everything must be whole again.
    private static let repairTime = Duration.seconds(120)

    private func checkRepair(
        _ plan: StorePlan,
        _ server: StoreServer,
        _ reader: StoreClient,
        _ oracle: StoreOracle,
        _ world: World
    ) async throws {
        for slot in plan.lost.sorted() {
            server.useSpare(slot)
            let problem = await server.call { store -> String? in
                do {
                    _ = try await store.replaceDisk(inSlot: StoreServer.slotName(slot))
                    return nil
                } catch {
                    return "\(error)"
                }
            }
            if let problem = problem ?? nil {
                throw BrokenPromise("\(StoreServer.slotName(slot)) not replaced: \(problem)")
            }
        }
        try await waitUntilWhole(server, world)
        for slot in plan.pulledAtLast { world.disk(server.disk(slot)).isGone = true }
        try await readAll(reader, oracle)
    }

    private func waitUntilWhole(_ server: StoreServer, _ world: World) async throws {
        let deadline = world.time.monotonic.advanced(by: Self.repairTime)
        var lack = "never asked"
        while world.time.monotonic < deadline {
            let store = await server.store()
            store.verifier.request()
            try await world.time.sleep(for: .seconds(7))
            lack = await Self.lack(of: store)
            if lack.isEmpty { return }
        }
        throw BrokenPromise("not whole after \(Self.repairTime): \(lack)")
    }

    /// What the store lacks to be whole, every shard counted; empty when it is.
    private static func lack(of store: Store) async -> String {
        do {
            let missing = try await store.metadata.missingShardCount()
            return describe(store.verifier.report, missing: missing)
        } catch {
            return "\(error)"
        }
    }

    private static func describe(_ report: VerificationReport, missing: Int) -> String {
        let isWhole = missing == 0 && report.isCurrent && report.shardsVerified == report.shardsExpected
        return isWhole ? "" : "\(missing) missing, \(report)"
    }
}
