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

/// What must be true of a store that has been mended.
extension StoreRun {
    private static let verificationPoll = Duration.milliseconds(50)

    /// One verification of everything, to its end. What it finds is repaired beside it.
    func verifyOnce() async throws {
        let store = await server.store()
        store.verifier.request()
        while store.verifier.report.isRunning { try await world.time.sleep(for: Self.verificationPoll) }
    }

    // MARK: Leaks

    /// How often garbage is looked for before what is left counts as leaked.
    private static let collections = 6
    /// Bytes of segments that a disk without objects may keep: those that are open, and one that waits to be removed.
    private static let emptyDisk = 3 * StoreServer.segmentLength

    /// Deletes everything: then the disks hold nothing but what metadata still names, its own checkpoints.
    func checkLeaks() async throws {
        let store = await server.store()
        for key in oracle.keys { try await client(0).delete(key) }
        for key in registers.keys {
            _ = try await store.objects.delete(DeleteRequest(bucket: StoreClient.bucket, key: key))
        }
        try await Self.abortUploads(store.objects)
        try await store.objects.leases.rotate()
        var leaked: [String] = []
        for _ in 0..<Self.collections {
            // What is in the background under the lease before may last a while yet.
            try await store.objects.leases.endDrained()
            try await store.collector.pass()
            try await store.orphans.pass()
            try await world.time.sleep(for: StoreServer.orphanQuarantine + .seconds(2))
            await store.compactDisks()
            leaked = try await self.leaked(in: store)
            if leaked.isEmpty { return }
        }
        throw BrokenPromise("nothing should be left: \(leaked.prefix(5))")
    }

    private func leaked(in store: Store) async throws -> [String] {
        var leaked = try await store.leakedShards(on: store.hosted.map(\.disk))
        leaked += try await store.leakedBlobs(isEmptied: Self.isEmptied(store.objects))
        for slot in 0..<StoreServer.slotCount {
            let bytes = world.segmentBytes(of: server.disk(slot))
            if bytes > Self.emptyDisk { leaked.append("\(bytes) bytes of segments on \(server.disk(slot))") }
        }
        return leaked
    }
}
