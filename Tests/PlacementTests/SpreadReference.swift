import ObjectModel
import Placement

/// How far apart the shards of a blob can lie, found by trying all sets of disks: for stores of ten disks at most.
struct SpreadReference: Hashable {
    var perSite: Int
    var perNode: [SiteName: Int]

    /// nil when there are too few disks.
    init?(shardCount: Int, disks: [PlacementDisk]) {
        guard let perSite = Self.smallestCrowd(shardCount, disks, \.site) else { return nil }
        self.perSite = perSite
        perNode = Dictionary(grouping: disks, by: \.site).mapValues { disks in
            Self.smallestCrowd(min(perSite, disks.count), disks, \.node) ?? 0
        }
    }

    /// Of all ways to choose so many disks, that with which the most in one domain are the fewest.
    private static func smallestCrowd<Domain: Hashable>(
        _ count: Int,
        _ disks: [PlacementDisk],
        _ domain: (PlacementDisk) -> Domain
    ) -> Int? {
        let chosen = LayoutHarness.subsets(of: Array(disks.indices)).filter { $0.count == count }
        return chosen.map { Dictionary(grouping: $0) { domain(disks[$0]) }.values.map(\.count).max() ?? 0 }.min()
    }

    func holds(_ members: [PlacementDisk]) -> Bool {
        let sites = Dictionary(grouping: members, by: \.site)
        let nodes = Dictionary(grouping: members, by: \.node)
        return sites.values.allSatisfy { $0.count <= perSite }
            && nodes.values.allSatisfy { $0.count <= perNode[$0[0].site, default: 0] }
    }

    /// Whether a disk may come to `others`: its site and its node then hold no more than they may, or than they did
    /// when the disk that goes was there.
    func allows(_ new: PlacementDisk, beside others: [PlacementDisk], insteadOf old: PlacementDisk?) -> Bool {
        let site = others.count { $0.site == new.site } + 1
        let node = others.count { $0.node == new.node } + 1
        return (site <= perSite || old?.site == new.site)
            && (node <= perNode[new.site, default: 0] || old?.node == new.node)
    }
}

/// Something that placement says and the reference does not.
struct Difference: Error, CustomStringConvertible {
    var description: String
}

func expect(_ holds: Bool, _ text: @autoclosure () -> String) throws {
    if !holds { throw Difference(description: text()) }
}
