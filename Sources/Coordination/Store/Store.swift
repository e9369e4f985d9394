package import BlobStorage
package import Checksums
internal import ClusterProtocol
internal import DiskFormat
internal import JournalStorage
package import Metadata
package import ObjectInterface
package import ObjectModel
package import ObjectStorage
internal import Placement
internal import ShardStorage
package import StorageNode
import Synchronization
package import SystemInterface

/// A whole store in one process: its disks, journal, metadata, objects and the work in the background (DESIGN §3).
///
/// `open` starts it; `run` does the background work until it is cancelled or the store must stop. The same after a
/// clean stop and after a crash.
package final class Store: Sendable {
    package let configuration: StoreConfiguration
    package let cluster: ClusterID
    package let metadata: any ReplicatedMetadata
    package let journal: Journal
    package let blobs: BlobStore
    package let objects: ObjectStore
    package let repairer: Repairer
    package let verifier: Verifier
    package let collector: GarbageCollector
    package let repacker: Repacker
    package let orphans: OrphanCollector
    package let checkpointer: Checkpointer
    let nodes: [NodeName: StorageNodeService]
    let transport: any Transport
    let time: any TimeSource
    let random: any RandomSource
    /// Slots whose disk is not served, with why.
    let absent: Mutex<[String: String]>
    /// One replacement at a time.
    let isReplacing = Mutex(false)
    /// Disks of which writes failed, and when they are tried again.
    let returns = Mutex<[DiskID: ReturnPatience]>([:])
    private let journalTask: Task<Void, Never>

    init(_ parts: StoreParts) {
        configuration = parts.configuration
        cluster = parts.cluster
        metadata = parts.metadata
        journal = parts.journal
        journalTask = parts.journalTask
        blobs = parts.blobs
        nodes = parts.nodes
        transport = parts.transport
        time = parts.time
        random = parts.random
        absent = Mutex(parts.absent)
        let node = parts.configuration.slots.first?.node ?? NodeName("node-1")
        objects = ObjectStore(
            metadata: metadata,
            blobs: blobs,
            node: node,
            time: time,
            random: random,
            md5: parts.md5
        )
        repairer = Repairer(metadata: metadata, blobs: blobs, time: time)
        verifier = Verifier(metadata: metadata, blobs: blobs, time: time, rate: parts.configuration.scrubRate)
        collector = GarbageCollector(metadata: metadata, blobs: blobs, readers: objects.readers, time: time)
        repacker = Repacker(
            metadata: metadata,
            objects: objects,
            time: time,
            grace: parts.configuration.repackGrace
        )
        // An operator's word to go on without enough keepers may have lost what they alone knew.
        let isForced = parts.configuration.forcesJournal
        orphans = OrphanCollector(
            metadata: metadata,
            blobs: blobs,
            time: time,
            quarantine: parts.configuration.orphanQuarantine
        ) { [journal = parts.journal] in !isForced && journal.report.stopped == nil }
        checkpointer = Checkpointer(metadata: metadata, journal: journal, objects: objects, time: time)
        let repairer = repairer
        blobs.onBadShard { repairer.suspect($0) }
        let verifier = verifier
        // A repair is over when an independent count has read what was put back.
        repairer.onWhole { verifier.request(recounting: $0) }
        let nodes = parts.nodes
        verifier.onPass {
            var mended = 0
            for disk in nodes.sorted(by: { $0.key < $1.key }).flatMap(\.value.disks) where !Task.isCancelled {
                mended += (try? await disk.shards.mendSegments().count) ?? 0
            }
            return mended
        }
    }

    /// Ends the store: the journal stops, the disks write their footers and are closed.
    package func close() async {
        journalTask.cancel()
        await journalTask.value
        for (_, disk) in hosted { try? await disk.shards.close() }
    }

    /// All hosted disks with the node that hosts them.
    package var hosted: [(node: NodeName, disk: HostedDisk)] {
        nodes.sorted { $0.key < $1.key }.flatMap { node, service in service.disks.map { (node, $0) } }
    }

    /// Gives back memory that has lain idle since the last call; returns how many bytes.
    package func trimMemory() -> Int {
        hosted.reduce(blobs.pool.trim()) { $0 + $1.disk.shards.trimMemory() }
    }

    /// Where a slot's disk is not served: slot name and reason, by name.
    package var absentSlots: [(slot: String, reason: String)] {
        absent.withLock { $0.sorted { $0.key < $1.key }.map { ($0.key, $0.value) } }
    }

    var slotDisk: SlotDisk {
        SlotDisk(cluster: cluster, configuration: configuration.disk, time: time, random: random)
    }

    func openLog(_ files: any FileSystem) async throws(KeeperError) -> KeeperLog {
        try await KeeperLog.open(files, random: random, configuration: configuration.keeper)
    }

    /// Reads the map from the metadata and lets everyone use it.
    func reloadMap() async throws(StorageError) {
        let records = try await metadata.disks()
        let groups = try await metadata.groups()
        var map = ClusterMap()
        for record in records where record.state == .active {
            map.disks[record.id] = PlacementDisk(id: record.id, site: record.site, node: record.node)
        }
        for group in groups {
            map.groups[group.id] = ClusterMap.Group(
                id: group.id,
                epoch: group.epoch,
                scheme: group.scheme,
                members: group.members
            )
        }
        blobs.view.update(map: map)
        await refreshConditions()
    }

    /// Asks every disk how it does.
    func refreshConditions() async {
        for disk in blobs.view.map.disks.keys.sorted() {
            let status = try? await blobs.nodes.status(disk)
            // The journal's last room is for deletes: with it in use nothing new comes to the disk.
            let room = await hasJournalRoom(disk) ? status?.room ?? 0 : 0
            blobs.view.update(disk, condition: DiskCondition(isUsable: status?.isUsable ?? false, room: room))
        }
    }

    private func hasJournalRoom(_ disk: DiskID) async -> Bool {
        guard let journal = nodes.values.lazy.compactMap({ $0.disk(disk) }).first?.journal, !journal.isReserveWhole
        else { return true }
        _ = try? await journal.refillReserve()
        // A log that has failed does not want for room: it is opened again or replaced, and shards may come meanwhile.
        return journal.isReserveWhole || journal.failure != nil
    }
}

/// What `Store.open` has put together.
struct StoreParts {
    var configuration: StoreConfiguration
    var cluster: ClusterID
    var metadata: any ReplicatedMetadata
    var journal: Journal
    var journalTask: Task<Void, Never>
    var blobs: BlobStore
    var nodes: [NodeName: StorageNodeService]
    var transport: any Transport
    var time: any TimeSource
    var random: any RandomSource
    var md5: MD5Engine
    var absent: [String: String]
}
