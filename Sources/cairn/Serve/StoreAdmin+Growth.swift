import AdminGateway
import BlobStorage
import Coordination
import DiskFormat
import Metadata
import ObjectInterface
import ObjectModel
import Placement

/// What the store would be with more disks.
extension StoreAdmin {
    func planGrowth(_ question: GrowthQuestion) async throws(AdminError) -> GrowthPlanReport {
        let supposed = question.nodeNames.map { name in
            SupposedNode(
                site: SiteName(question.site),
                node: NodeName(name),
                disks: question.disks,
                capacity: question.size
            )
        }
        let plan: GrowthPlan
        let records: [DiskRecord]
        do throws(DiskChangeError) {
            (plan, records) = try await store.planGrowth(supposed)
        } catch {
            throw AdminError(error)
        }
        let isNewNode = try Self.isNew(supposed, among: records)
        do {
            let status = try await store.status()
            let away = status.disks.filter { !$0.isServed && $0.record.isInUse }
            return GrowthPlanReport(
                question: question,
                isNewSite: !records.contains { $0.site.name == question.site },
                isNewNode: isNewNode,
                places: plan.moves.count,
                bytes: plan.bytesMoved,
                idealShare: plan.idealShare,
                seconds: plan.seconds(
                    bytesPerSecond: question.megabytesPerSecond * Self.megabyte,
                    totalPerSecond: Mover.defaultRate
                ),
                totalRate: Mover.defaultRate,
                disks: Self.disks(plan, records, question),
                capacityBefore: Self.capacity(plan.before),
                capacityAfter: Self.capacity(plan.after),
                classes: try await classes(plan, status),
                missingShards: try await store.metadata.missingShardCount(),
                away: away.map(\.record.name).sorted()
            )
        } catch {
            throw adminError(error)
        }
    }

    private static let megabyte = 1_000_000

    /// Whether the nodes are not there yet. A node's name stands for one node in one site.
    private static func isNew(_ supposed: [SupposedNode], among records: [DiskRecord]) throws(AdminError) -> Bool {
        var isNew = true
        for node in supposed {
            guard let known = records.first(where: { $0.node == node.node }) else { continue }
            guard known.site == node.site else {
                throw AdminError(
                    .badRequest,
                    "node \(node.node) stands in site \(known.site), not in \(node.site)",
                    advice: "Give that site, or the name of a new node."
                )
            }
            isNew = false
        }
        return isNew
    }

    private static func disks(
        _ plan: GrowthPlan,
        _ records: [DiskRecord],
        _ question: GrowthQuestion
    ) -> [MovePlanReport.Disk] {
        let names = Dictionary(
            records.map { ($0.id, $0.name) },
            uniquingKeysWith: { first, _ in first }
        )
        var number = 0
        return plan.after.disks.map { disk in
            if names[disk.id] == nil { number += 1 }
            return MovePlanReport.Disk(
                name: names[disk.id] ?? "\(disk.site)/\(disk.node)/new-\((number - 1) % question.disks + 1)",
                before: plan.before.bytes[disk.id] ?? 0,
                after: plan.after.bytes[disk.id] ?? 0
            )
        }
    }

    private static func capacity(_ state: GrowthPlan.State) -> Int { Int(state.disks.reduce(0) { $0 + $1.weight }) }

    /// The journal takes keepers on new disks by itself.
    private func classes(_ plan: GrowthPlan, _ status: StoreStatus) async throws -> [ClassGrowth] {
        let set = status.journal.keepers
        let before = LossPlan.Keepers(set.keepers)
        let settled =
            KeeperPlan(schemes: store.blobs.view.schemes, disks: plan.after.disks)?.settled(from: set.keepers)
            ?? set.keepers
        let journal = (
            before: plan.before.survival(of: before).map(LossAssembly.report),
            after: plan.after.survival(of: LossPlan.Keepers(settled)).map(LossAssembly.report)
        )
        let standard = store.blobs.view.standardScheme.map { StorageClass(name: StorageClass.standard, scheme: $0) }
        return ((standard.map { [$0] } ?? []) + (try await store.metadata.classes())).map { item in
            ClassGrowth(
                name: item.name,
                scheme: item.scheme.name,
                survivesBefore: plan.before.survival(of: item.scheme)
                    .map { LossAssembly.report($0).limited(by: journal.before) },
                survivesAfter: plan.after.survival(of: item.scheme)
                    .map { LossAssembly.report($0).limited(by: journal.after) },
                roomBefore: plan.before.room(for: item.scheme),
                roomAfter: plan.after.room(for: item.scheme)
            )
        }
    }
}
