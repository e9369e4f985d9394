internal import BlobStorage
internal import ClusterProtocol
internal import DiskFormat
internal import JournalStorage
internal import Metadata
internal import ObjectInterface
internal import ObjectModel
internal import ObjectStorage
import Synchronization
internal import SystemInterface

extension Store {
    /// How often each disk is looked at: is its folder still there, how much room is left.
    static let monitorInterval = Duration.seconds(1)
    /// How often each disk is asked to compact.
    static let compactionInterval = Duration.seconds(10)
    /// How long a write lease is current.
    static let leaseInterval = Duration.seconds(300)
    /// How often it is looked whether the disks have been compared with the metadata.
    private static let inventoryInterval = Duration.seconds(1)
    /// How often old uploads are looked for at least and at most.
    private static let longestUploadInterval = Duration.seconds(600)
    private static let shortestUploadInterval = Duration.seconds(1)
    /// Uploads aborted in one go.
    private static let uploadBatch = 100

    /// Does the background work until cancelled, or until the store has stopped: then it returns and the program must
    /// end, because nothing can be changed any more.
    package func run() async {
        let uploadInterval = Self.uploadInterval(age: configuration.uploadAge)
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await self.storeEnd() }
            let work: [@Sendable () async -> Void] = [
                { await self.repairer.run() }, { await self.mover.run() }, { await self.verifier.run() },
                { await self.collector.run() },
                { await self.repacker.run() }, { await self.orphans.run() }, { await self.checkpointer.run() },
                { await self.every(Self.inventoryInterval) { await self.inventory.run() } },
                { await self.rows.run() }, { await self.scrubber.run() }, { await self.classRewriter.run() },
                { await self.every(Self.monitorInterval) { await self.watchDisks() } },
                {
                    await self.every(Self.monitorInterval) {
                        await self.watchMetadata()
                        await self.watchRepairPause()
                    }
                },
                {
                    // At once: what the journal had beyond an old database tells which disks are in use.
                    await self.takeUpReturned()
                    await self.every(Self.returnInterval) { await self.takeUpReturned() }
                },
                { await self.watchSlots() },
                { await self.every(Self.returnInterval) { await self.reopenLogs() } },
                { await self.every(Self.returnInterval) { await self.mendKeepers() } },
                { await self.every(Self.returnInterval) { await self.continueDrains() } },
                { await self.every(Self.returnInterval) { await self.lookForEmptied() } },
                { await self.every(Self.outInterval) { await self.giveUpLongAway() } },
                { await self.every(Self.compactionInterval) { await self.compactDisks() } },
                { await self.every(BadShards.interval) { await self.badShards.tell() } },
                { await self.every(Self.leaseInterval) { await self.rotateLease() } },
                { await self.every(uploadInterval) { await self.abortOldUploads() } },
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
        journal.report.stopped.map { $0.text(naming: name(of:)) } ?? metadata.stopped?.message
    }

    private func name(of disk: DiskID) -> String { names.withLock { $0[disk] } ?? disk.description }

    /// How often it is looked whether the store still runs.
    private static let stopPoll = Duration.milliseconds(200)

    private func storeEnd() async {
        while !Task.isCancelled, stopReason == nil { try? await time.sleep(for: Self.stopPoll) }
    }

    func every(_ interval: Duration, _ body: () async -> Void) async {
        while !Task.isCancelled {
            guard (try? await time.sleep(for: interval)) != nil else { return }
            await body()
        }
    }

    /// A disk whose folder was emptied, unmounted or replaced beneath its open files is no disk any more, whatever
    /// writes to those files answer. One of which a write failed is let go too, to be opened anew from its medium. What
    /// a node began anew no longer serves is away until it is opened there again.
    package func watchDisks() async {
        let before = served.withLock { $0 }
        let nodes = members.withLock { $0.keys.sorted() }
        let mark = journal.room.mark
        let answers = await ask(nodes, { [calls] node in await Self.watch(node, calls) })
        // Calls of one who is cancelled fail, whatever their nodes say.
        guard !Task.isCancelled else { return }
        noteSilence(in: answers)
        for (node, answer) in answers {
            let known = before.filter { $0.value.place.node == node }
            switch answer {
            case .success(let reports): await note(reports, of: known, on: node)
            case .failure(let error): noteSilence(of: known, error)
            }
        }
        noteJournalRoom(since: mark)
        await refreshConditions()
    }

    /// Looks whether the metadata database still lies where the next start looks for it.
    package func watchMetadata() async { events.note(isMetadataGone: await metadata.isFileGone()) }

    private func noteJournalRoom(since mark: UInt64) {
        let keepers = journal.report.keepers
        let rooms = servedKeepers.map(\.journalRoom)
        journal.room.update(rooms, quorum: keepers.quorum, since: mark)
    }

    /// The disks that hold the journal and are served.
    private var servedKeepers: [ServedDisk] {
        let keepers = journal.report.keepers.keepers
        return served.withLock { served in
            keepers.compactMap { served[$0] }.filter { $0.hasWorkingLog && !$0.isAway }
        }
    }

    var keepersWantCheckpoint: Bool { servedKeepers.contains(where: \.wantsCheckpoint) }

