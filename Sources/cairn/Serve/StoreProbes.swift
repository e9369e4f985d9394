import BlobStorage
import ClusterProtocol
import Coordination
import DiskFormat
import Metadata
import ObjectInterface
import ObjectModel
import S3Gateway

/// `/-/ready` and `/-/metrics` of a store.
enum StoreProbes {
    static func probes(_ store: Store, _ folder: DataFolder) -> S3Probes {
        S3Probes(
            ready: { problem(of: store) },
            metrics: { await metrics(store, folder) }
        )
    }

    /// Why the store is not ready; nil when it is.
    static func problem(of store: Store) -> String? { store.stopReason.map { "the store has stopped: \($0)" } }

    /// Prometheus text (https://prometheus.io/docs/instrumenting/exposition_formats/). `members`: nodes of the cluster,
    /// also those without a disk in use.
    static func metrics(_ store: Store, _ folder: DataFolder, members: Set<NodeMember> = []) async -> String {
        guard let status = try? await store.status() else { return "cairn_up 0\n" }
        var text = MetricText()
        text.add("cairn_up", "1 while metadata answers.", 1)
        text.add("cairn_ready", "1 while /-/ready is 200.", store.stopReason == nil ? 1 : 0)
        text.add("cairn_buckets", "Buckets.", status.statistics.buckets)
        text.add("cairn_objects", "Current object versions.", status.statistics.versions)
        text.add("cairn_object_bytes", "Logical bytes of all current versions.", status.statistics.bytes)
        text.add("cairn_uploads", "Multipart uploads in progress.", status.statistics.uploads)
        text.add("cairn_blobs", "Live blobs.", status.statistics.blobs)
        text.add("cairn_dead_blobs", "Blobs waiting to be erased.", status.statistics.deadBlobs)
        text.add("cairn_metadata_damaged", "Whether damaged rows were met: 1, or 0.", status.damage == nil ? 0 : 1)
        text.add("cairn_missing_shards", "Shards not on their disks.", status.statistics.missingShards)
        addMoves(status, store.mover.progress, to: &text)
        let rewritesPaused = ((try? await store.metadata.classRewrites()) ?? []).count(where: \.isPaused)
        text.add("cairn_class_rewrites_paused", "Buckets whose rewriting an operator has paused.", rewritesPaused)
        let unreadable = max(status.statistics.blobsBelowQuorum, status.reach.unreadable.count)
        text.add("cairn_unreadable_blobs", "Blobs with fewer than k shards where they can be read.", unreadable)
        text.add("cairn_unreadable_groups", "Groups with fewer than k disks.", status.reach.unreadableGroups)
        text.add("cairn_repaired_shards_total", "Shards repaired since start.", status.repair.shardsDone)
        text.add("cairn_repaired_bytes_total", "Bytes repaired since start.", status.repair.bytesDone)
        let isRepairPaused = status.repairPause != nil
        text.add("cairn_repair_paused", "1 while an operator has paused repair.", isRepairPaused ? 1 : 0)
        text.add("cairn_repacked_blobs_total", "Mostly dead blobs given up since start.", status.repack.blobsDone)
        text.add("cairn_repacked_bytes_total", "Bytes written for what lived of them.", status.repack.bytesDone)
        text.add("cairn_unrepackable_blobs", "Mostly dead blobs that could not be read.", status.repack.waiting)
        text.add("cairn_suspect_shards", "Shards in quarantine that no metadata places.", status.orphans.suspects)
        text.add("cairn_orphan_shards_erased_total", "Such shards erased since start.", status.orphans.erasedShards)
        text.add("cairn_verified_shards", "Shards found good by the last pass.", status.verification.shardsVerified)
        text.add("cairn_bad_shards", "Shards found bad by the last pass.", status.verification.shardsBad)
        let absent = status.verification.shardsAbsent
        text.add("cairn_absent_shards", "Of them, shards that their disks do not have.", absent)
        text.add(
            "cairn_mended_segments",
            "Segments that the last pass mended.",
            status.verification.segmentsMended
        )
        text.add("cairn_journal_sequence", "The last journal record.", Int(clamping: status.journal.last.sequence))
        addKeepers(status, wanted: (try? await store.keepersWanted()) ?? 0, to: &text)
        let nodes = members.union(status.disks.map { NodeMember(name: $0.record.node, site: $0.record.site) })
        text.addNodes(nodes, inMaintenance: (try? await store.maintenances().count) ?? 0, of: store)
        let isKitTaken = folder.isRecoveryKitTaken
        text.add("cairn_recovery_kit_taken", "1 once an operator has taken the recovery kit.", isKitTaken ? 1 : 0)
        let troubles = Set(await store.troubles().map(\.work))
        for work in StoreWork.allCases {
            let label = MetricText.label("work", work.rawValue)
            text.add("cairn_work_failing", "1 while it does not get on.", troubles.contains(work) ? 1 : 0, label)
        }
        addRoom(store.rooms(nearlyFull: status.disks.nearlyFull), to: &text)
        for disk in status.disks {
            let record = disk.record
            let label = MetricText.disk(record.slot, node: record.node.name, site: record.site.name)
            // One without a capacity did not answer: it is missing, and not known to have failed.
            text.addDisk(label, disk.isServed || disk.capacity > 0 ? DiskStatus(disk) : nil)
            text.add(
                "cairn_disk_bad_shards_total",
                "Shards read on the disk since start that were bad or lost, and handed to repair.",
                store.badShards.count(on: record.id),
                label
            )
        }
        text.addScrub(store.scrubber.status, disks: status.disks)
        return text.text
    }

