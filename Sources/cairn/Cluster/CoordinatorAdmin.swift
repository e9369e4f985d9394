import AdminGateway
import ClusterProtocol
import ClusterTransport
import Coordination
import LinuxSystem
import Metadata
import ObjectInterface
import ObjectModel

/// The operator's commands on a coordinator: those of a store once it runs, and what comes before.
struct CoordinatorAdmin: AdminService {
    let control: CoordinatorControl
    let tokens: JoinTokens
    let authority: ClusterAuthority

    /// The commands on the store that runs now.
    private func store() async throws(AdminError) -> StoreAdmin {
        if let running = await control.running {
            return StoreAdmin(
                store: running.store,
                users: running.users,
                masterKey: control.masterKey,
                folder: control.folder,
                files: control.store.files,
                random: LinuxRandom(),
                kitExtra: kitLines
            )
        }
        guard control.store.has(.formed) else {
            let nodes = control.membership.present().map(\.name.name)
            let joined = nodes.isEmpty ? "no node has joined yet" : "joined: " + nodes.joined(separator: ", ")
            throw AdminError(
                .unavailable,
                "the cluster is not formed yet; \(joined)",
                advice: "Run `cairn admin cluster form` when all nodes have joined."
            )
        }
        let problem = await control.problem
        throw AdminError(
            .unavailable,
            "the store does not run" + (problem.isEmpty ? " yet: it is being started" : ": \(problem)"),
            advice: "It starts by itself once enough nodes answer."
        )
    }

    func status() async throws(AdminError) -> StatusReport {
        var report = try await store().status()
        report.copiedNodes = copiedNodes
        return report
    }

    private var copiedNodes: [CopiedNodeReport] {
        control.membership.copied.map { node in
            CopiedNodeReport(
                site: node.address.site.name,
                name: node.address.name.name,
                processes: node.places
            )
        }
    }

    func replaceDisk(named name: String, isForced: Bool) async throws(AdminError) -> DiskReplacement {
        let store = try await store()
        if !isForced { try await checkRunsOnce(ofDisk: name, in: store) }
        return try await store.replaceDisk(named: name, isForced: isForced)
    }

    func retireDisk(named name: String, isForced: Bool) async throws(AdminError) -> DiskRetirementReport {
        let store = try await store()
        if !isForced { try await checkRunsOnce(ofDisk: name, in: store) }
        return try await store.retireDisk(named: name, isForced: isForced)
    }

    private func checkRunsOnce(ofDisk name: String, in store: StoreAdmin) async throws(AdminError) {
        if let node = try await copiedNode(ofDisk: name, in: store) { throw node.refusal }
    }

    /// The node of a disk, if several processes run as it: what is seen of the disk then says nothing of it, and an
    /// empty slot may be the copy's.
    private func copiedNode(ofDisk name: String, in store: StoreAdmin) async throws(AdminError) -> CopiedNodeReport? {
        let copied = copiedNodes
        guard !copied.isEmpty else { return nil }
        let node = try await store.disk(named: name).record.node.name
        return copied.first { $0.name == node }
    }

    func addDisks(node: String, slot: String?) async throws(AdminError) -> DiskAddition {
        try await store().addDisks(node: node, slot: slot)
    }

    func planReplacement(ofDisk name: String, isForced: Bool) async throws(AdminError) -> DiskLossReport {
        let store = try await store()
        let report = try await store.planReplacement(ofDisk: name, isForced: isForced)
        return isForced ? report : report.refused(for: try await copiedNode(ofDisk: name, in: store))
    }

    func planRetirement(ofDisk name: String, isForced: Bool) async throws(AdminError) -> DiskLossReport {
        let store = try await store()
        let report = try await store.planRetirement(ofDisk: name, isForced: isForced)
        return isForced ? report : report.refused(for: try await copiedNode(ofDisk: name, in: store))
    }

    func planAddition(_ question: AdditionQuestion) async throws(AdminError) -> DiskAdditionReport {
        try await store().planAddition(question)
    }

    func beginMoves(_ request: MoveRequest) async throws(AdminError) -> MovePlanReport {
        try await store().beginMoves(request)
    }

    func moves() async throws(AdminError) -> MovesReport { try await store().moves() }

    func control(_ action: MovesAction) async throws(AdminError) -> MovesReport {
        try await store().control(action)
    }

    func setRepairRate(_ change: RepairRateChange) async throws(AdminError) -> RepairReport {
        try await store().setRepairRate(change)
    }

    func pauseRepair(for seconds: Int?) async throws(AdminError) -> RepairReport {
        try await store().pauseRepair(for: seconds)
    }

    func resumeRepair() async throws(AdminError) -> RepairReport { try await store().resumeRepair() }

    func classes() async throws(AdminError) -> ClassesReport { try await store().classes() }

    func addClass(_ request: ClassRequest) async throws(AdminError) -> ClassAddition {
        try await store().addClass(request)
    }

    func removeClass(named name: String) async throws(AdminError) { try await store().removeClass(named: name) }

    func setBucketClass(_ request: BucketClass) async throws(AdminError) -> BucketClass {
        try await store().setBucketClass(request)
    }

    func applyClass(_ application: ClassApplication) async throws(AdminError) -> ClassApplicationReport {
        try await store().applyClass(application)
    }

    func classRewrites() async throws(AdminError) -> ClassRewritesReport { try await store().classRewrites() }

    func control(_ control: ClassRewriteControl) async throws(AdminError) -> ClassRewritesReport {
        try await store().control(control)
    }

