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

    /// On one site, f is the number of disks that may be lost: m. Of three sites and more, one may be lost together
    /// with e further disks, or any m disks: with p keepers at most in a site, N ≥ 2 · (p + e) + 1 and N ≥ 2 · m + 1
    /// are enough. Two sites hold no majority without one of them.
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

// A set that has become worse spread than the disks would allow: keepers were chosen while others were away.
extension KeeperPlan {
    /// A keeper and the disk that is to come in its place.
    package struct Exchange: Hashable, Sendable {
        package var leaving: DiskID
        package var joining: DiskID
    }

    /// The exchange of one keeper that evens the set out most, over sites first and over nodes then; nil where none
    /// evens it out at all, so that a set which is as even as it can be stays. Keepers on disks that are not the plan's
    /// stay as well.
    package func exchange(in keepers: [DiskID], among isCandidate: (DiskID) -> Bool) -> Exchange? {
        let members = disks.filter { keepers.contains($0.id) }
        let sites = Dictionary(grouping: members, by: \.site).mapValues(\.count)
        let nodes = Dictionary(grouping: members, by: NodePlace.init).mapValues(\.count)
        let leavings = Self.onePerNode(members)
        var best: (exchange: Exchange, gain: (sites: Int, nodes: Int))?
        for joining in Self.onePerNode(disks.filter { !keepers.contains($0.id) && isCandidate($0.id) }) {
            for leaving in leavings {
                let gain = (
                    sites: Self.gain(from: leaving.site, to: joining.site, sites),
                    nodes: Self.gain(from: NodePlace(leaving), to: NodePlace(joining), nodes)
                )
                guard gain > (best?.gain ?? (0, 0)) else { continue }
                best = (Exchange(leaving: leaving.id, joining: joining.id), gain)
            }
        }
        return best?.exchange
    }

    /// Disks of a node are alike.
    private static func onePerNode(_ disks: [PlacementDisk]) -> [PlacementDisk] {
        var seen: Set<NodePlace> = []
        return disks.filter { seen.insert(NodePlace($0)).inserted }
    }

    /// By how much the sum of the squares of `counts` falls, halved: the more alike the counts the smaller it is.
    private static func gain<Place: Hashable>(from old: Place, to new: Place, _ counts: [Place: Int]) -> Int {
        old == new ? 0 : counts[old, default: 0] - counts[new, default: 0] - 1
    }

    /// What a set comes to while all disks serve: filled up to the plan's number, then evened out.
    package func settled(from keepers: [DiskID]) -> [DiskID] {
        var settled = keepers
        while settled.count < count, let next = next(besides: settled, among: { _ in true }) { settled.append(next) }
        while let exchange = exchange(in: settled, among: { _ in true }) {
            settled.removeAll { $0 == exchange.leaving }
            settled.append(exchange.joining)
        }
        return settled
    }
}

extension LossPlan.Keepers {
    /// All of them whole, and more than half of them needed.
    package init(_ all: [DiskID]) { self.init(all: all, needed: all.count / 2 + 1) }
}
