import Coordination
import JournalStorage
import ObjectModel
import ShardStorage
import SystemInterface

/// What the simulated cluster is made of: three sites of two nodes of two disks, and rs-3-3, of which a site holds two
/// shards.
enum ClusterLayout {
    static let siteCount = 3
    static let nodesPerSite = 2
    static let disksPerNode = 2
    static let nodeCount = siteCount * nodesPerSite
    static let diskCount = nodeCount * disksPerNode
    /// Disks that a disk's place may see in a run.
    static let generationCount = 20
    static let region = "eu-1"
    static let port = 7_400

    static let segmentLength = 2 << 20
    private static let logLength = 256 << 10

    static func scheme() throws -> Scheme {
        guard let scheme = Scheme(dataCount: 3, parityCount: 3, cellSize: Leaf.size) else {
            throw BrokenPromise("no such scheme")
        }
        return scheme
    }

    /// By place.
    static let slots = (0..<diskCount).map {
        SlotPlace(node: NodeName(nodeName(node(ofPlace: $0))), slot: slotName($0))
    }

    static func nodeName(_ node: Int) -> String { "node-\(node + 1)" }
    static func siteName(ofNode node: Int) -> String { "site-\(node / nodesPerSite + 1)" }
    static func coordinatorName(_ number: Int) -> String { "coordinator-\(number + 1)" }
    static func isCoordinator(_ process: String) -> Bool { process.hasPrefix("coordinator-") }
    /// Nodes of a site.
    static func nodes(ofSite site: Int) -> Range<Int> { site * nodesPerSite..<(site + 1) * nodesPerSite }

    /// The place of a disk, of all places.
    static func node(ofPlace place: Int) -> Int { place / disksPerNode }
    static func slotName(_ place: Int) -> String { "disk-\(place % disksPerNode + 1)" }
    static func diskName(_ place: Int, _ generation: Int) -> String {
        "\(nodeName(node(ofPlace: place)))/\(slotName(place)).\(generation)"
    }

    /// Small segments, growth and reserves: the same paths with less to move.
    static func disk(_ buggify: Buggify) -> ShardDiskConfiguration {
        var disk = ShardDiskConfiguration()
        disk.segmentLength = segmentLength
        disk.growthLength = 256 << 10
        disk.reserveLength = 64 << 10
        disk.quarantine = .seconds(2)
        disk.buggify = buggify
        return disk
    }

    static var keeper: KeeperLog.Configuration { KeeperLog.Configuration(fileLength: logLength) }
}
