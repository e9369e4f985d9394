import AdminGateway
import Synchronization

/// A store that is only a table in memory, with the disks a test gives it.
final class MemoryService: AdminService {
    private struct State {
        var report = StatusReport.sample()
        var users: [NewUser] = []
        var isScrubPaused = false
        var classes: [ClassReport] = []
        var nodes = [
            NodesReport.Node(site: "s1", name: "n1", address: "10.0.0.1:7400", state: .up, disks: 4),
            NodesReport.Node(site: "s1", name: "n2", address: "10.0.0.2:7400", state: .down, disks: 0),
        ]
    }

    private let state = Mutex(State())

    func change(_ body: (inout StatusReport) -> Void) { state.withLock { body(&$0.report) } }

    func status() async throws(AdminError) -> StatusReport { state.withLock { $0.report } }

    func acceptForcedStart() async throws(AdminError) {
        try state.withLock { state throws(AdminError) in
            guard state.report.forcedStart?.isAccepted == false else { throw AdminError(.conflict, "none was forced") }
            state.report.forcedStart?.isAccepted = true
        }
    }

    func addDisks(node: String, slot: String?) async throws(AdminError) -> DiskAddition {
        guard node == "node-1" else { throw AdminError(.notFound, "no node is called \(node)") }
        return DiskAddition(disks: ["site-1/node-1/\(slot ?? "disk-7")"])
    }

    func nodes() async throws(AdminError) -> NodesReport {
        NodesReport(nodes: state.withLock { $0.nodes })
    }

    func removeNode(named name: String) async throws(AdminError) -> NodesReport.Node {
        let node = state.withLock { state in
            state.nodes.firstIndex { $0.name == name }.map { state.nodes.remove(at: $0) }
        }
        guard let node else { throw AdminError(.notFound, "no node is called \(name)") }
        return node
    }

    func beginMoves(_ request: MoveRequest) async throws(AdminError) -> MovePlanReport {
        let names = request.disks + (request.node.map { ["\($0)/all"] } ?? [])
        return MovePlanReport(
            places: 3,
            bytes: 6 << 20,
            seconds: (6 << 20) / (request.rate ?? 1 << 20),
            disks: (names.isEmpty ? ["every"] : names).map { .init(name: $0, before: 6 << 20, after: 0) },
            isDryRun: request.isDryRun
        )
    }

    func moves() async throws(AdminError) -> MovesReport { Self.moves(isPaused: false, places: 2) }

    func control(_ action: MovesAction) async throws(AdminError) -> MovesReport {
        Self.moves(isPaused: action == .pause, places: action == .cancel ? 0 : 2)
    }

    func setRepairRate(_ change: RepairRateChange) async throws(AdminError) -> RepairReport {
        var report = RepairReport.sample()
        report.diskRate = change.disk ?? report.diskRate
        report.wanRate = change.wan
        return report
    }

    func pauseRepair(for seconds: Int?) async throws(AdminError) -> RepairReport {
        state.withLock { state in
            (state.report.repair.paused, state.report.repair.pauseSecondsLeft) = (true, seconds)
            return state.report.repair
        }
    }

    func resumeRepair() async throws(AdminError) -> RepairReport {
        state.withLock { state in
            (state.report.repair.paused, state.report.repair.pauseSecondsLeft) = (false, nil)
            return state.report.repair
        }
    }

    private static func moves(isPaused: Bool, places: Int) -> MovesReport {
        MovesReport(
            places: places,
            shardsLeft: places * 10,
            bytesLeft: places * 10 << 20,
            shardsDone: 5,
            bytesDone: 5 << 20,
            isPaused: isPaused,
            draining: places > 0 ? ["site-1/node-1/disk-1"] : [],
            secondsLeft: 90
        )
    }

    func retireDisk(named name: String, isForced: Bool) async throws(AdminError) -> DiskRetirementReport {
        let disk = state.withLock { $0.report.disks.first { $0.place == name } }
        guard let disk else {
            throw AdminError(.notFound, "there is no disk \(name)", advice: "See: cairn admin disk list")
        }
        return DiskRetirementReport(disk: disk.id, groupsMoved: 3, groupsLeft: 0, shardsToRebuild: 12)
    }

    func replaceDisk(named name: String, isForced: Bool) async throws(AdminError) -> DiskReplacement {
        let disk = state.withLock { $0.report.disks.first { $0.place == name } }
        guard let disk else {
            throw AdminError(.notFound, "there is no disk \(name)", advice: "See: cairn admin disk list")
        }
        return DiskReplacement(
            oldDisk: disk.id,
            newDisk: "ffffffffffff",
            path: disk.path,
            shardsToRebuild: 1_234,
            bytesToRebuild: 5_000_000
        )
    }

