package import ObjectModel
internal import Placement

/// Where the process stands that reads: what is here need not come from elsewhere.
package struct Standpoint: Hashable, Sendable {
    package var site: SiteName
    package var node: NodeName

    package init(site: SiteName, node: NodeName) {
        self.site = site
        self.node = node
    }

    func distance(to disk: PlacementDisk) -> Distance {
        guard disk.site == site else { return .otherSite }
        return disk.node == node ? .ownNode : .ownSite
    }
}

/// How far a disk is from the process that reads, nearest first.
enum Distance: Int, Comparable {
    case ownNode
    case ownSite
    /// What is read from there crosses the WAN.
    case otherSite

    static func < (left: Distance, right: Distance) -> Bool { left.rawValue < right.rawValue }
}

/// How far the disks of a map are; empty where it makes no difference: it is not known where the process stands, or all
/// disks are in its site.
struct DistanceTable: Sendable {
    private let distances: [DiskID: Distance]

    init() { distances = [:] }

    init(from standpoint: Standpoint?, to disks: [DiskID: PlacementDisk]) {
        guard let standpoint, disks.values.contains(where: { $0.site != standpoint.site }) else {
            distances = [:]
            return
        }
        distances = disks.mapValues(standpoint.distance)
    }

    /// In the order of `disks`, one that is not in the map being at another site; nil where it makes no difference.
    func distances(to disks: [DiskID]) -> [Distance]? {
        distances.isEmpty ? nil : disks.map { distances[$0] ?? .otherSite }
    }
}

/// The choice between reading the shards that hold a range and decoding it from nearer ones (DESIGN §5).
///
/// What crosses the WAN decides, counted as a disk sends it, in whole leaves; where both cost the same nothing is
/// decoded.
struct ReadChoice {
    let location: BlobLocation
    /// Of the shards, in their order.
    let distances: [Distance]
    /// Shards that are there, on disks that can be used.
    let present: Set<Int>

    /// The shards to decode the runs from; nil when those that hold the bytes are to be asked.
    func sources(for runs: [StripeGeometry.Run]) -> [Int]? {
        let needed = location.scheme.dataCount
        guard present.count >= needed, runs.contains(where: { isRemote($0.shard) }) else { return nil }
        let near = present.filter { distances[$0] < .otherSite }.count
        let lacking = max(0, needed - near)
        guard lacking * Self.bytesSent(of: StripeGeometry.hull(runs)) < bytesOfAsking(runs, lacking: lacking) else {
            return nil
        }
        let wanted = Set(runs.map(\.shard))
        // Of equally near ones those that are wanted need no decoding, and data shards come before parity.
        let ranked = present.sorted { left, right in
            (distances[left].rawValue, wanted.contains(left) ? 0 : 1, left)
                < (distances[right].rawValue, wanted.contains(right) ? 0 : 1, right)
        }
        return Array(ranked.prefix(needed))
    }

    private func isRemote(_ shard: Int) -> Bool { present.contains(shard) && distances[shard] == .otherSite }

    /// From other sites, when the runs' own shards are asked and what is lost of them is decoded from the nearest.
    private func bytesOfAsking(_ runs: [StripeGeometry.Run], lacking: Int) -> Int {
        let remote = runs.filter { isRemote($0.shard) }
        let asked = remote.reduce(0) { $0 + Self.bytesSent(of: $1.shardRange) }
        let lost = runs.filter { !present.contains($0.shard) }
        guard !lost.isEmpty else { return asked }
        let hull = StripeGeometry.hull(lost)
        let usedAgain = remote.filter {
            $0.shardRange.lowerBound <= hull.lowerBound && $0.shardRange.upperBound >= hull.upperBound
        }
        return asked + max(0, lacking - usedAgain.count) * Self.bytesSent(of: hull)
    }

    private static func bytesSent(of range: Range<Int>) -> Int {
        (range.upperBound + Leaf.size - 1) / Leaf.size * Leaf.size - range.lowerBound / Leaf.size * Leaf.size
    }
}

extension StripeGeometry {
    /// The bytes of a shard's body that hold all of the runs.
    static func hull(_ runs: [Run]) -> Range<Int> {
        (runs.map(\.shardRange.lowerBound).min() ?? 0)..<(runs.map(\.shardRange.upperBound).max() ?? 0)
    }
}