    private static func addMoves(_ status: StoreStatus, _ progress: MoveProgress, to text: inout MetricText) {
        let left = status.statistics.movingShards
        text.add("cairn_moving_shards", "Shards to be moved to other disks.", left)
        text.add("cairn_moving_bytes", "About as many bytes as they have.", left * status.meanShardBytes)
        text.add("cairn_moved_shards_total", "Shards moved since start.", progress.shardsDone)
        text.add("cairn_moved_bytes_total", "Bytes of them.", progress.bytesDone)
        text.add("cairn_moves_paused", "1 while an operator has paused the moves.", progress.isPaused ? 1 : 0)
    }

    private static func addRoom(_ rooms: [SchemeRoom], to text: inout MetricText) {
        for room in rooms {
            for name in room.classes {
                let label = MetricText.label("class", name)
                let isRefused = room.state == .refused
                let isLargeRefused = isRefused || room.state == .largeRefused
                let isSoon = isLargeRefused || room.state == .nearlyFull
                text.add("cairn_writes_refused", "1 while no new object finds room.", isRefused ? 1 : 0, label)
                text.add("cairn_large_writes_refused", "1 while no large one does.", isLargeRefused ? 1 : 0, label)
                text.add("cairn_nearly_full", "1 when that is so or will be soon.", isSoon ? 1 : 0, label)
            }
        }
    }

    private static func addKeepers(_ status: StoreStatus, wanted: Int, to text: inout MetricText) {
        let keepers = status.keepers
        let current = keepers.count { $0.standing == .current }
        text.add("cairn_journal_keepers", "Keepers of the journal.", keepers.count)
        text.add("cairn_journal_keepers_current", "Those that have all of it.", current)
        text.add("cairn_journal_keepers_needed", "Without so many no change is taken.", status.journal.keepers.quorum)
        text.add("cairn_journal_keepers_wanted", "As many as the strongest class wants.", wanted)
    }
}

extension DiskStatus {
    fileprivate init(_ disk: StoreDiskStatus) {
        self.init(
            isUsable: disk.isServed,
            reason: disk.reason,
            capacity: disk.capacity,
            room: disk.room,
            liveBytes: disk.liveBytes,
            deadBytes: disk.deadBytes,
            shardCount: disk.shardCount
        )
    }
}

/// Prometheus text, the lines of one metric together as that format wants.
struct MetricText {
    private var names: [String] = []
    private var lines: [String: String] = [:]

    init() {}

    var text: String { names.map { lines[$0] ?? "" }.joined() }

    mutating func add(_ name: String, _ help: String, _ value: Int, _ label: String? = nil) {
        if lines[name] == nil {
            names.append(name)
            let type = name.hasSuffix("_total") ? "counter" : "gauge"
            lines[name] = "# HELP \(name) \(help)\n# TYPE \(name) \(type)\n"
        }
        lines[name, default: ""] += name + (label.map { "{\($0)}" } ?? "") + " \(value)\n"
    }

    /// Which disk a line is of: slots of different nodes may be called the same.
    static func disk(_ slot: String, node: String, site: String) -> String {
        [label("disk", slot), label("node", node), label("site", site)].joined(separator: ",")
    }

    static func label(_ name: String, _ value: String) -> String { "\(name)=\"\(escaped(value))\"" }

    private static func escaped(_ value: String) -> String {
        value.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"").replacing("\n", with: "\\n")
    }

    /// `status`: nil when the disk is not there.
    mutating func addDisk(_ label: String, _ status: DiskStatus?) {
        add("cairn_disk_served", "1 while the disk is used.", status?.isUsable ?? false ? 1 : 0, label)
        let isFailed = status.map { !$0.isUsable } ?? false
        add("cairn_disk_failed", "1 while the disk is there and does not work.", isFailed ? 1 : 0, label)
        let hangs = status?.hangs ?? false
        add("cairn_disk_hanging", "1 while a write to the disk does not end; it is read.", hangs ? 1 : 0, label)
        guard let status else { return }
        add("cairn_disk_capacity_bytes", "Bytes of the disk's file system.", status.capacity, label)
        add("cairn_disk_room_bytes", "Bytes the disk may still take.", status.room, label)
        add("cairn_disk_live_bytes", "Bytes of live shards.", status.liveBytes, label)
        add("cairn_disk_dead_bytes", "Bytes that compaction can win back.", status.deadBytes, label)
        add("cairn_disk_shards", "Shards on the disk.", status.shardCount, label)
    }
}
