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
    /// Simulated time within which everything must be whole again: a disk whose writes failed is left alone for up to
    /// ten minutes.
    private static let repairTime = Duration.seconds(1_300)
    private static let repairPoll = Duration.seconds(2)

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

    /// Puts new disks into these places, as an operator would.
    func replace(_ places: [Int]) async throws {
        for place in places {
            cluster.useSpare(place)
            let store = try await cluster.store()
            do {
                _ = try await store.replaceDisk(
                    inSlot: ClusterLayout.slotName(place),
                    of: NodeName(ClusterLayout.nodeName(ClusterLayout.node(ofPlace: place)))
                )
            } catch {
                throw BrokenPromise("\(cluster.disk(place)) does not replace the one before: \(error)")
            }
        }
    }

    /// All disks there, all shards counted as present and good by the store's own verification.
    func waitUntilWhole() async throws {
        let deadline = world.time.monotonic.advanced(by: Self.repairTime)
        var lack = "never asked"
        var isAsked = false
        while world.time.monotonic < deadline {
            let store = try await cluster.store()
            if store.absentSlots.isEmpty, !isAsked {
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

    /// What the store lacks to be whole, every shard counted; empty when it is.
    private static func lack(of store: Store) async -> String {
        let away = store.absentSlots
        if !away.isEmpty { return "away: \(away)" }
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

    /// Coordinators that another has taken over from have found out.
    func checkCoordinators() throws {
        let running = cluster.coordinators.filter(\.isUp)
        guard running.count == 1 else {
            throw BrokenPromise("these coordinators run at once: \(running.map { "\($0.name) \($0.problem)" })")
        }
    }

    /// No shard that metadata names has been erased from where it stands.
    func checkErased() async throws {
        let store = try await cluster.store()
        for (blob, members) in try await Self.liveBlobs(of: store) {
            for (index, disk) in members.enumerated() {
                let shard = ShardID(blob: blob, index: UInt8(index))
                guard cluster.watch.wasErased(shard, on: disk) else { continue }
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
            await StoreClient.outcome {
                while true {
                    let page = try await objects.listUploads(
                        ListUploadsRequest(bucket: StoreClient.bucket, limit: Limits.pageSize)
                    )
                    for upload in page.uploads {
                        try await objects.abortUpload(bucket: upload.bucket, key: upload.key, upload: upload.id)
                    }
                    if !page.isTruncated { return }
                }
            }
        }
        guard case .done = failure else { throw BrokenPromise("uploads not aborted: \(String(describing: failure))") }
    }

    private func leaked(in store: Store) async throws -> [String] {
        let live = try await Self.liveBlobs(of: store)
        let inUse = store.blobs.view.map.disks
        let leases = Dictionary(try await store.metadata.activeLeases().map { ($0.lease, $0.holder) }) { first, _ in
            first
        }
        var leaked: [String] = []
        for disk in cluster.hosted where inUse[disk.shards.identity.disk] != nil {
            let id = disk.shards.identity.disk
            for entry in disk.shards.inventory(after: nil, limit: 1_000) {
                let members = live[entry.shard.blob] ?? []
                let isPlaced = members.indices.contains(Int(entry.shard.index)) && members[Int(entry.shard.index)] == id
                guard !isPlaced else { continue }
                let holder = leases[entry.shard.blob.writeLease].map { ", its lease is \($0)'s" } ?? ""
                let live = members.isEmpty ? "" : ", of a live blob"
                leaked.append("\(entry.shard) on \(id)\(holder)\(live)")
            }
        }
        for place in 0..<ClusterLayout.diskCount {
            let disk = world.disk(cluster.disk(place))
            let bytes = disk.files.filter { $0.hasPrefix("segments/") }.reduce(0) { $0 + (disk.length($1) ?? 0) }
            if bytes > Self.emptyDisk { leaked.append("\(bytes) bytes of segments on \(cluster.disk(place))") }
        }
        return leaked
    }
}
