import AdminGateway

extension MemoryService {
    func examine() async throws(AdminError) -> StoreExamination {
        var examination = StoreExamination.sample()
        examination.status = try await status()
        return examination
    }

    func planLoss(_ question: LossQuestion) async throws(AdminError) -> LossPlanReport {
        let lost = try LossTarget.disks(question.targets, among: try await status().disks)
        var report = LossPlanReport.sample()
        report.lost = lost.map(\.place)
        report.megabytesPerSecond = question.megabytesPerSecond
        return report
    }
}

extension OutcomeReport {
    /// Twelve groups, `degraded` and `belowK` of them.
    static func sample(degraded: Int = 0, belowK: Int = 0, writes: Writes = .full) -> Self {
        OutcomeReport(
            groups: 12,
            whole: 12 - degraded - belowK,
            degraded: degraded,
            belowK: belowK,
            fullWrites: writes == .full ? 12 : 0,
            degradedWrites: writes == .degraded ? 12 : 0,
            noWrites: writes == .refused ? 12 : 0,
            writes: writes
        )
    }
}

extension DurabilityReport {
    static var sample: Self {
        DurabilityReport(
            ninesByDisks: 8.79,
            nines: 3,
            diskFailuresPerYear: 0.015,
            repairHours: 24,
            siteLossPerYear: 0.001
        )
    }
}

extension ProtectionReport {
    /// A server of six disks, rs-4-2, of which so many are left to spare.
    static func sample(spares: Int = 2) -> Self {
        ProtectionReport(disks: max(0, spares), nodes: 0, sites: 0, spares: spares, sparesWithoutSite: -4)
    }
}

extension StoreExamination {
    /// `StatusReport.sample`, looked into.
    static func sample() -> Self {
        StoreExamination(
            status: .sample(),
            now: .sample(),
            protection: .sample(),
            journal: .sample(),
            durability: .sample
        )
    }

    /// Disks of these slots are missing.
    mutating func lose(_ slots: Int...) {
        for slot in slots {
            status.disks[slot].state = .missing
            reasons[status.disks[slot].id] =
                "its folder was emptied: bring it back, or run `cairn admin disk replace \(slot)`"
        }
        let spares = 2 - slots.count
        status.groups.fewestSpares = spares
        if spares < 0 { status.groups.unreadable = status.groups.total }
        protection = .sample(spares: spares)
        let writes: OutcomeReport.Writes = spares > 0 ? .full : .refused
        now = spares < 0 ? .sample(belowK: 12, writes: writes) : .sample(degraded: 12, writes: writes)
    }
}

extension LossPlanReport {
    /// One disk of six.
    static func sample() -> Self {
        LossPlanReport(
            lost: ["default/n1/3"],
            away: [],
            before: .sample(),
            after: .sample(degraded: 12),
            protectionBefore: .sample(),
            protectionAfter: .sample(spares: 1),
            journalBefore: .sample(),
            journalAfter: .sample(spares: 1),
            keepers: 5,
            keepersLeft: 4,
            keepersNeeded: 3,
            mayLoseChanges: false,
            bytesToRebuild: 990_000_000_000,
            bytesBelowK: 0,
            groupsWithoutStandIn: 12,
            megabytesPerSecond: 30,
            rebuildSeconds: 33_000,
            riskMeanwhile: 1.0 / 4_000_000,
            durability: .sample,
            isComplete: true
        )
    }
}
