import ClusterProtocol
import Coordination
import DiskFormat
import Metadata
import ObjectModel

/// What a store's status comes to in metrics.
extension MetricText {
    /// What is stored.
    mutating func addContents(_ status: StoreStatus) {
        add("cairn_buckets", "Buckets.", status.statistics.buckets)
        add("cairn_objects", "Current object versions.", status.statistics.versions)
        add("cairn_object_bytes", "Logical bytes of all current versions.", status.statistics.bytes)
        add("cairn_uploads", "Multipart uploads in progress.", status.statistics.uploads)
        add("cairn_blobs", "Live blobs.", status.statistics.blobs)
        add("cairn_dead_blobs", "Blobs waiting to be erased.", status.statistics.deadBlobs)
        add("cairn_metadata_damaged", "Whether damaged rows were met: 1, or 0.", status.damage == nil ? 0 : 1)
        add("cairn_missing_shards", "Shards not on their disks.", status.statistics.missingShards)
    }

    /// What cannot be read.
    mutating func addReach(_ status: StoreStatus) {
        let unreadable = max(status.statistics.blobsBelowQuorum, status.reach.unreadable.count)
        add("cairn_unreadable_blobs", "Blobs with fewer than k shards where they can be read.", unreadable)
        add("cairn_unreadable_groups", "Groups with fewer than k disks.", status.reach.unreadableGroups)
    }

    mutating func addRepair(_ status: StoreStatus) {
        add("cairn_repaired_shards_total", "Shards repaired since start.", status.repair.shardsDone)
        add("cairn_repaired_bytes_total", "Bytes repaired since start.", status.repair.bytesDone)
        let isPaused = status.repairPause != nil
        add("cairn_repair_paused", "1 while an operator has paused repair.", isPaused ? 1 : 0)
    }

    /// How room comes back.
    mutating func addGarbage(_ status: StoreStatus) {
        add("cairn_repacked_blobs_total", "Mostly dead blobs given up since start.", status.repack.blobsDone)
        add("cairn_repacked_bytes_total", "Bytes written for what lived of them.", status.repack.bytesDone)
        add("cairn_unrepackable_blobs", "Mostly dead blobs that could not be read.", status.repack.waiting)
        add("cairn_suspect_shards", "Shards in quarantine that no metadata places.", status.orphans.suspects)
        add("cairn_orphan_shards_erased_total", "Such shards erased since start.", status.orphans.erasedShards)
    }

    mutating func addVerification(_ status: StoreStatus) {
        add("cairn_verified_shards", "Shards found good by the last pass.", status.verification.shardsVerified)
        add("cairn_bad_shards", "Shards found bad by the last pass.", status.verification.shardsBad)
        let absent = status.verification.shardsAbsent
        add("cairn_absent_shards", "Of them, shards that their disks do not have.", absent)
        add(
            "cairn_mended_segments",
            "Segments that the last pass mended.",
            status.verification.segmentsMended
        )
    }

    mutating func addMoves(_ status: StoreStatus, _ progress: MoveProgress) {
        let left = status.statistics.movingShards
        add("cairn_moving_shards", "Shards to be moved to other disks.", left)
        add("cairn_moving_bytes", "About as many bytes as they have.", left * status.meanShardBytes)
        add("cairn_moved_shards_total", "Shards moved since start.", progress.shardsDone)
        add("cairn_moved_bytes_total", "Bytes of them.", progress.bytesDone)
        add("cairn_moves_paused", "1 while an operator has paused the moves.", progress.isPaused ? 1 : 0)
    }

    mutating func addRoom(_ rooms: [SchemeRoom]) {
        for room in rooms {
            for name in room.classes {
                let label = Self.label("class", name)
                let isRefused = room.state == .refused
                let isLargeRefused = isRefused || room.state == .largeRefused
                let isSoon = isLargeRefused || room.state == .nearlyFull
                add("cairn_writes_refused", "1 while no new object finds room.", isRefused ? 1 : 0, label)
                add("cairn_large_writes_refused", "1 while no large one does.", isLargeRefused ? 1 : 0, label)
                add("cairn_nearly_full", "1 when that is so or will be soon.", isSoon ? 1 : 0, label)
            }
        }
    }

    mutating func addJournal(_ status: StoreStatus, wanted: Int) {
        add("cairn_journal_sequence", "The last journal record.", Int(clamping: status.journal.last.sequence))
        let keepers = status.keepers
        let current = keepers.count { $0.standing == .current }
        add("cairn_journal_keepers", "Keepers of the journal.", keepers.count)
        add("cairn_journal_keepers_current", "Those that have all of it.", current)
        add("cairn_journal_keepers_needed", "Without so many no change is taken.", status.journal.keepers.quorum)
        add("cairn_journal_keepers_wanted", "As many as the strongest class wants.", wanted)
    }

    /// What the store does by itself, and whether it gets on with it.
    mutating func addWork(failing: Set<StoreWork>) {
        for work in StoreWork.allCases {
            let label = Self.label("work", work.rawValue)
            add("cairn_work_failing", "1 while it does not get on.", failing.contains(work) ? 1 : 0, label)
        }
    }

    mutating func addDisk(_ disk: StoreDiskStatus, badShards: Int) {
        let record = disk.record
        let label = Self.disk(record.slot, node: record.node.name, site: record.site.name)
        // One without a capacity did not answer: it is missing, and not known to have failed.
        addDisk(label, disk.isServed || disk.capacity > 0 ? DiskStatus(disk) : nil)
        add(
            "cairn_disk_bad_shards_total",
            "Shards read on the disk since start that were bad or lost, and handed to repair.",
            badShards,
            label
        )
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
