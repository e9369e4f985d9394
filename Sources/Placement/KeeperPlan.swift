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
        let promise = Promise(scheme, disks)
        (count, needed) = promise.plan(Dictionary(grouping: disks, by: \.site).values.map(\.count))
    }

    /// The plan of the scheme that promises most. nil when there is none.
    package init?(schemes: some Collection<Scheme>, disks: [PlacementDisk]) {
        guard let strongest = schemes.map({ Self(scheme: $0, disks: disks) }).max(by: { $0.count < $1.count }) else {
            return nil
        }
        self = strongest
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

/// What a scheme promises to survive, and the journal with it.
private struct Promise {
    /// Disks that may be lost wherever they are: m.
    let disks: Int
    /// Disks that may be lost together with a whole site; nil when no site may be. Two sites hold no majority without
    /// one of them.
    let besideSite: Int?

    private var whole: (besideSite: Int, disks: Int) { (besideSite ?? 0, disks) }

    init(_ scheme: Scheme, _ all: [PlacementDisk]) {
        disks = scheme.parityCount
        let rule = SpreadRule(shardCount: scheme.shardCount, disks: all)
        let isSiteSafe = Set(all.map(\.site)).count >= 3 && rule.map { $0.perSite <= scheme.parityCount } ?? false
        besideSite = isSiteSafe ? rule.map { scheme.parityCount - $0.perSite } : nil
    }

    /// How much of it N keepers hold: with f = (N - 1) / 2 that may be lost, of which p stand in one site at most,
    /// f - p disks may go beside a site, and f wherever they are. A site comes first, then what may go beside it.
    private func kept(by keepers: Int, perSite: Int) -> (besideSite: Int, disks: Int) {
        let losses = (keepers - 1) / 2
        guard let besideSite else { return (0, min(losses, disks)) }
        return (max(-1, min(losses - perSite, besideSite)), min(losses, disks))
    }

    /// The fewest keepers that hold most of it on sites with so many disks, and what it would take for all of it.
    func plan(_ sites: [Int]) -> (count: Int, needed: Int) {
        var best: (count: Int, kept: (besideSite: Int, disks: Int)) = (0, (-1, -1))
        var perSite = 0
        for count in stride(from: 1, through: sites.reduce(0, +), by: 2) where best.kept < whole {
            // Keepers are spread evenly: where a site has fewer disks than its share, the others have more.
            while sites.reduce(0, { $0 + min($1, perSite) }) < count { perSite += 1 }
            let kept = kept(by: count, perSite: perSite)
            if kept > best.kept { best = (count, kept) }
        }
        guard best.kept < whole else { return (best.count, best.count) }
        return (best.count, max(needed(on: sites.count), best.count + 2))
    }

    /// N on sites with disks enough: N ≥ 2m + 1, and N ≥ 2 · (p + e) + 1 with e disks beside a site.
    private func needed(on sites: Int) -> Int {
        let any = 2 * disks + 1
        guard let besideSite else { return any }
        let even = max((2 * besideSite + 1 + sites - 3) / (sites - 2), (any + sites - 1) / sites)
        return max(any, 2 * (even + besideSite) + 1)
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

    /// What a set comes to once keepers that are to be empty have left it: each makes room for a stand-in while there
    /// is one. The plan is that of the disks that stay.
    package func settled(from keepers: [DiskID], emptying draining: Set<DiskID>) -> [DiskID] {
        var staying = keepers.filter { !draining.contains($0) }
        while staying.count < keepers.count, let next = next(besides: staying, among: { _ in true }) {
            staying.append(next)
        }
        return settled(from: staying)
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
