package import ObjectModel

/// How a store would be without some of its disks.
package struct LossOutcome: Hashable, Sendable {
    /// What a client's write would meet.
    package enum Writes: Sendable, Hashable, CaseIterable {
        /// Acknowledged at the scheme's quorum, and outside every single site where the groups are laid out so.
        case full
        /// Acknowledged with fewer shards, at k + 1 at least.
        case degraded
        case refused
    }

    /// Placement groups by their worst blob; `total` is the sum of the three.
    package var total = 0
    /// Every shard is there.
    package var whole = 0
    /// Readable, with shards missing.
    package var degraded = 0
    /// Some blob has fewer than k shards: it cannot be read until disks are back.
    package var belowK = 0
    /// Placement groups by the writes they take; the three sum up to `total` as well, but for closed groups: nothing is
    /// written there.
    package var fullWrites = 0
    package var degradedWrites = 0
    package var noWrites = 0
    /// What the store as a whole would do with a write: the best groups of its scheme are chosen. Of several schemes
    /// the one that does worst counts: a client may want just that.
    package var writes = Writes.refused

    /// `lost` are gone; `full` are read, and take nothing new.
    package init(_ layout: StoreLayout, without lost: Set<DiskID>, full: Set<DiskID> = []) {
        let damaged = Dictionary(grouping: layout.damaged, by: \.group.id)
        var best: [Scheme: (usable: Int, writes: Writes)] = [:]
        for group in layout.groups {
            let fewest =
                ([ShardLayout(group: group)] + damaged[group.id, default: []])
                .map { layout.holders(of: $0, without: lost).count }.min() ?? 0
            count(fewest, of: group)
            guard !layout.closed.contains(group.scheme) else { continue }
            let usable = layout.holders(of: ShardLayout(group: group), without: lost.union(full))
            let taken = Self.writes(of: group, on: usable, disks: layout.disks)
            count(taken)
            // The store chooses by the number of usable members alone (`GroupChooser`): where the choice is among
            // several such groups, the worst of them is what a client may meet.
            let known = best[group.scheme, default: (0, .refused)]
            let isBetter = usable.count > known.usable || (usable.count == known.usable && taken == .degraded)
            best[group.scheme] = taken != .refused && isBetter ? (usable.count, taken) : known
        }
        let found = best.values.map(\.writes)
        writes = Writes.allCases.last { found.contains($0) } ?? .refused
    }

    private mutating func count(_ present: Int, of group: ClusterMap.Group) {
        total += 1
        switch present {
        case group.scheme.shardCount...: whole += 1
        case group.scheme.dataCount...: degraded += 1
        default: belowK += 1
        }
    }

    private mutating func count(_ writes: Writes) {
        switch writes {
        case .full: fullWrites += 1
        case .degraded: degradedWrites += 1
        case .refused: noWrites += 1
        }
    }

    /// What a group takes while these of its members can be written to (DESIGN §4).
    package static func writes(
        of group: ClusterMap.Group,
        on usable: [PlacementDisk],
        disks: [DiskID: PlacementDisk]
    ) -> Writes {
        guard usable.count >= group.scheme.degradedQuorum else { return .refused }
        guard usable.count >= group.scheme.writeQuorum else { return .degraded }
        // Site-safe where the whole group leaves k + 1 shards outside each of its sites.
        let all = group.members.compactMap { disks[$0] }
        let isSiteSafe =
            all.count == group.members.count && Set(all.map(\.site)).count > 1
            && all.count - largestSite(all) >= group.scheme.degradedQuorum
        guard isSiteSafe else { return .full }
        return usable.count - largestSite(usable) >= group.scheme.degradedQuorum ? .full : .degraded
    }

    private static func largestSite(_ disks: [PlacementDisk]) -> Int {
        Dictionary(grouping: disks, by: \.site).values.map(\.count).max() ?? 0
    }
}
