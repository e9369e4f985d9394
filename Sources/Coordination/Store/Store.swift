package import BlobStorage
internal import ClusterProtocol
internal import DiskFormat
internal import JournalStorage
package import Metadata
internal import ObjectInterface
package import ObjectModel
package import ObjectStorage
internal import Placement
internal import ShardStorage
package import StorageNode
import Synchronization
internal import SystemInterface

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
    package let mover: Mover
    package let verifier: Verifier
    package let scrubber: Scrubber
    package let collector: GarbageCollector
    package let repacker: Repacker
    package let classRewriter: ClassRewriter
    package let orphans: OrphanCollector
    package let rows: RowChecker
    package let inventory: InventoryCheck
    package let checkpointer: Checkpointer
    /// What happens to the disks and nodes, for a log.
    package let events = StoreEvents()
    /// On which disks shards were found bad.
    package let badShards: BadShards
    /// The nodes of this process.
    let agents: [NodeName: NodeAgent]
    /// Readers of gateways in other processes.
    package let remoteReaders: RemoteReaders
    let members: Mutex<[NodeName: NodeMember]>
    let calls: NodeCalls
    /// The disks that nodes serve, as they last said.
    let served: Mutex<[DiskID: ServedDisk]>
    let transport: any Transport
    let time: any TimeSource
    let random: any RandomSource
    /// Slots whose disk is not served, with why.
    let absent: Mutex<[SlotPlace: String]>
    /// Of the disks, for people, when the metadata cannot be asked.
    let names = Mutex<[DiskID: String]>([:])
    /// By slots whose disk is not served: the disk that was seen there and belongs elsewhere.
    let misplaced = Mutex<[SlotPlace: DiskID]>([:])
    /// Where slots lie on their nodes, for people.
    let paths: Mutex<[SlotPlace: String]>
    /// By node, what was seen in its slots and is not in use.
    let unused = Mutex<[NodeName: [UnusedDisk]]>([:])
    /// What is being decided right now.
    let decisions = Mutex<Set<StoreDecision>>([])
    /// Disks of which writes failed, and when they are tried again.
    let returns = Mutex<[DiskID: RetryPatience]>([:])
    /// Disks that could not join the journal's keepers, and when they are asked again.
    let joins = Mutex<[DiskID: RetryPatience]>([:])
    /// Since when disks are away, of those that are.
    let awaySince = Mutex<[DiskID: MonotonicTime]>([:])
    /// Which nodes are heard of, and how.
    let hearing = Mutex(NodeHearing())
    /// Until when draining is not planned again, after it found no room.
    let drainPatience = Mutex(RetryPatience())
    private let journalTask: Task<Void, Never>

    init(_ parts: StoreParts) {
        configuration = parts.configuration
        cluster = parts.cluster
        metadata = parts.metadata
        journal = parts.journal
        journalTask = parts.journalTask
        blobs = parts.blobs
        agents = parts.agents
        members = Mutex(Dictionary(parts.nodes.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first }))
        calls = NodeCalls(transport: parts.transport, incarnation: parts.journal.incarnation)
        served = Mutex(parts.served)
        transport = parts.transport
        time = parts.time
        random = parts.random
        absent = Mutex(parts.absent)
        paths = Mutex(parts.paths)
        objects = parts.makeObjects()
        badShards = BadShards(metadata: metadata, events: events, time: time)
        let budget = RepairBudget(rates: configuration.repairRates, time: time)
        repairer = parts.makeRepairer(budget: budget)
        mover = parts.makeMover(budget: budget)
        verifier = Verifier(metadata: metadata, blobs: blobs, time: time)
        scrubber = parts.makeScrubber()
        remoteReaders = RemoteReaders()
        collector = parts.makeGarbageCollector(readers: objects.readers, remote: remoteReaders)
        repacker = parts.makeRepacker(of: objects)
        classRewriter = ClassRewriter(metadata: metadata, objects: objects, time: time)
        inventory = InventoryCheck(metadata: metadata, blobs: blobs, time: time)
        rows = RowChecker(metadata: metadata, time: time)
        orphans = parts.makeOrphanCollector(rows: rows)
        checkpointer = Checkpointer(metadata: metadata, journal: journal, objects: objects, time: time)
        connect()
    }

    /// Ends the store: the journal stops, the disks write their footers and are closed.
    package func close() async {
        journalTask.cancel()
        await journalTask.value
        await withTaskGroup(of: Void.self) { group in
            for (_, agent) in agents.sorted(by: { $0.key < $1.key }) { group.addTask { await agent.close() } }
        }
    }

    /// The disks of the nodes in this process, with their node.
    package var hosted: [(node: NodeName, disk: HostedDisk)] {
        agents.sorted { $0.key < $1.key }.flatMap { node, agent in agent.service.disks.map { (node, $0) } }
    }

    /// Gives back memory that has lain idle since the last call; returns how many bytes.
    package func trimMemory() -> Int {
        hosted.reduce(blobs.pool.trim()) { $0 + $1.disk.shards.trimMemory() }
    }

    /// Where a slot's disk is not served: slot name and reason, by node and slot.
    package var absentSlots: [(slot: String, reason: String)] {
        absent.withLock { $0.sorted { $0.key < $1.key }.map { ($0.key.slot, $0.value) } }
    }

    /// Reads the map from the metadata and lets everyone use it.
    func reloadMap() async throws(StorageError) {
        let records = try await metadata.disks()
        let groups = try await metadata.groups()
        var map = ClusterMap()
        for item in try await metadata.classes() { map.classes[item.name] = item.scheme }
        for record in records where record.isInUse {
            map.disks[record.id] = PlacementDisk(id: record.id, site: record.site, node: record.node)
        }
        for group in groups {
            map.groups[group.id] = ClusterMap.Group(
                id: group.id,
                epoch: group.epoch,
                scheme: group.scheme,
                members: group.members,
                former: group.former
            )
        }
        names.withLock { names in for record in records { names[record.id] = record.name } }
        blobs.view.update(map: map)
        await refreshConditions()
    }

    /// Asks every disk how it does.
    func refreshConditions() async {
        let disks = blobs.view.map.disks.keys.sorted()
        let conditions = await withTaskGroup(of: (DiskID, DiskCondition).self) { group in
            for disk in disks { group.addTask { (disk, await self.condition(of: disk)) } }
            return await group.reduce(into: [DiskID: DiskCondition]()) { $0[$1.0] = $1.1 }
        }
        guard !Task.isCancelled else { return }
        for disk in disks { if let condition = conditions[disk] { blobs.view.update(disk, condition: condition) } }
    }

    private func condition(of disk: DiskID) async -> DiskCondition {
        guard let served = served.withLock({ $0[disk] }), !served.isAway else {
            return DiskCondition(isUsable: false, room: 0)
        }
        let status = try? await blobs.nodes.status(disk)
        if let status, status.isUsable { await noteHang(of: disk, status) }
        let room = served.hasJournalRoom ? status?.room ?? 0 : 0
        return DiskCondition(isUsable: status?.isUsable ?? false, hangs: status?.hangs ?? false, room: room)
    }

    /// Tells when a disk begins to take no writes, and when it takes them again. What was so before anybody listened is
    /// told then.
    private func noteHang(of disk: DiskID, _ status: DiskStatus) async {
        let isHeard = events.isObserved
        let isNews = served.withLock { served in
            served[disk]?.hangs = status.hangs
            guard isHeard, served[disk]?.isToldToHang == !status.hangs else { return false }
            served[disk]?.isToldToHang = status.hangs
            return true
        }
        guard isNews, let record = try? await metadata.disks().first(where: { $0.id == disk }) else { return }
        let name = StoreEvent.DiskName(record)
        events.note(status.hangs ? .diskHangs(name, reason: status.reason) : .diskWritable(name))
    }
}

