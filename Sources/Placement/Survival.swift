package import ObjectModel

/// What a layout, or the journal, survives: that many losses at once, whichever they are, and every blob can still be
/// read.
package struct Survival: Hashable, Sendable {
    /// Disks, nodes, or whole sites. Each number holds for itself, not on top of the others.
    package let disks: Int
    package let nodes: Int
    package let sites: Int
    /// Shards beyond k that the worst blob has now; below zero: shards it is short of.
    package let spares: Int
    /// The same after the loss of the one site that hurts most: so many disks more may then go.
    package let sparesWithoutSite: Int

    /// Every blob has k shards.
    package var isReadable: Bool { spares >= 0 }

    /// nil when there are no groups. `lost` are gone already.
    package init?(_ layout: StoreLayout, without lost: Set<DiskID> = []) {
        let all = layout.layouts.map { Self(layout.holders(of: $0, without: lost), needed: $0.group.scheme.dataCount) }
        guard let first = all.first else { return nil }
        self = all.dropFirst().reduce(first) { $0.worse($1) }
    }

    /// What the journal survives: that many losses, and J keepers are left, without which nothing can be read either.
    /// nil without keepers. `lost` are gone already, as those that are silent.
    package init?(_ keepers: LossPlan.Keepers, on disks: [DiskID: PlacementDisk], without lost: Set<DiskID> = []) {
        guard !keepers.all.isEmpty else { return nil }
        let left = keepers.all.filter { !lost.contains($0) && !keepers.silent.contains($0) }
        self.init(left.compactMap { disks[$0] }, needed: keepers.needed)
    }

    /// Of one blob whose shards are on `holders`, or of the journal, which needs keepers as a blob needs shards.
    private init(_ holders: [PlacementDisk], needed: Int) {
        spares = holders.count - needed
        let sites = Self.counts(holders, by: \.site)
        disks = Self.bearable(Self.counts(holders, by: \.id), spares: spares)
        nodes = Self.bearable(Self.counts(holders, by: NodePlace.init), spares: spares)
        self.sites = Self.bearable(sites, spares: spares)
        sparesWithoutSite = spares - (sites.first ?? 0)
    }

    private init(disks: Int, nodes: Int, sites: Int, spares: Int, sparesWithoutSite: Int) {
        self.disks = disks
        self.nodes = nodes
        self.sites = sites
        self.spares = spares
        self.sparesWithoutSite = sparesWithoutSite
    }

    /// What is survived where the journal has to go on as well.
    package func limited(by journal: Self?) -> Self { journal.map(worse) ?? self }

    /// Whether fewer losses are survived than `other` says, of anything that may be lost at all.
    package func isLess(than other: Self) -> Bool {
        disks < other.disks || nodes < other.nodes || sites < other.sites
            || (other.sites > 0 && sparesWithoutSite < other.sparesWithoutSite)
    }

    /// A store survives what each of its blobs survives.
    private func worse(_ other: Self) -> Self {
        Self(
            disks: min(disks, other.disks),
            nodes: min(nodes, other.nodes),
            sites: min(sites, other.sites),
            spares: min(spares, other.spares),
            sparesWithoutSite: min(sparesWithoutSite, other.sparesWithoutSite)
        )
    }

    /// Shards by place, most first.
    private static func counts(_ holders: [PlacementDisk], by place: (PlacementDisk) -> some Hashable) -> [Int] {
        Dictionary(grouping: holders, by: place).values.map(\.count).sorted(by: >)
    }

    /// How many places may go, whichever: those with most shards go first.
    private static func bearable(_ counts: [Int], spares: Int) -> Int {
        var lost = 0
        for (number, count) in counts.enumerated() {
            lost += count
            if lost > spares { return number }
        }
        return spares < 0 ? 0 : counts.count
    }
}