    func planAddition(_ question: AdditionQuestion) async throws(AdminError) -> DiskAdditionReport {
        let added = try await addDisks(node: question.node, slot: question.slot).disks
        let moves = try await beginMoves(MoveRequest(isDryRun: true, rate: question.rate))
        return DiskAdditionReport(disks: added, capacity: 4_000_000_000_000, moves: moves)
    }

    func planReplacement(ofDisk name: String, isForced: Bool) async throws(AdminError) -> DiskLossReport {
        _ = try await replaceDisk(named: name, isForced: isForced)
        return .sample(name, isReplaced: true, refusal: isForced ? nil : "it is needed")
    }

    func planRetirement(ofDisk name: String, isForced: Bool) async throws(AdminError) -> DiskLossReport {
        _ = try await retireDisk(named: name, isForced: isForced)
        return .sample(name, isReplaced: false, refusal: isForced ? nil : "it is needed")
    }

    func addUser(_ user: NewUser) async throws(AdminError) -> UserKeys {
        let isNew = state.withLock { state in
            guard !state.users.contains(where: { $0.name == user.name }) else { return false }
            state.users.append(user)
            return true
        }
        guard isNew else { throw AdminError(.conflict, "there is a user \(user.name) already") }
        return UserKeys(
            name: user.name,
            id: user.id ?? "made-id",
            accessKey: user.accessKey ?? "made-access",
            secretKey: user.secretKey ?? "made-secret"
        )
    }

    func users() async throws(AdminError) -> [UserReport] {
        state.withLock { state in
            state.users.map {
                UserReport(
                    name: $0.name,
                    id: $0.id ?? "made-id",
                    accessKey: $0.accessKey ?? "made-access",
                    displayName: $0.displayName,
                    email: $0.email
                )
            }
        }
    }

    func removeUser(named name: String) async throws(AdminError) {
        let count = state.withLock { state in
            let before = state.users.count
            state.users.removeAll { $0.name == name }
            return before - state.users.count
        }
        guard count == 1 else { throw AdminError(.notFound, "there is no user \(name)", advice: "See the list.") }
    }

    func maintenances() async throws(AdminError) -> MaintenanceReport {
        MaintenanceReport(nodes: state.withLock { $0.report.maintained })
    }

    func setMaintenance(_ request: MaintenanceRequest) async throws(AdminError) -> MaintenanceReport {
        try state.withLock { state throws(AdminError) in
            guard let disk = state.report.disks.first(where: { $0.node == request.node }) else {
                throw AdminError(.notFound, "there is no node \(request.node)", advice: "See the list.")
            }
            state.report.maintained =
                request.seconds.map { seconds in
                    [MaintenanceReport.Node(site: disk.site, node: disk.node, secondsLeft: seconds)]
                } ?? []
        }
        return try await maintenances()
    }

    func classes() async throws(AdminError) -> ClassesReport {
        ClassesReport(
            classes: state.withLock { $0.classes },
            keepers: 5,
            keepersNeeded: 7,
            closed: [ClosedGroupsReport(scheme: "rs-9-3", groups: 3)]
        )
    }

    func addClass(_ request: ClassRequest) async throws(AdminError) -> ClassAddition {
        guard request.scheme == "rs-6-3" else {
            throw AdminError(.conflict, "refused: too few disks", advice: "Nothing was changed.")
        }
        let report = ClassReport(
            name: request.name,
            scheme: request.scheme,
            dataShards: 6,
            totalShards: 9,
            groups: 32,
            survives: ProtectionReport(disks: 3, nodes: 0, sites: 0, spares: 3, sparesWithoutSite: -6),
            durability: DurabilityReport(
                ninesByDisks: 11.4,
                nines: 3,
                diskFailuresPerYear: 0.015,
                repairHours: 24,
                siteLossPerYear: 0.001
            ),
            buckets: []
        )
        if !request.isDryRun { state.withLock { $0.classes.append(report) } }
        return ClassAddition(
            storageClass: report,
            groupsMade: 32,
            keepers: 5,
            keepersNeeded: 7,
            isDryRun: request.isDryRun
        )
    }

    func removeClass(named name: String) async throws(AdminError) {
        let isUsed = state.withLock { $0.classes.contains { $0.name == name && !$0.buckets.isEmpty } }
        guard !isUsed else { throw AdminError(.conflict, "\(name) is the default of a bucket") }
        state.withLock { $0.classes.removeAll { $0.name == name } }
    }

    func setBucketClass(_ request: BucketClass) async throws(AdminError) -> BucketClass {
        state.withLock { state in
            for index in state.classes.indices where state.classes[index].name == request.storageClass {
                state.classes[index].buckets.append(request.bucket)
            }
        }
        return request
    }