extension Store {
    /// A node that beats. If it was not known, or not reached, at the start, its disks are taken up like disks that
    /// come back.
    package func admit(_ node: NodeMember) {
        hearing.withLock { $0.note(beatOf: node.name, now: time.monotonic) }
        members.withLock { $0[node.name] = node }
    }

    /// A node that is asked nothing any more.
    func dismiss(_ node: NodeName) {
        members.withLock { $0[node] = nil }
        hearing.withLock { $0.forget(node) }
        unused.withLock { $0[node] = nil }
    }
}

/// A disk that its node serves.
struct ServedDisk: Sendable {
    var place: SlotPlace
    var hasLog: Bool
    var hasWorkingLog: Bool
    /// With the journal's last room in use nothing new comes to the disk: that is for deletes.
    var hasJournalRoom = true
    /// Bytes that its journal takes before only the last room is left.
    var journalRoom = UInt64.max
    /// A checkpoint would bring back room that it wants for.
    var wantsCheckpoint = false
    /// Its node does not answer.
    var isAway = false
    /// A write to it does not end, or it can make no new segment.
    var hangs = false
    var isToldToHang = false
    /// When it was taken up.
    let since: MonotonicTime

    init(place: SlotPlace, hasLog: Bool, since: MonotonicTime) {
        self.place = place
        self.since = since
        self.hasLog = hasLog
        hasWorkingLog = hasLog
    }
}

extension DiskRecord {
    var place: SlotPlace { SlotPlace(node: node, slot: slot) }

    /// `SITE/NODE/SLOT`: how people name it, in every answer and every line of a log.
    package var name: String { "\(site)/\(node)/\(slot)" }

    /// Whether its node is called so: `NODE`, or `SITE/NODE`.
    package func isOf(node name: String) -> Bool { node.name == name || "\(site)/\(node)" == name }
}

extension [DiskRecord] {
    /// Puts a record in the place of the one of the same disk.
    mutating func replace(_ record: DiskRecord) {
        for index in indices where self[index].id == record.id { self[index] = record }
    }
}
