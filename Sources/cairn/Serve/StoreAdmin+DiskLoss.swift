import AdminGateway
import Coordination
import Metadata
import ObjectModel
import Placement

/// What giving up a disk would come to.
extension StoreAdmin {
    func planReplacement(ofDisk name: String, isForced: Bool) async throws(AdminError) -> DiskLossReport {
        try await report(ofDisk: name, isForced: isForced, isReplaced: true, store.planReplacement)
    }

    func planRetirement(ofDisk name: String, isForced: Bool) async throws(AdminError) -> DiskLossReport {
        try await report(ofDisk: name, isForced: isForced, isReplaced: false, store.planRetirement)
    }

    /// Of the slot, its node, whether it is forced, and bytes a second.
    private typealias Plan = (String, NodeName, Bool, Int) async throws(DiskReplacementError) -> DiskLossPlan

    private func report(
        ofDisk name: String,
        isForced: Bool,
        isReplaced: Bool,
        _ plan: Plan
    ) async throws(AdminError) -> DiskLossReport {
        let disk = try await disk(named: name)
        do throws(DiskReplacementError) {
            let plan = try await plan(disk.record.slot, disk.record.node, isForced, LossAssembly.usualRate)
            return Self.report(plan, of: disk, isReplaced: isReplaced)
        } catch {
            throw AdminError(error)
        }
    }

    private static func report(_ plan: DiskLossPlan, of disk: StoreDiskStatus, isReplaced: Bool) -> DiskLossReport {
        DiskLossReport(
            disk: plan.disk.name,
            path: disk.path,
            isReplaced: isReplaced,
            groupsMoved: plan.groupsMoved,
            groupsLeft: plan.groupsLeft,
            bytes: plan.rebuild.bytesToRebuild,
            bytesBelowK: plan.rebuild.bytesBelowK,
            megabytesPerSecond: LossAssembly.usualRate / LossAssembly.megabyte,
            seconds: plan.rebuild.rebuildSeconds,
            riskMeanwhile: plan.rebuild.riskMeanwhile,
            classes: plan.classes.map { item in
                DiskLossReport.Class(
                    name: item.name,
                    meanwhile: LossAssembly.report(item.meanwhile),
                    then: LossAssembly.report(item.then)
                )
            },
            journal: plan.journal.map(LossAssembly.report),
            journalThen: plan.journalThen.map(LossAssembly.report),
            refusal: plan.refusal?.description
        )
    }
}
