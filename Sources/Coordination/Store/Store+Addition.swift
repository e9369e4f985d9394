internal import BlobStorage
internal import ClusterProtocol
package import Metadata
package import ObjectModel
internal import Placement
import Synchronization

/// What adding disks would come to.
package struct DiskAdditionPlan: Sendable {
    /// Those that would be taken, as they would be known but for their ids.
    package var added: [DiskRecord]
    /// Bytes that each of them is taken to hold: nobody has looked.
    package var capacity: Int
    /// What would then be moved to even all disks out.
    package var moves: MovePlan
}

extension Store {
    /// What `addDisks`, and evening out after it, would do, without doing any of it. Reads every live blob's record.
    package func planAddition(
        of node: NodeName,
        slot: String? = nil
    ) async throws(DiskChangeError) -> DiskAdditionPlan {
        let added = try await newDisks(of: node, slot)
        guard !added.isEmpty else { throw .nothingToAdd(node.name) }
        return DiskAdditionPlan(
            added: added,
            capacity: await capacities().values.min() ?? 0,
            moves: try await plan(.even, adding: added)
        )
    }

    /// The disks that `addDisks` would take, with ids that no disk has: real ones are random.
    private func newDisks(of node: NodeName, _ slot: String?) async throws(DiskChangeError) -> [DiskRecord] {
        guard let member = members.withLock({ $0[node] }) else { throw .noSuchNode(node.name) }
        do {
            let known = try await metadata.disks()
            // Nothing is noted of what is found: a question changes nothing.
            let slots = Self.idle(try await calls.survey(node), of: node, slot, known)
            try checkVacant(slots, of: node)
            return slots.filter { isNew($0.finding, known) }.enumerated().map { number, report in
                DiskRecord(
                    id: DiskID(Identifier128(high: .max, low: UInt64(number))),
                    site: member.site,
                    node: node,
                    slot: report.slot,
                    state: .active,
                    epoch: 1
                )
            }
        } catch let error as DiskChangeError {
            throw error
        } catch {
            throw .failed("\(error)")
        }
    }

    /// Refuses slots that hold something: formatting would, with some disks added before it and some not.
    func checkVacant(_ slots: [SlotReport], of node: NodeName) throws(DiskChangeError) {
        for slot in slots {
            if case .occupied(let what) = slot.finding { throw .notEmpty("\(node)/\(slot.slot)", what) }
        }
    }

    /// Whether a slot has an empty disk, or one that was formatted for this store and never in use.
    func isNew(_ finding: SlotReport.Finding, _ known: [DiskRecord]) -> Bool {
        switch finding {
        case .unusable, .occupied: false
        case .empty: true
        case .disk(let owner, let disk): owner == cluster && !known.contains { $0.id == disk }
        }
    }
}
