import AdminGateway
import Coordination
import DiskFormat
import LinuxSystem
import Metadata
import ObjectModel
import SystemInterface

/// Puts the store's own picture into the operator's report.
struct StatusAssembly {
    let store: Store
    let folder: DataFolder

    func report() async throws -> StatusReport {
        let status = try await store.status()
        let scheme = status.scheme ?? store.configuration.scheme
        // These look at the metadata's room, which the classes' room depends on.
        let troubles = await store.troubles()
        return StatusReport(
            clusterID: store.cluster.description,
            scheme: scheme.name,
            dataShards: scheme.dataCount,
            totalShards: scheme.shardCount,
            time: Int(LinuxTime().wall.milliseconds / 1_000),
            disks: status.disks.map(disk),
            unusedDisks: status.unused.map(unused),
            groups: GroupsReport(
                total: status.groups.total,
                whole: status.groups.whole,
                degraded: status.groups.total - status.groups.whole - status.groups.unwritable,
                unwritable: status.groups.unwritable,
                unreadable: status.reach.unreadableGroups,
                fewestSpares: status.reach.fewestSpares,
                closed: status.groups.closed.values.reduce(0, +)
            ),
            objects: status.statistics.versions,
            bytes: status.statistics.bytes,
            capacity: capacity(status.disks, scheme: scheme),
            missingShards: status.statistics.missingShards,
            blobsBelowK: max(status.statistics.blobsBelowQuorum, status.reach.unreadable.count),
            unreadableObjects: status.unreadable.map { "\($0.bucket)/\($0.key)" },
            repair: repair(status),
            verification: verification(status),
            metadataDamage: status.damage,
            isCounted: status.isCounted,
            scrub: try await ScrubAssembly(store: store).report(),
            journal: journal(status, wanted: try await store.keepersWanted()),
            forcedStart: try await store.forcedStart().map {
                ForcedStartReport(
                    time: Int($0.time.milliseconds / 1_000),
                    isAccepted: $0.isAccepted,
                    forgotten: $0.forgotten.map(Int.init)
                )
            },
            recoveryKitTaken: folder.isRecoveryKitTaken,
            maintained: try await StoreAdmin.maintained(store),
            silentNodes: silentNodes(status.disks),
            moves: try await moves(status),
            rewrites: try await store.metadata.classRewrites().map { StoreAdmin.report($0, of: store) },
            room: room(status.disks),
            troubles: troubles.map { work, reason in
                TroubleReport(work: TroubleReport.Work(rawValue: work.rawValue) ?? .other, reason: reason)
            }
        )
    }

    /// The classes that are short of it, worst first.
    private func room(_ disks: [StoreDiskStatus]) -> [RoomReport] {
        let reports = store.rooms(nearlyFull: disks.nearlyFull).compactMap { room in
            RoomReport.State(room.state).map { state in
                RoomReport(
                    classes: room.classes,
                    state: state,
                    disks: disks.filter { room.disks.contains($0.record.id) }.map { disk($0).place }
                )
            }
        }
        return RoomReport.State.allCases.reversed().flatMap { state in reports.filter { $0.state == state } }
    }

    private func silentNodes(_ disks: [StoreDiskStatus]) -> [NamedNode] {
        let nodes = disks.filter { !$0.isServed && store.isSilent($0.record.node) }.map { disk in
            NamedNode(site: disk.record.site.name, name: disk.record.node.name)
        }
        return Set(nodes).sorted { ($0.site, $0.name) < ($1.site, $1.name) }
    }

    /// nil when none are open.
    private func moves(_ status: StoreStatus) async throws -> MovesReport? {
        let report = try await StoreAdmin.moves(of: store, meanShard: status.meanShardBytes)
        return report.isDone ? nil : report
    }

    private func disk(_ disk: StoreDiskStatus) -> DiskReport {
        DiskReport(
            id: disk.record.id.description,
            site: disk.record.site.name,
            node: disk.record.node.name,
            slot: disk.record.slot,
            state: state(disk),
            path: disk.path,
            capacity: disk.capacity,
            used: max(0, disk.capacity - disk.room),
            liveBytes: disk.liveBytes,
            deadBytes: disk.deadBytes,
            missingShards: disk.missingShards
        )
    }

