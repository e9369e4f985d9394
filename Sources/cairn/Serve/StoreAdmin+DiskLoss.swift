import AdminGateway
import Coordination
import Metadata
import Placement

/// What giving up a disk would come to.
extension StoreAdmin {
    func planReplacement(ofDisk name: String, isForced: Bool) async throws(AdminError) -> DiskLossReport {
        let disk = try await disk(named: name)
        do throws(DiskReplacementError) {
            let plan = try await store.planReplacement(
                inSlot: disk.record.slot,
                of: disk.record.node,
                isForced: isForced,
                bytesPerSecond: LossAssembly.usualRate
            )
            return Self.report(plan, of: disk, isReplaced: true)
        } catch {
            throw AdminError(error)
        }
    }

    func planRetirement(ofDisk name: String, isForced: Bool) async throws(AdminError) -> DiskLossReport {
        let disk = try await disk(named: name)
        do throws(DiskReplacementError) {
            let plan = try await store.planRetirement(
                inSlot: disk.record.slot,
                of: disk.record.node,
                isForced: isForced,
                bytesPerSecond: LossAssembly.usualRate
            )
            return Self.report(plan, of: disk, isReplaced: false)
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
