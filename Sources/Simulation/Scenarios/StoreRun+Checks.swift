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
    /// Simulated time within which everything must be whole again: a disk whose writes failed is left alone for up to
    /// ten minutes.
    private static let repairTime = Duration.seconds(1_300)
    /// How often it is looked.
    private static let repairPoll = Duration.seconds(2)
    private static let verificationPoll = Duration.milliseconds(50)

    /// Puts new disks into these slots, as an operator would.
    func replace(_ slots: [Int]) async throws {
        for slot in slots {
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
        await server.learnDisks(await server.store())
    }

    /// All disks there, all shards counted as present and good by the store's own verification.
    func waitUntilWhole() async throws {
        let deadline = world.time.monotonic.advanced(by: Self.repairTime)
        var lack = "never asked"
        var isAsked = false
        while world.time.monotonic < deadline {
            let store = await server.store()
            let away = store.absentSlots
            // What a disk that comes back late brings is verified after that.
            if away.isEmpty, !isAsked {
                store.verifier.request()
                isAsked = true
            }
            try await world.time.sleep(for: Self.repairPoll)
            lack = await Self.lack(of: store)
            if lack.isEmpty { return }
            if !store.verifier.report.isRunning { isAsked = false }
        }
        throw BrokenPromise("not whole after \(Self.repairTime): \(lack)")
    }

    /// One verification of everything, to its end. What it finds is repaired beside it.
    func verifyOnce() async throws {
        let store = await server.store()
        store.verifier.request()
        while store.verifier.report.isRunning { try await world.time.sleep(for: Self.verificationPoll) }
    }

    /// What the store lacks to be whole, every shard counted; empty when it is.
    private static func lack(of store: Store) async -> String {
        let away = store.absentSlots
        if !away.isEmpty { return "away: \(away)" }
        // Still read from, and let go a moment later.
        if store.hosted.contains(where: { $0.disk.shards.failure != nil }) { return "a disk has failed" }
        do {
            let missing = try await store.metadata.missingShardCount()
            let moving = store.blobs.view.map.groups.values.reduce(0) { $0 + $1.former.count }
            if moving > 0 { return "\(moving) places are being moved" }
            let report = store.verifier.report
            let isWhole = missing == 0 && report.isCurrent && report.shardsVerified == report.shardsExpected
            return isWhole ? "" : "\(missing) missing, \(report)"
        } catch {
            return "\(error)"
        }
    }

    /// No shard that metadata names has been erased from where it stands.
    func checkErased() async throws {
        let store = await server.store()
        for (blob, members) in try await Self.liveBlobs(of: store) {
            for (index, disk) in members.enumerated() {
                let shard = ShardID(blob: blob, index: UInt8(index))
                guard server.link.wasErased(shard, on: disk) else { continue }
                throw BrokenPromise("\(shard) is live, and was erased from its disk")
            }
        }
    }

    /// Every live blob with the disks that its shards stand on.
    private static func liveBlobs(of store: Store) async throws -> [BlobID: [DiskID]] {
        var found: [BlobID: [DiskID]] = [:]
        var last: BlobID?
        while true {
            let page = try await store.metadata.blobs(after: last, limit: 256)
            guard let end = page.last else { return found }
            last = end.id
            for blob in page { found[blob.id] = store.blobs.view.group(blob.group)?.holders(moving: blob.moving) ?? [] }
        }
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
        try await abortUploads(store)
        try await store.objects.leases.rotate()
        try await store.objects.leases.endDrained()
        var leaked: [String] = []
        for _ in 0..<Self.collections {
            try await store.collector.pass()
            try await store.orphans.pass()
            try await world.time.sleep(for: StoreServer.orphanQuarantine + .seconds(2))
            await store.compactDisks()
            leaked = try await self.leaked(in: store)
            if leaked.isEmpty { return }
        }
        throw BrokenPromise("nothing should be left: \(leaked.prefix(5))")
    }

    private func abortUploads(_ store: Store) async throws {
        while true {
            let page = try await store.objects.listUploads(
                ListUploadsRequest(bucket: StoreClient.bucket, limit: Limits.pageSize)
            )
            for upload in page.uploads {
                try await store.objects.abortUpload(bucket: upload.bucket, key: upload.key, upload: upload.id)
            }
            if !page.isTruncated { return }
        }
    }

    private func leaked(in store: Store) async throws -> [String] {
        let live = try await Self.liveBlobs(of: store)
        var leaked: [String] = []
        for (_, disk) in store.hosted {
            let id = disk.shards.identity.disk
            for entry in disk.shards.inventory(after: nil, limit: 1_000) {
                let members = live[entry.shard.blob] ?? []
                let isPlaced = members.indices.contains(Int(entry.shard.index)) && members[Int(entry.shard.index)] == id
                if !isPlaced { leaked.append("\(entry.shard) on \(id)") }
            }
        }
        for slot in 0..<StoreServer.slotCount {
            let bytes = segmentBytes(of: server.disk(slot))
            if bytes > Self.emptyDisk { leaked.append("\(bytes) bytes of segments on \(server.disk(slot))") }
        }
        return leaked
    }

    private func segmentBytes(of name: String) -> Int {
        let disk = world.disk(name)
        return disk.files.filter { $0.hasPrefix("segments/") }.reduce(0) { $0 + (disk.length($1) ?? 0) }
    }
}