    private func unused(_ disk: UnusedDisk) -> UnusedDiskReport {
        let kind: UnusedDiskReport.Kind =
            switch disk.kind {
            case .new: .new
            case .retired: .retired
            case .foreign: .foreign
            case .unusable: .unusable
            }
        return UnusedDiskReport(
            site: disk.site.name,
            node: disk.node.name,
            slot: disk.slot,
            path: disk.path,
            kind: kind,
            reason: disk.reason
        )
    }

    private func state(_ disk: StoreDiskStatus) -> DiskState {
        if disk.hangs { return .hanging }
        if disk.isServed { return disk.room == 0 ? .full : .healthy }
        if disk.capacity > 0 { return .failed }
        return disk.isMisplaced ? .foreign : .missing
    }

    /// What objects of `STANDARD` could fill. Several disks may share one file system: each such counts once.
    private func capacity(_ disks: [StoreDiskStatus], scheme: Scheme) -> Int {
        let raw = disks.reduce(0) { $0 + min($1.capacity, $1.liveBytes + $1.room / max(1, disks.count)) }
        return raw * scheme.dataCount / scheme.shardCount
    }

    private func repair(_ status: StoreStatus) -> RepairReport {
        let left = status.statistics.missingShards * status.meanShardBytes
        return RepairReport(
            active: status.repair.isActive,
            bytesDone: status.repair.bytesOfRepair,
            bytesLeft: left,
            etaSeconds: status.repair.isActive && status.repairPause == nil
                ? status.repair.secondsLeft(for: status.statistics.missingShards) : nil,
            blobsWithoutSpare: status.blobsWithoutSpare,
            diskRate: status.repairRates.disk,
            wanRate: status.repairRates.wan,
            makesWay: status.repairMakesWay,
            paused: status.repairPause != nil,
            pauseSecondsLeft: status.repairPause?.until.map { until in
                // Rounded up: what has just begun for two hours has two hours left.
                max(1, Int(until.milliseconds - LinuxTime().wall.milliseconds + 999) / 1_000)
            }
        )
    }

    private func verification(_ status: StoreStatus) -> AdminGateway.VerificationReport {
        let report = status.verification
        return AdminGateway.VerificationReport(
            shardsExpected: report.shardsExpected,
            shardsPresent: report.shardsPresent,
            shardsVerified: report.shardsVerified,
            lastFullPass: report.isCurrent ? report.finished.map { Int($0.milliseconds / 1_000) } : nil,
            active: report.isRunning || !report.isCurrent && report.started != nil
        )
    }

    private func journal(_ status: StoreStatus, wanted: Int) -> JournalReport {
        JournalReport(
            incarnation: Int(status.incarnation),
            sequence: Int(clamping: status.journal.last.sequence),
            keepers: status.keepers.map { KeeperReport(disk: $0.disk.description, state: state($0.standing)) },
            needed: status.journal.keepers.quorum,
            wanted: wanted
        )
    }

    private func state(_ standing: Journal.KeeperStanding) -> KeeperReport.State {
        switch standing {
        case .current: .current
        case .behind: .behind
        case .unreachable: .unreachable
        }
    }
}

extension RoomReport.State {
    /// nil when there is enough.
    fileprivate init?(_ state: SchemeRoom.State) {
        switch state {
        case .enough: return nil
        case .nearlyFull: self = .nearlyFull
        case .degraded: self = .degraded
        case .largeRefused: self = .largeRefused
        case .refused: self = .refused
        }
    }
}

extension [StoreDiskStatus] {
    /// Those that serve and are nearly full.
    var nearlyFull: Set<DiskID> {
        let disks = filter { disk in
            disk.isServed && DiskReport.isNearlyFull(used: Swift.max(0, disk.capacity - disk.room), of: disk.capacity)
        }
        return Set(disks.map(\.record.id))
    }
}
