internal import ClusterProtocol
internal import Metadata
package import ObjectModel
import Synchronization
internal import SystemInterface

/// A disk that a node was given and that is not in use.
package struct UnusedDisk: Hashable, Sendable {
    package enum Kind: Hashable, Sendable {
        /// Empty, or formatted for this store and never in use: `addDisks` takes it.
        case new
        /// Emptied, given up or replaced.
        case retired
        /// Another store's, or one that belongs in another slot.
        case foreign
        case unusable
    }

    package var site: SiteName
    package var node: NodeName
    package var slot: String
    /// Where it lies on its node.
    package var path: String
    package var kind: Kind
    /// What it is, for people.
    package var reason: String

    var place: SlotPlace { SlotPlace(node: node, slot: slot) }

    /// `SITE/NODE/SLOT`.
    var name: String { "\(site)/\(node)/\(slot)" }
}

extension Store {
    /// How often all slots are looked at, though no disk is away: something may have been mounted, or a node begun
    /// with more disks.
    static let slotInterval = Duration.seconds(60)

    /// At a start, and from time to time.
    func watchSlots() async {
        await lookAtSlots()
        await every(Self.slotInterval) { await self.lookAtSlots() }
    }

    /// Looks what nodes that answer have in the slots of which no disk is in use.
    package func lookAtSlots() async {
        let nodes = members.withLock { $0.keys.sorted() }.filter { !isSilent($0) }
        _ = await ask(nodes) { node in try? await self.survey(node) }
    }

    /// Remembers the disks that are not in use, of a node that was just looked at, and tells of each once.
    func noteUnused(_ slots: [SlotReport], of node: NodeName) async {
        guard let site = members.withLock({ $0[node]?.site }), let records = try? await metadata.disks() else { return }
        let taken = Set(records.filter(\.isInUse).map(\.place)).union(served.withLock { $0.values.map(\.place) })
        let byID = Dictionary(records.map { ($0.id, $0) }, uniquingKeysWith: { first, _ in first })
        let found = slots.filter { !taken.contains(SlotPlace(node: node, slot: $0.slot)) }.map { slot in
            let (kind, reason) = judge(slot.finding, byID)
            return UnusedDisk(site: site, node: node, slot: slot.slot, path: slot.path, kind: kind, reason: reason)
        }
        let known = unused.withLock { unused in
            defer { unused[node] = found }
            return Set(unused[node] ?? [])
        }
        for disk in found where disk.kind != .new && !known.contains(disk) { events.note(.diskUnused(disk)) }
    }

    private func judge(_ finding: SlotReport.Finding, _ records: [DiskID: DiskRecord]) -> (UnusedDisk.Kind, String) {
        switch finding {
        case .empty: return (.new, "its folder is empty: it is new, or not mounted")
        case .occupied(let what): return (.unusable, "no disk is in its folder, which holds \(what)")
        case .unusable(let reason): return (.unusable, reason)
        case .disk(let owner, let id):
            guard owner == cluster else { return (.foreign, "it belongs to another store, \(owner)") }
            guard let record = records[id] else { return (.new, "it was formatted for this store and never in use") }
            guard record.isInUse else { return (.retired, "it was emptied, given up or replaced") }
            return (.foreign, "it is the disk of \(record.name), or a copy of it")
        }
    }
}