    func addUser(_ user: NewUser) async throws(AdminError) -> UserKeys { try await store().addUser(user) }
    func users() async throws(AdminError) -> [UserReport] { try await store().users() }
    func removeUser(named name: String) async throws(AdminError) { try await store().removeUser(named: name) }
    func recoveryKit() async throws(AdminError) -> RecoveryKit { try await store().recoveryKit() }
    func startScrub() async throws(AdminError) -> ScrubStart { try await store().startScrub() }
    func scrub() async throws(AdminError) -> ScrubReport { try await store().scrub() }

    func startScrub(_ target: ScrubTarget) async throws(AdminError) -> ScrubAnswer {
        try await store().startScrub(target)
    }

    func pauseScrub(_ target: ScrubTarget) async throws(AdminError) -> ScrubAnswer {
        try await store().pauseScrub(target)
    }

    func resumeScrub(_ target: ScrubTarget) async throws(AdminError) -> ScrubAnswer {
        try await store().resumeScrub(target)
    }

    func maintenances() async throws(AdminError) -> MaintenanceReport { try await store().maintenances() }

    func setMaintenance(_ request: MaintenanceRequest) async throws(AdminError) -> MaintenanceReport {
        try await store().setMaintenance(request)
    }

    func acceptForcedStart() async throws(AdminError) { try await store().acceptForcedStart() }

    func planLoss(_ question: LossQuestion) async throws(AdminError) -> LossPlanReport {
        try await store().planLoss(question)
    }

    func planGrowth(_ question: GrowthQuestion) async throws(AdminError) -> GrowthPlanReport {
        try await store().planGrowth(question)
    }

    func examine() async throws(AdminError) -> StoreExamination {
        let store = try await store()
        let members = control.membership.nodes.map { NamedNode(site: $0.site.name, name: $0.name.name) }
        var examination = try await store.examine(members: members)
        examination.status.copiedNodes = copiedNodes
        return examination
    }

    func nodes() async throws(AdminError) -> NodesReport {
        let disks = try await disksInUse()
        let state = await standings()
        let nodes = control.membership.nodes.map { node in
            NodesReport.Node(
                site: node.site.name,
                name: node.name.name,
                address: "\(node.host):\(node.port)",
                state: state(node.name),
                disks: disks[node.name] ?? 0
            )
        }
        return NodesReport(nodes: nodes.sorted { ($0.site, $0.name) < ($1.site, $1.name) })
    }

    /// As the store says; before there is one, by the beats alone.
    private func standings() async -> (NodeName) -> NodeState {
        if let store = await control.running?.store {
            return { NodeState(store.standing(of: $0)) }
        }
        let present = Set(control.membership.present().map(\.name))
        return { present.contains($0) ? .up : .down }
    }

    /// By node; none of a cluster that is not formed yet.
    private func disksInUse() async throws(AdminError) -> [NodeName: Int] {
        guard control.store.has(.formed) else { return [:] }
        _ = try await store()
        guard let running = await control.running else { return [:] }
        do throws(StorageError) {
            let disks = try await running.store.metadata.disks().filter(\.isInUse)
            return Dictionary(disks.map { ($0.node, 1) }, uniquingKeysWith: +)
        } catch {
            throw AdminError(.unavailable, error.message)
        }
    }

    func removeNode(named name: String) async throws(AdminError) -> NodesReport.Node {
        guard let node = try await nodes().nodes.first(where: { name == $0.name || name == "\($0.site)/\($0.name)" })
        else {
            throw AdminError(.notFound, "no node is called \(name)", advice: "`cairn admin node list` shows them.")
        }
        guard node.disks == 0 else {
            throw AdminError(
                .conflict,
                "node \(node.name) has disks in use: \(node.disks)",
                advice:
                    "Empty them first by `cairn admin node drain \(node.name)`, or, when the machine is lost, give "
                    + "them up by `cairn admin disk retire`."
            )
        }
        guard !node.isPresent else {
            throw AdminError(
                .conflict,
                "node \(node.name) runs",
                advice: "Stop it on its machine; a few seconds later it can be removed."
            )
        }
        let name = NodeName(node.name)
        do {
            let generation = try await tokens.dismiss(name.name, shown: control.membership.floor(of: name))
            let floor = CertificateFloor(node: name, generation: generation)
            try await control.running?.store.metadata.noteCertificateFloors([floor])
            control.membership.remove(name, before: generation)
        } catch {
            throw AdminError(.failed, "\(error)", advice: "The node is still a member.")
        }
        return node
    }

    func makeNodeToken(validFor seconds: Int, replacing member: String?) async throws(AdminError) -> NodeToken {
        if let member {
            // A name of which only its certificates tell can be had by no other token: `JoinBook`.
            let names = await tokens.names.union(control.membership.members.map(\.name))
                .union(control.membership.certificateFloors.map(\.node.name))
            guard names.contains(member) else {
                throw AdminError(
                    .notFound,
                    "no node is called \(member)",
                    advice: "A new node joins with a token that is made without --replace."
                )
            }
        }
        do {
            let token = try await tokens.make(
                fingerprint: authority.fingerprint,
                validFor: seconds,
                replacing: member
            )
            return NodeToken(text: token.text)
        } catch {
            throw AdminError(.failed, "\(error)")
        }
    }

    func formCluster() async throws(AdminError) -> ClusterFormation {
        do {
            return ClusterFormation(text: try await control.form())
        } catch {
            throw AdminError(.conflict, "\(error)", advice: "Nothing that held data was touched.")
        }
    }

    /// What a take-over needs beside a restore's lines.
    private var kitLines: [String] {
        RecoveryKitText.lines(
            authority: authority,
            scheme: control.settings.scheme,
            region: control.settings.region,
            root: control.root
        )
    }
}

extension NodeState {
    init(_ standing: NodeStanding) {
        switch standing {
        case .up: self = .up
        case .suspect: self = .suspect
        case .down: self = .down
        case .out: self = .out
        }
    }
}