    func recoveryKit() async throws(AdminError) -> RecoveryKit {
        state.withLock { $0.report.recoveryKitTaken = true }
        return RecoveryKit(text: "master key: Zm9v äöü\ncluster: 00ff")
    }

    func startScrub() async throws(AdminError) -> ScrubStart {
        ScrubStart(wasRunning: false, shardsToVerify: 12_000, bytesToVerify: 34_000_000_000)
    }

    func scrub() async throws(AdminError) -> ScrubReport {
        var report = ScrubReport()
        report.paused = state.withLock { $0.isScrubPaused }
        return report
    }

    func startScrub(_ target: ScrubTarget) async throws(AdminError) -> ScrubAnswer {
        guard !state.withLock({ $0.isScrubPaused }) else {
            throw AdminError(.conflict, "the scrub is paused", advice: "cairn admin scrub resume")
        }
        return ScrubAnswer(text: "Reading \(target.disk ?? "-") \(target.node ?? "-") \(target.bucket ?? "-").")
    }

    func pauseScrub(_ target: ScrubTarget) async throws(AdminError) -> ScrubAnswer {
        state.withLock { $0.isScrubPaused = true }
        return ScrubAnswer(text: "Paused \(target.disk ?? "-") \(target.node ?? "-").")
    }

    func resumeScrub(_ target: ScrubTarget) async throws(AdminError) -> ScrubAnswer {
        state.withLock { $0.isScrubPaused = false }
        return ScrubAnswer(text: "Resumed \(target.disk ?? "-") \(target.node ?? "-").")
    }
}

extension StatusReport {
    /// A store of six healthy disks, rs-4-2, to which nothing ever happened.
    static func sample() -> Self {
        let disks = (0..<6).map { slot in
            DiskReport(
                id: "\(slot)0123456789abcdef",
                site: "default",
                node: "n1",
                slot: String(slot),
                state: .healthy,
                path: "/data/disk\(slot)",
                capacity: 4_000_000_000_000,
                used: 1_000_000_000_000,
                liveBytes: 990_000_000_000,
                deadBytes: 5_000_000_000,
                missingShards: 0
            )
        }
        return StatusReport(
            clusterID: "00112233445566778899aabbccddeeff",
            scheme: "rs-4-2",
            dataShards: 4,
            totalShards: 6,
            time: 1_800_000_000,
            disks: disks,
            groups: GroupsReport(total: 12, whole: 12, degraded: 0, unwritable: 0),
            objects: 1_234_567,
            bytes: 3_960_000_000_000,
            capacity: 16_000_000_000_000,
            missingShards: 0,
            blobsBelowK: 0,
            repair: .sample(),
            verification: VerificationReport(
                shardsExpected: 600,
                shardsPresent: 600,
                shardsVerified: 600,
                lastFullPass: 1_800_000_000 - 86_400 * 3,
                active: false
            ),
            journal: JournalReport(
                incarnation: 3,
                sequence: 98_765,
                keepers: disks.prefix(5).map { KeeperReport(disk: $0.id, state: .current) },
                needed: 3,
                wanted: 5
            ),
            recoveryKitTaken: true
        )
    }
}

extension DiskLossReport {
    /// One of the disks of the sample store.
    static func sample(_ disk: String, isReplaced: Bool, refusal: String? = nil) -> Self {
        Self(
            disk: disk,
            path: "/data/disk2",
            isReplaced: isReplaced,
            groupsMoved: 12,
            groupsLeft: 0,
            bytes: 990_000_000_000,
            bytesBelowK: 0,
            megabytesPerSecond: 30,
            seconds: 33_000,
            riskMeanwhile: 1 / 4_000_000,
            classes: [.init(name: "STANDARD", meanwhile: .sample(spares: 1), then: .sample())],
            journal: .sample(spares: 1),
            journalThen: .sample(),
            refusal: refusal
        )
    }
}

extension UnusedDiskReport {
    /// In a slot behind the six of the sample store.
    static func sample(_ kind: Kind) -> Self {
        Self(site: "default", node: "n1", slot: "6", path: "/data/disk6", kind: kind, reason: "it is none of ours")
    }
}

extension RepairReport {
    static func sample(
        active: Bool = false,
        bytesDone: Int = 0,
        bytesLeft: Int = 0,
        etaSeconds: Int? = nil
    ) -> RepairReport {
        RepairReport(
            active: active,
            bytesDone: bytesDone,
            bytesLeft: bytesLeft,
            etaSeconds: etaSeconds,
            blobsWithoutSpare: 0,
            diskRate: 100 << 20,
            wanRate: nil,
            makesWay: false
        )
    }
}
