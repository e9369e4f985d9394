/// Disks that a plan supposes to be added.
package struct GrowthQuestion: Codable, Hashable, Sendable {
    package var site: String
    /// Those of `nodes` nodes above 1 get a number behind the name.
    package var node: String
    package var nodes: Int
    /// Of each node.
    package var disks: Int
    /// Bytes of each disk.
    package var size: Int
    /// Million bytes a second that each disk reads and writes for the moves.
    package var megabytesPerSecond: Int

    package init(site: String, node: String, nodes: Int = 1, disks: Int, size: Int, megabytesPerSecond: Int) {
        self.site = site
        self.node = node
        self.nodes = nodes
        self.disks = disks
        self.size = size
        self.megabytesPerSecond = megabytesPerSecond
    }

    package var nodeNames: [String] { nodes == 1 ? [node] : (1...max(1, nodes)).map { "\(node)-\($0)" } }
}

/// What growth means to a storage class.
package struct ClassGrowth: Codable, Hashable, Sendable {
    package var name: String
    package var scheme: String
    package var survivesBefore: ProtectionReport?
    package var survivesAfter: ProtectionReport?
    /// Bytes of data that the disks could hold in all, were all of it of this class.
    package var roomBefore: Int
    package var roomAfter: Int

    package init(
        name: String,
        scheme: String,
        survivesBefore: ProtectionReport?,
        survivesAfter: ProtectionReport?,
        roomBefore: Int,
        roomAfter: Int
    ) {
        self.name = name
        self.scheme = scheme
        self.survivesBefore = survivesBefore
        self.survivesAfter = survivesAfter
        self.roomBefore = roomBefore
        self.roomAfter = roomAfter
    }
}

/// The answer to a `GrowthQuestion`. Nothing was changed for it.
package struct GrowthPlanReport: Codable, Hashable, Sendable {
    package var question: GrowthQuestion
    /// The site has no disk yet, and the same of the nodes.
    package var isNewSite: Bool
    package var isNewNode: Bool
    /// Places of groups, and bytes of shards, that would move to even the disks out.
    package var places: Int
    package var bytes: Int
    /// Bytes that the new disks would hold if each disk held as much as its size says.
    package var idealShare: Int
    /// At least; nil when nothing would move.
    package var seconds: Int?
    /// Bytes a second that all moves together may take now.
    package var totalRate: Int
    /// Disks in use by `SITE/NODE/SLOT`, and the new ones.
    package var disks: [MovePlanReport.Disk]
    /// Bytes that all disks can hold.
    package var capacityBefore: Int
    package var capacityAfter: Int
    package var classes: [ClassGrowth]
    /// Shards that repair still has to put back, and disks that are away: the risk that there is anyhow.
    package var missingShards: Int
    package var away: [String]

    package init(
        question: GrowthQuestion,
        isNewSite: Bool,
        isNewNode: Bool,
        places: Int,
        bytes: Int,
        idealShare: Int,
        seconds: Int?,
        totalRate: Int,
        disks: [MovePlanReport.Disk],
        capacityBefore: Int,
        capacityAfter: Int,
        classes: [ClassGrowth],
        missingShards: Int,
        away: [String]
    ) {
        self.question = question
        self.isNewSite = isNewSite
        self.isNewNode = isNewNode
        self.places = places
        self.bytes = bytes
        self.idealShare = idealShare
        self.seconds = seconds
        self.totalRate = totalRate
        self.disks = disks
        self.capacityBefore = capacityBefore
        self.capacityAfter = capacityAfter
        self.classes = classes
        self.missingShards = missingShards
        self.away = away
    }
}