    private func noteSilence(in answers: [(NodeName, Result<[HostedDiskReport], NodeCallError>)]) {
        var silent: [NodeName: String] = [:]
        for case (let node, .failure(let error)) in answers { silent[node] = error.description }
        hearing.withLock { $0.note(silent: silent.keys, now: time.monotonic) }
        events.note(silent: silent, of: members.withLock { $0 })
    }

    private static func watch(_ node: NodeName, _ calls: NodeCalls) async -> Result<[HostedDiskReport], NodeCallError> {
        do throws(NodeCallError) {
            let reports = try await calls.watch(node)
            return .success(reports)
        } catch {
            return .failure(error)
        }
    }

    /// The answers of all nodes, asked at the same time, by node.
    func ask<Answer: Sendable>(
        _ nodes: [NodeName],
        _ question: @escaping @Sendable (NodeName) async -> Answer
    ) async -> [(NodeName, Answer)] {
        await withTaskGroup(of: (NodeName, Answer).self) { group in
            for node in nodes { group.addTask { (node, await question(node)) } }
            return await group.reduce(into: []) { $0.append($1) }.sorted { $0.0 < $1.0 }
        }
    }

    private static let isOutOfPlace =
        "its folder does not answer or cannot be read, or was emptied, unmounted or changed"

    /// `known`: the disks that were served there before the node was asked.
    private func note(_ reports: [HostedDiskReport], of known: [DiskID: ServedDisk], on node: NodeName) async {
        for report in reports.sorted(by: { $0.disk < $1.disk }) where known[report.disk] != nil {
            if !report.failure.isEmpty {
                noteWriteFailure(of: report.disk)
                await lose(report.disk, known, node: node, reason: "a write to it failed (\(report.failure))")
            } else if !report.isInPlace {
                await lose(report.disk, known, node: node, reason: Self.isOutOfPlace)
            } else {
                noteServed(report)
            }
        }
        let gone = Set(known.keys).subtracting(reports.map(\.disk))
        for disk in gone.sorted() { await lose(disk, known, node: node, reason: "its node began anew") }
    }

    private func noteServed(_ report: HostedDiskReport) {
        let place = served.withLock { served -> SlotPlace? in
            served[report.disk]?.hasLog = report.log != .none
            served[report.disk]?.hasWorkingLog = report.log == .working
            served[report.disk]?.hasJournalRoom = report.hasJournalRoom
            served[report.disk]?.journalRoom = report.journalRoom
            served[report.disk]?.wantsCheckpoint = report.wantsCheckpoint
            let wasAway = served[report.disk]?.isAway ?? false
            served[report.disk]?.isAway = false
            return wasAway ? served[report.disk]?.place : nil
        }
        // Its node answers again and has served it all the time: what it missed is noted as missing.
        if let place { absent.withLock { $0[place] = nil } }
    }

    private func noteSilence(of known: [DiskID: ServedDisk], _ error: NodeCallError) {
        for (disk, served) in known {
            let isServed = self.served.withLock { all in
                all[disk]?.isAway = true
                return all[disk] != nil
            }
            guard isServed else { continue }
            absent.withLock { $0[served.place] = error.description }
            blobs.view.noteUnusable(disk)
        }
    }

    /// What was seen of a disk that was lost, and perhaps taken up again, while it was looked at is not news.
    private func lose(_ disk: DiskID, _ known: [DiskID: ServedDisk], node: NodeName, reason: String) async {
        blobs.view.noteUnusable(disk)
        let record = try? await metadata.disks().first { $0.id == disk }
        // From here on at once: whoever takes it up again finds it either served or away.
        let lost = served.withLock { served -> ServedDisk? in
            guard served[disk]?.since == known[disk]?.since else { return nil }
            return served.removeValue(forKey: disk)
        }
        guard let lost else { return }
        // One that is in use no more is missed by nobody, and its slot may be another's.
        if record?.isInUse ?? true {
            let name = record.map(StoreEvent.DiskName.init) ?? StoreEvent.DiskName(unknownAt: lost.place)
            absent.withLock {
                $0[record?.place ?? lost.place] = reason + ": bring it back, or run `cairn admin disk replace \(name)`"
            }
            events.note(.diskLost(name, reason: reason))
        }
        // Last: a node that is slow to let go must not keep others from hearing of it.
        try? await calls.release(disk, on: node)
    }

    /// Has each disk win back the room of dead shards, where that pays.
    package func compactDisks() async {
        let nodes = members.withLock { $0.keys.sorted() }
        for (_, bad) in await ask(nodes, { [calls] node in (try? await calls.compact(node)) ?? [] }) {
            for shard in bad { repairer.suspect(shard) }
        }
    }

    /// How many segments' own structure was written again.
    func mendSegments() async -> Int {
        let nodes = members.withLock { $0.keys.sorted() }
        return await ask(nodes) { [calls] node in (try? await calls.mend(node)) ?? 0 }.reduce(0) { $0 + $1.1 }
    }

    private func rotateLease() async {
        try? await objects.leases.rotate()
        try? await objects.leases.endDrained()
    }

    /// How often old uploads are looked for: where they are to go soon, often enough that none stays for long beyond.
    package static func uploadInterval(age: Duration) -> Duration {
        max(shortestUploadInterval, min(longestUploadInterval, age / 2))
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
