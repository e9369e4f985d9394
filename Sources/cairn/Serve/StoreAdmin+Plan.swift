import AdminGateway
import Coordination
import Metadata
import ObjectModel
import Placement

extension StoreAdmin {
    func examine() async throws(AdminError) -> StoreExamination { try await examine(members: []) }

    /// `members`: the nodes of the cluster, also those without a disk in use.
    func examine(members: [NamedNode]) async throws(AdminError) -> StoreExamination {
        do {
            return try await LossAssembly(store: store, folder: folder).examination(members: members)
        } catch {
            throw adminError(error)
        }
    }

    func planLoss(_ question: LossQuestion) async throws(AdminError) -> LossPlanReport {
        do {
            return try await LossAssembly(store: store, folder: folder).plan(question)
        } catch let error as AdminError {
            throw error
        } catch {
            throw adminError(error)
        }
    }
}

/// Puts the store's own picture into what `doctor` and `plan` ask for.
struct LossAssembly {
    let store: Store
    let folder: DataFolder

    func examination(members: [NamedNode]) async throws -> StoreExamination {
        let status = try await store.status()
        let snapshot = try await store.snapshot(status)
        let layout = snapshot.store.layout
        let now = LossOutcome(layout, without: snapshot.store.away, full: snapshot.store.full)
        var examination = StoreExamination(
            status: try await StatusAssembly(store: store, folder: folder).report(),
            now: Self.report(now),
            protection: Survival(layout, without: snapshot.store.away).map(Self.report),
            journal: Self.journal(snapshot.store).map(Self.report),
            durability: try Self.durability(snapshot.store)
        )
        examination.stopReason = store.stopReason
        if case .superseded? = status.journal.stopped { examination.isSuperseded = true }
        examination.isConfirmed = store.journal.isConfirmed
        examination.suspectShards = status.orphans.suspects
        examination.blobsNotRepaired = status.repair.waiting
        examination.blobsNotRepacked = status.repack.waiting
        examination.badShards = status.verification.shardsBad
        examination.absentShards = status.verification.shardsAbsent
        for (disk, reason) in snapshot.reasons { examination.reasons[disk.description] = reason }
        // As the status says, and nodes of which it has no disk to tell.
        let silent = Set(examination.status.silentNodes + members.filter { store.isSilent(NodeName($0.name)) })
        examination.silentNodes = silent.sorted { ($0.site, $0.name) < ($1.site, $1.name) }
        examination.unheardNodes = members.filter { node in
            !silent.contains(node) && store.standing(of: NodeName(node.name)) == .suspect
        }
        examination.idleDisks = status.disks.filter { $0.isServed && !$0.hasPlaces && $0.record.state == .active }
            .map(\.record.name)
        examination.groupsAgainstTheRule = layout.groupsAgainstTheRule.count
        return examination
    }

    func plan(_ question: LossQuestion) async throws -> LossPlanReport {
        let status = try await store.status()
        let snapshot = try await store.snapshot(status)
        let disks = try await StatusAssembly(store: store, folder: folder).report().disks
        let named = try LossTarget.disks(question.targets, among: disks)
        let names = Set(named.map(\.id))
        let lost = Set(status.disks.map(\.record.id).filter { names.contains($0.description) })
        let plan = LossPlan(
            snapshot.store,
            losing: lost,
            bytesPerSecond: max(1, question.megabytesPerSecond) * Self.megabyte
        )
        let away = Set(snapshot.store.away.map(\.description))
        return LossPlanReport(
            lost: named.map(\.place),
            away: disks.filter { away.contains($0.id) && !names.contains($0.id) }.map(\.place),
            before: Self.report(plan.before),
            after: Self.report(plan.after),
            protectionBefore: Survival(snapshot.store.layout, without: snapshot.store.away).map(Self.report),
            protectionAfter: plan.survival.map(Self.report),
            journalBefore: Self.journal(snapshot.store).map(Self.report),
            journalAfter: plan.journalSurvival.map(Self.report),
            keepers: snapshot.store.keepers.all.count,
            keepersLeft: plan.keepersLeft,
            keepersNeeded: snapshot.store.keepers.needed,
            mayLoseChanges: plan.mayLoseChanges,
            bytesToRebuild: plan.bytesToRebuild,
            bytesBelowK: plan.bytesBelowK,
            groupsWithoutStandIn: plan.groupsWithoutStandIn,
            megabytesPerSecond: max(1, question.megabytesPerSecond),
            rebuildSeconds: plan.rebuildSeconds,
            riskMeanwhile: plan.riskMeanwhile,
            durability: try Self.durability(
                snapshot.store,
                bytesPerSecond: question.megabytesPerSecond * Self.megabyte
            ),
            isComplete: snapshot.isComplete
        )
    }

    /// What the journal survives as it is.
    static func journal(_ store: LossPlan.Store) -> Survival? {
        Survival(store.keepers, on: store.layout.disks, without: store.away)
    }

    static let megabyte = 1_000_000
    /// Bytes a second of a disk, where nobody says.
    static let usualRate = 30 * megabyte

    /// A disk is made good within a day, or within the rebuild of the fullest one where that takes longer.
    static func durability(_ store: LossPlan.Store, bytesPerSecond: Int = usualRate) throws -> DurabilityReport {
        let fullest = store.liveBytes.sorted { $0.key < $1.key }.max { $0.value < $1.value }?.key
        let rebuild = fullest.flatMap {
            LossPlan(store, losing: [$0], bytesPerSecond: max(1, bytesPerSecond)).rebuildSeconds
        }
        let hours = max(DurabilityModel.usualRepairHours, Double(rebuild ?? 0) / 3_600)
        guard let model = DurabilityModel(repairHours: hours) else {
            throw AdminError(.failed, "a repair time of \(hours) hours makes no sense")
        }
        let durability = Durability(store.layout, without: store.away, model: model)
        return DurabilityReport(
            ninesByDisks: durability.ninesByDisks,
            nines: durability.nines,
            diskFailuresPerYear: model.failureRate,
            repairHours: model.repairHours,
            siteLossPerYear: model.siteLoss
        )
    }

    private static func report(_ outcome: LossOutcome) -> OutcomeReport {
        let writes: OutcomeReport.Writes =
            switch outcome.writes {
            case .full: .full
            case .degraded: .degraded
            case .refused: .refused
            }
        return OutcomeReport(
            groups: outcome.total,
            whole: outcome.whole,
            degraded: outcome.degraded,
            belowK: outcome.belowK,
            fullWrites: outcome.fullWrites,
            degradedWrites: outcome.degradedWrites,
            noWrites: outcome.noWrites,
            writes: writes
        )
    }

    static func report(_ survival: Survival) -> ProtectionReport {
        ProtectionReport(
            disks: survival.disks,
            nodes: survival.nodes,
            sites: survival.sites,
            spares: survival.spares,
            sparesWithoutSite: survival.sparesWithoutSite
        )
    }
}
