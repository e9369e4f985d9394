package import ObjectModel

/// Which disks keep the journal (DESIGN §7): N = 2f + 1 of them, f being the keepers that the scheme promises to
/// survive losing at once, spread like its shards.
package struct KeeperPlan: Sendable {
    private let disks: [PlacementDisk]
    /// N; odd, or 0 when there are no disks.
    package let count: Int
    /// What N would have to be for the scheme's promise, however many disks there are.
    package let needed: Int

    /// Among equally good disks those that come first in `disks` are taken.
    package init(scheme: Scheme, disks: [PlacementDisk]) {
        self.disks = disks
        let wanted = Self.wanted(scheme: scheme, disks: disks)
        count = Self.odd(min(wanted.possible, disks.count))
        needed = Self.odd(wanted.needed)
    }

    /// The plan of the scheme that promises most. nil when there is none.
    package init?(schemes: some Collection<Scheme>, disks: [PlacementDisk]) {
        guard let strongest = schemes.map({ Self(scheme: $0, disks: disks) }).max(by: { $0.count < $1.count }) else {
            return nil
        }
        self = strongest
    }

    private static func odd(_ count: Int) -> Int { count % 2 == 0 ? max(count - 1, 0) : count }

    /// On one site, f is the number of disks that may be lost: m. Of three sites and more, one may be lost together with
    /// e further disks, or any m disks: with p keepers at most in a site, N ≥ 2 · (p + e) + 1 and N ≥ 2 · m + 1 are
    /// enough. Two sites hold no majority without one of them.
    private static func wanted(scheme: Scheme, disks: [PlacementDisk]) -> (needed: Int, possible: Int) {
        let any = 2 * scheme.parityCount + 1
        let bySite = Dictionary(grouping: disks, by: \.site).mapValues(\.count)
        let sites = bySite.count
        guard sites >= 3, let rule = SpreadRule(shardCount: scheme.shardCount, disks: disks),
            rule.perSite <= scheme.parityCount
        else { return (any, any) }
        let further = scheme.parityCount - rule.perSite
        let even = max((2 * further + 1 + sites - 3) / (sites - 2), (any + sites - 1) / sites)
        // Where a site has fewer disks than that, the others may do with more.
        let largest = bySite.values.max() ?? 0
        for perSite in even...max(even, largest) {
            let enough = max(any, 2 * (perSite + further) + 1)
            if bySite.values.reduce(0, { $0 + min($1, perSite) }) >= enough { return (enough, enough) }
        }
        // No site may hold more than its share, or losing it would lose more than p.
        return (sites * even, sites * min(even, bySite.values.min() ?? 0))
    }

    /// The keepers of a store that begins.
    package var members: [DiskID] {
        var chosen: [DiskID] = []
        while chosen.count < count, let next = next(besides: chosen, among: { _ in true }) { chosen.append(next) }
        return chosen
    }

    /// The disk that a keeper set gains most from: of the site, and there of the node, that has the fewest keepers.
    package func next(besides keepers: [DiskID], among isCandidate: (DiskID) -> Bool) -> DiskID? {
        var sites: [SiteName: Int] = [:]
        var nodes: [NodeName: Int] = [:]
        for disk in disks where keepers.contains(disk.id) {
            sites[disk.site, default: 0] += 1
            nodes[disk.node, default: 0] += 1
        }
        let candidates = disks.filter { !keepers.contains($0.id) && isCandidate($0.id) }
        return candidates.min { left, right in
            let site = (sites[left.site, default: 0], sites[right.site, default: 0])
            if site.0 != site.1 { return site.0 < site.1 }
            return nodes[left.node, default: 0] < nodes[right.node, default: 0]
        }?.id
    }
}

extension LossPlan.Keepers {
    /// Those of a plan, all of them whole.
    package init(_ plan: KeeperPlan) {
        let members = plan.members
        self.init(all: members, needed: members.count / 2 + 1)
    }
}
