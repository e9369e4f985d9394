import AdminGateway
import BlobStorage
import Coordination
import Metadata
import ObjectInterface
import ObjectModel
import Placement

/// The operator's commands that add disks, empty them and even them out.
extension StoreAdmin {
    func addDisks(node: String, slot: String?) async throws(AdminError) -> DiskAddition {
        do throws(DiskChangeError) {
            let added = try await store.addDisks(of: NodeName(node), slot: slot)
            return DiskAddition(disks: added.map(\.name))
        } catch {
            throw AdminError(error)
        }
    }

    func planAddition(_ question: AdditionQuestion) async throws(AdminError) -> DiskAdditionReport {
        let plan: DiskAdditionPlan
        do throws(DiskChangeError) {
            plan = try await store.planAddition(of: NodeName(question.node), slot: question.slot)
        } catch {
            throw AdminError(error)
        }
        let records: [DiskRecord]
        do {
            records = try await store.metadata.disks().filter(\.isInUse)
        } catch {
            throw AdminError(.unavailable, error.message)
        }
        return DiskAdditionReport(
            disks: plan.added.map(\.name),
            capacity: plan.capacity,
            moves: await report(plan.moves, of: records + plan.added, MoveRequest(isDryRun: true, rate: question.rate))
        )
    }

    func beginMoves(_ request: MoveRequest) async throws(AdminError) -> MovePlanReport {
        let records: [DiskRecord]
        do {
            records = try await store.metadata.disks().filter(\.isInUse)
        } catch {
            throw AdminError(.unavailable, error.message)
        }
        let goal = try await goal(request, among: records)
        let plan: MovePlan
        let rateBefore = store.mover.givenRate
        do throws(DiskChangeError) {
            plan =
                request.isDryRun
                ? try await store.plan(goal)
                : try await store.beginMoves(goal, isForced: request.isForced, rate: request.rate)
        } catch {
            throw AdminError(error)
        }
        if store.mover.givenRate != rateBefore { try await keepMoves() }
        return await report(plan, of: records, request)
    }

    private func report(
        _ plan: MovePlan,
        of records: [DiskRecord],
        _ request: MoveRequest
    ) async -> MovePlanReport {
        // What has begun is told, also when it cannot be told how full the disks are.
        let disks = (try? await store.status().disks) ?? []
        let sources = Set(plan.moves.map(\.from))
        return MovePlanReport(
            places: plan.moves.count,
            bytes: plan.bytes,
            seconds: plan.bytes / max(1, request.rate ?? Mover.defaultRate),
            disks: records.sorted { $0.name < $1.name }.map { record in
                let status = disks.first { $0.record.id == record.id }
                return MovePlanReport.Disk(
                    name: record.name,
                    before: plan.before[record.id] ?? 0,
                    after: plan.after[record.id] ?? 0,
                    used: status.map { max(0, $0.capacity - $0.room) } ?? 0,
                    capacity: status?.capacity ?? 0
                )
            },
            away: disks.filter { sources.contains($0.record.id) && !$0.isServed }.map(\.record.name).sorted(),
            outlooks: plan.outlooks.map(MovePlanReport.Outlook.init),
            isPaused: store.mover.progress.isPaused,
            isDryRun: request.isDryRun
        )
    }

    private func goal(_ request: MoveRequest, among records: [DiskRecord]) async throws(AdminError) -> MoveGoal {
        var disks: Set<DiskID> = []
        for name in request.disks { disks.insert(try await disk(named: name).record.id) }
        guard let node = request.node else { return disks.isEmpty ? .even : .empty(disks) }
        let ofNode = records.filter { $0.isOf(node: node) }.map(\.id)
        guard !ofNode.isEmpty else { throw AdminError(DiskChangeError.noSuchNode(node)) }
        return .empty(disks.union(ofNode))
    }

    func moves() async throws(AdminError) -> MovesReport {
        do {
            return try await Self.moves(of: store, meanShard: store.status().meanShardBytes)
        } catch {
            throw AdminError(.unavailable, error.message)
        }
    }

