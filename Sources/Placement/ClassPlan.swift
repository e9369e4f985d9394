package import ObjectModel

/// What a storage class of a scheme would be on the disks of a cluster: its groups, and what they survive.
package struct ClassPlan: Sendable {
    /// Why a class cannot hold its promise.
    package enum Refusal: Error, Hashable, Sendable, CustomStringConvertible {
        /// `emptied`: others that work, and are being emptied.
        case tooFewDisks(usable: Int, scheme: Scheme, emptied: Int = 0)
        /// With the journal's keepers gone the store would stop before the class's blobs are lost.
        case tooFewKeepers(possible: Int, needed: Int, scheme: Scheme)

        package var description: String {
            switch self {
            case .tooFewDisks(let usable, let scheme, let emptied):
                "\(scheme) needs \(scheme.shardCount) disks that work, and there are \(usable)"
                    + (emptied > 0 ? ": \(emptied) more \(emptied == 1 ? "is" : "are") being emptied" : "")
            case .tooFewKeepers(let possible, let needed, let scheme):
                """
                the journal would need \(needed) keepers, on disks of their own and spread over the sites, to survive \
                what \(scheme) promises to survive, and these disks allow \(possible)
                """
            }
        }
    }

    package let scheme: Scheme
    /// Groups that have to be made: none when the scheme has some.
    package let added: [ClusterMap.Group]
    /// The groups that the class would use, on all disks of the map.
    package let layout: StoreLayout
    /// What its blobs survive, by the disks of the map.
    package let survival: Survival
    /// Keepers that the journal has to have for it, and what it survives with them.
    package let keepers: Int
    package let journal: Survival?

    /// `usable`: disks that may get groups. `emptied`: how many others work and are being emptied. `capacities`: bytes
    /// that each can hold; without any all hold the same. `next`: the lowest number that no group has.
    package init(
        _ scheme: Scheme,
        map: ClusterMap,
        usable: Set<DiskID>,
        emptied: Int = 0,
        capacities: [DiskID: Int] = [:],
        next: UInt32
    ) throws(Refusal) {
        let disks = map.disks.values.filter { usable.contains($0.id) }.sorted { $0.id < $1.id }.map { disk in
            PlacementDisk(
                id: disk.id,
                site: disk.site,
                node: disk.node,
                weight: Double(max(1, capacities[disk.id] ?? 1))
            )
        }
        guard let planner = GroupPlanner(scheme: scheme, disks: disks) else {
            throw .tooFewDisks(usable: disks.count, scheme: scheme, emptied: emptied)
        }
        let keeperPlan = KeeperPlan(scheme: scheme, disks: disks)
        guard keeperPlan.count >= keeperPlan.needed else {
            throw .tooFewKeepers(possible: keeperPlan.count, needed: keeperPlan.needed, scheme: scheme)
        }
        let present = map.groups.values.filter { $0.scheme == scheme }.sorted { $0.id < $1.id }
        added = present.isEmpty ? planner.groups(from: next) : []
        let layout = StoreLayout(groups: present + added, disks: map.disks)
        guard let survival = Survival(layout) else {
            throw .tooFewDisks(usable: disks.count, scheme: scheme, emptied: emptied)
        }
        self.scheme = scheme
        self.layout = layout
        self.survival = survival
        keepers = keeperPlan.count
        journal = Survival(LossPlan.Keepers(keeperPlan.members), on: map.disks)
    }
}
