import BlobStorage
import Coordination
import DiskFormat
import Metadata
import ObjectInterface
import ObjectModel
import ObjectStorage
import Placement
import ShardStorage
import StorageNode
import SystemInterface
import TestKit

/// What must be true of a cluster that has been mended.
extension ClusterRun {
    /// Simulated time within which all nodes serve clients again.
    private static let startTime = Duration.seconds(180)
    private static let startPoll = Duration.milliseconds(200)
    /// Everything is up, and every node serves clients.
    func waitUntilServing() async throws {
        let deadline = world.time.monotonic.advanced(by: Self.startTime)
        while world.time.monotonic < deadline {
            guard world.problems.isEmpty else { return }
            if cluster.coordinator?.store != nil, cluster.nodes.allSatisfy(\.isServing) { return }
            try await world.time.sleep(for: Self.startPoll)
        }
        let silent = cluster.nodes.filter { !$0.isServing }.map(\.name)
        throw BrokenPromise(
            "not serving after \(Self.startTime): nodes \(silent), coordinator \(cluster.coordinator?.problem ?? "")"
        )
    }

    /// Coordinators that another has taken over from have found out.
    func checkCoordinators() throws {
        let running = cluster.coordinators.filter(\.isUp)
        guard running.count == 1 else {
            throw BrokenPromise("these coordinators run at once: \(running.map { "\($0.name) \($0.problem)" })")
        }
    }

    // MARK: Leaks

    /// How often garbage is looked for before what is left counts as leaked.
    private static let collections = 8
    /// Bytes of segments that a disk without objects may keep: those that are open, and one that waits to be removed.
    private static let emptyDisk = 3 * ClusterLayout.segmentLength

    /// Deletes everything: then the disks hold nothing but what metadata still names, its own checkpoints.
    func checkLeaks() async throws {
        for key in oracle.keys { try await client(0).delete(key) }
        for key in registers.keys {
            let outcome = await cluster.use { objects in
                await StoreClient.outcome {
                    _ = try await objects.delete(DeleteRequest(bucket: StoreClient.bucket, key: key))
                }
            }
            guard case .done = outcome else {
                throw BrokenPromise("\(key) not deleted: \(String(describing: outcome))")
            }
        }
        try await abortUploads()
        var leaked: [String] = []
        for _ in 0..<Self.collections {
            let store = try await cluster.store()
            for objects in cluster.nodes.map(\.objects) + [store.objects] {
                try await objects?.leases.rotate()
                try await objects?.leases.endDrained()
            }
            try await store.collector.pass()
            try await store.orphans.pass()
            try await world.time.sleep(for: SimulatedCluster.orphanQuarantine + .seconds(2))
            await store.compactDisks()
            leaked = try await self.leaked(in: store)
            if leaked.isEmpty { return }
        }
        throw BrokenPromise("nothing should be left: \(leaked.prefix(5))")
    }

    private func abortUploads() async throws {
        let failure = await cluster.use { objects in
            await StoreClient.outcome { try await Self.abortUploads(objects) }
        }
        guard case .done = failure else { throw BrokenPromise("uploads not aborted: \(String(describing: failure))") }
    }

    private func leaked(in store: Store) async throws -> [String] {
        let inUse = store.blobs.view.map.disks
        var leaked = try await store.leakedShards(on: cluster.hosted.filter { inUse[$0.shards.identity.disk] != nil })
        leaked += try await store.leakedBlobs(isEmptied: Self.isEmptied(store.objects))
        for place in 0..<ClusterLayout.diskCount {
            let bytes = world.segmentBytes(of: cluster.disk(place))
            if bytes > Self.emptyDisk { leaked.append("\(bytes) bytes of segments on \(cluster.disk(place))") }
        }
        return leaked
    }
}