    /// `meanShard`: bytes of a shard, by which is told how many are left.
    static func moves(of store: Store, meanShard: Int) async throws(StorageError) -> MovesReport {
        let left = try await store.metadata.statistics().movingShards
        let progress = store.mover.progress
        let sources = try await store.metadata.groups().map(\.former.values)
        let disks = try await store.metadata.disks()
        let away = Set(sources.joined()).filter { !store.blobs.view.isUsable($0) }
        return MovesReport(
            places: sources.reduce(0) { $0 + $1.count },
            shardsLeft: left,
            bytesLeft: left * meanShard,
            shardsDone: progress.shardsOfMoves,
            bytesDone: progress.bytesOfMoves,
            isPaused: progress.isPaused,
            isCancelled: progress.isCancelled,
            draining: disks.filter { $0.state == .draining }.map(\.name).sorted(),
            away: disks.filter { away.contains($0.id) }.map(\.name).sorted(),
            keeping: try await store.keepersWithoutStandIn().map(\.name).sorted(),
            secondsLeft: progress.isPaused ? nil : progress.secondsLeft(for: left),
            rate: store.mover.rate,
            problem: store.mover.problem
        )
    }

    func control(_ action: MovesAction) async throws(AdminError) -> MovesReport {
        switch action {
        case .pause:
            store.mover.pause()
            try await keepMoves()
        case .resume:
            store.mover.resume()
            try await keepMoves()
        case .cancel:
            do throws(DiskChangeError) {
                _ = try await store.cancelMoves()
            } catch {
                throw AdminError(error)
            }
        }
        return try await moves()
    }

    private func keepMoves() async throws(AdminError) {
        guard await store.mover.keep() else { throw .notKept(store.mover.problem) }
    }

    func setRepairRate(_ change: RepairRateChange) async throws(AdminError) -> RepairReport {
        let budget = store.repairer.budget
        let (disk, wan) = (change.disk ?? budget.rates.disk, change.wan ?? budget.rates.wan ?? 0)
        budget.set(RepairRates(disk: disk, wan: wan > 0 ? wan : nil))
        return try await status().repair
    }

    func pauseRepair(for seconds: Int?) async throws(AdminError) -> RepairReport {
        store.pauseRepair(for: seconds.map { .seconds($0) })
        return try await keptRepair()
    }

    func resumeRepair() async throws(AdminError) -> RepairReport {
        store.resumeRepair()
        return try await keptRepair()
    }

    private func keptRepair() async throws(AdminError) -> RepairReport {
        guard await store.repairer.hold.keep() else { throw .notKept(store.repairer.hold.problem) }
        return try await status().repair
    }
}

extension AdminError {
    /// An operator's word that holds, and could not be made durable.
    static func notKept(_ problem: String) -> Self {
        AdminError(
            .failed,
            "that holds from now on, but it could not be written down: \(problem)",
            advice: "See to the room and the disk of the data folder: a restart now would forget it."
        )
    }

    init(_ error: DiskChangeError) {
        if case .weakens(let classes) = error {
            let lower = classes.map(MovePlanReport.Outlook.init)
            self.init(.conflict, MovesText.refusal(lower), advice: MovesText.refusalAdvice)
            return
        }
        let code: Code =
            switch error {
            case .noSuchDisk, .noSuchNode: .notFound
            case .nothingToAdd, .notEmpty, .noRoom, .weakens, .isMoving, .notMoving, .isLacking, .busy: .conflict
            case .failed: .failed
            }
        self.init(code, error.description)
    }
}

extension MovePlanReport.Outlook {
    init(_ outlook: ClassOutlook) {
        self.init(
            name: outlook.name,
            now: LossAssembly.report(outlook.now),
            then: LossAssembly.report(outlook.then),
            isOfShardsAlone: outlook.isOfShardsAlone
        )
    }
}
