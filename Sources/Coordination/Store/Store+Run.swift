internal import BlobStorage
internal import DiskFormat
internal import JournalStorage
internal import Metadata
package import ObjectInterface
internal import ObjectModel
internal import ObjectStorage
internal import ShardStorage
internal import StorageNode
import Synchronization
internal import SystemInterface

extension Store {
    /// How often each disk is looked at: is its folder still there, how much room is left.
    static let monitorInterval = Duration.seconds(1)
    /// How often each disk is asked to compact.
    static let compactionInterval = Duration.seconds(10)
    /// How long a write lease is current.
    static let leaseInterval = Duration.seconds(300)
    /// How often old uploads are looked for.
    static let uploadInterval = Duration.seconds(600)
    /// Uploads aborted in one go.
    private static let uploadBatch = 100

    /// Does the background work until cancelled, or until the store has stopped: then it returns and the program must
    /// end, because nothing can be changed any more.
    package func run() async {
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await self.storeEnd() }
            let work: [@Sendable () async -> Void] = [
                { await self.repairer.run() }, { await self.verifier.run() }, { await self.collector.run() },
                { await self.repacker.run() }, { await self.orphans.run() }, { await self.checkpointer.run() },
                { await self.every(Self.monitorInterval) { await self.watchDisks() } },
                { await self.every(Self.returnInterval) { await self.takeUpReturned() } },
                { await self.every(Self.returnInterval) { await self.mendKeepers() } },
                { await self.every(Self.compactionInterval) { await self.compactDisks() } },
                { await self.every(Self.leaseInterval) { await self.rotateLease() } },
                { await self.every(Self.uploadInterval) { await self.abortOldUploads() } },
            ]
            for item in work { group.addTask { await item() } }
            // Background work ends only when it is cancelled: the first to end is the store, or this task's own end.
            await group.next()
            group.cancelAll()
        }
    }

    /// Why nothing can be changed any more, if so: the journal has stopped, or the metadata, which then answers reads
    /// no more either. Only a new start finds out what counts.
    package var stopReason: String? {
        journal.report.stopped.map { "\($0)" } ?? metadata.stopped?.message
    }

    /// How often it is looked whether the store still runs.
    private static let stopPoll = Duration.milliseconds(200)

    private func storeEnd() async {
        while !Task.isCancelled, stopReason == nil { try? await time.sleep(for: Self.stopPoll) }
    }

    private func every(_ interval: Duration, _ body: () async -> Void) async {
        while !Task.isCancelled {
            guard (try? await time.sleep(for: interval)) != nil else { return }
            await body()
        }
    }

    /// A disk whose folder was emptied, unmounted or replaced beneath its open files is no disk any more, whatever
    /// writes to those files answer. One of which a write failed is let go too, to be opened anew from its medium.
    package func watchDisks() async {
        for (node, disk) in hosted {
            let id = disk.shards.identity.disk
            if let failure = disk.shards.failure {
                noteWriteFailure(of: id)
                await lose(id, node: node, reason: "a write to it failed (\(failure))")
            } else if await !disk.shards.isInPlace() {
                await lose(id, node: node, reason: "its folder was emptied, unmounted or changed")
            }
        }
        await refreshConditions()
    }

    func lose(_ disk: DiskID, node: NodeName, reason: String) async {
        nodes[node]?.release(disk)
        let slot = try? await metadata.disks().first { $0.id == disk }?.slot
        if let slot {
            absent.withLock { $0[slot] = reason + ": bring it back, or run `cairn admin disk replace \(slot)`" }
        }
        blobs.view.noteUnusable(disk)
    }

    /// Has each disk win back the room of dead shards, where that pays.
    package func compactDisks() async {
        for (_, disk) in hosted {
            let report = try? await disk.shards.compact()
            for shard in report?.bad ?? [] { repairer.suspect(shard) }
            try? await disk.shards.refillReserve()
            _ = try? await disk.journal?.refillReserve()
        }
    }

    private func rotateLease() async {
        try? await objects.leases.rotate()
        try? await objects.leases.endDrained()
    }

    private func abortOldUploads() async {
        let age = configuration.uploadAge.nanoseconds / 1_000_000
        let limit = WallTime(milliseconds: time.wall.milliseconds - age)
        while !Task.isCancelled, let old = try? await metadata.uploads(createdBefore: limit, limit: Self.uploadBatch),
            !old.isEmpty
        {
            for upload in old {
                try? await metadata.abortUpload(bucket: upload.bucket, key: upload.key, id: upload.id)
            }
        }
    }
}
