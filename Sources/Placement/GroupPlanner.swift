package import ObjectModel

/// Chooses the disks of placement groups by weighted rendezvous hashing under a spread rule.
///
/// Each group ranks every disk by −weight ÷ ln(hash) and takes the best that the rule allows, so that a disk added or
/// removed moves only its own share (Thaler and Ravishankar 1998; the weighted form is Schindelhauer and Schomaker's
/// logarithmic method). The order of the result is the order of the shards; ranking differs per group, so data and
/// parity are spread over all disks.
package struct GroupPlanner: Sendable {
    /// Groups per disk that a new store gets: enough that a lost disk is rebuilt by all the others, and that disks are
    /// even within a few percent when as many again have been added.
    package static let groupsPerDisk = 32

    private let disks: [PlacementDisk]
    private let rule: SpreadRule
    private let scheme: Scheme
    private var shardCount: Int { scheme.shardCount }

    /// nil when the disks are too few for the scheme.
    package init?(scheme: Scheme, disks: [PlacementDisk]) {
        guard let rule = SpreadRule(shardCount: scheme.shardCount, disks: disks) else { return nil }
        self.disks = disks.sorted { $0.id < $1.id }
        self.rule = rule
        self.scheme = scheme
    }

    /// The number of groups a store of these disks should have.
    package var groupCount: Int { max(1, disks.count * Self.groupsPerDisk / shardCount) }

    /// The groups of a new store or class, numbered from `first` on: with members as `members(of:)`, but for the few
    /// places that chance gave to disks with more than their share, so that the disks are even from the beginning.
    package func groups(from first: UInt32) -> [ClusterMap.Group] {
        var groups = (0..<UInt32(groupCount)).map { number in
            let id = GroupID(first + number)
            return ClusterMap.Group(id: id, epoch: 1, scheme: scheme, members: members(of: id))
        }
        let loads = groups.map { GroupLoad(group: $0, bytesPerPlace: 0) }
        var planner = MovePlanner(disks: disks, draining: [], groups: loads)
        for move in planner.balance() {
            groups[Int(move.group.number - first)].members[Int(move.shard)] = move.to
        }
        return groups
    }

    /// The members of a group in shard order. Depends on the group, the disks and their weights alone.
    ///
    /// Sites and nodes take as many as the rule says only where fewer on each do not suffice: of four shards on three
    /// nodes one holds two, and no node none.
    package func members(of group: GroupID) -> [DiskID] {
        let ranked = ranking(for: group)
        var taken = Taken()
        for slack in [(site: 1, node: 1), (site: 1, node: 0), (site: 0, node: 1), (site: 0, node: 0)] {
            for disk in ranked where taken.disks.count < shardCount && !taken.disks.contains(disk.id) {
                guard taken.sites[disk.site, default: 0] < rule.perSite - slack.site,
                    taken.nodes[disk.node, default: 0] < rule.perNode[disk.site, default: 1] - slack.node
                else { continue }
                taken.add(disk)
            }
        }
        return ranked.map(\.id).filter(taken.disks.contains)
    }

    /// Best first; disks of one score by their identities.
    private func ranking(for group: GroupID) -> [PlacementDisk] {
        let scored: [(disk: PlacementDisk, score: Double)] = disks.map { disk in
            (disk, Self.score(group: group, disk: disk))
        }
        let ordered = scored.sorted { left, right in
            if left.score != right.score { return left.score > right.score }
            return left.disk.id < right.disk.id
        }
        return ordered.map(\.disk)
    }

    private struct Taken {
        var disks: Set<DiskID> = []
        var sites: [SiteName: Int] = [:]
        var nodes: [NodeName: Int] = [:]

        mutating func add(_ disk: PlacementDisk) {
            disks.insert(disk.id)
            sites[disk.site, default: 0] += 1
            nodes[disk.node, default: 0] += 1
        }
    }

    /// The disk that takes the place of `lost` in a group: the best ranked that is not in it and with which the rule
    /// still holds; nil when there is none. This planner's disks are those that are left.
    package func standIn(for lost: DiskID, in group: GroupID, of members: [DiskID]) -> DiskID? {
        var sites: [SiteName: Int] = [:]
        var nodes: [NodeName: Int] = [:]
        for disk in disks where disk.id != lost && members.contains(disk.id) {
            sites[disk.site, default: 0] += 1
            nodes[disk.node, default: 0] += 1
        }
        var best: (disk: DiskID, score: Double)?
        for disk in disks where disk.id != lost && !members.contains(disk.id) {
            guard sites[disk.site, default: 0] < rule.perSite,
                nodes[disk.node, default: 0] < rule.perNode[disk.site, default: 1]
            else { continue }
            // Disks are in order: of equal ones the first stays.
            let score = Self.score(group: group, disk: disk)
            if best.map({ score > $0.score }) ?? true { best = (disk.id, score) }
        }
        return best?.disk
    }

    private static func score(group: GroupID, disk: PlacementDisk) -> Double {
        let hash = mix(UInt64(group.number) &+ 0x9E37_79B9_7F4A_7C15, disk.id.value.high, disk.id.value.low)
        // A number in (0, 1): 53 random bits, never 0 or 1, so that the logarithm is finite and below zero.
        let unit = (Double(hash >> 11) + 0.5) / Double(1 << 53)
        return -disk.weight / naturalLogarithm(unit)
    }

    /// ln of a number above zero by basic arithmetic alone, so that every machine and library version computes the
    /// same bits: ln(s · 2^e) = e · ln 2 + 2 · artanh((s − 1) ÷ (s + 1)), s in 1 ..< 2.
    static func naturalLogarithm(_ value: Double) -> Double {
        let ratio = (value.significand - 1) / (value.significand + 1)
        let square = ratio * ratio
        var power = ratio
        var sum = 0.0
        // |ratio| ≤ 1/3, so 17 odd terms reach the precision of a Double.
        for term in 0..<17 {
            sum += power / Double(2 * term + 1)
            power *= square
        }
        return Double(value.exponent) * 0.693_147_180_559_945_3 + 2 * sum
    }

    /// SplitMix64's finalizer over three words: frozen, because a store's groups follow from it.
    private static func mix(_ words: UInt64...) -> UInt64 {
        var hash: UInt64 = 0
        for word in words {
            hash = (hash ^ word) &+ 0x9E37_79B9_7F4A_7C15
            hash = (hash ^ (hash >> 30)) &* 0xBF58_476D_1CE4_E5B9
            hash = (hash ^ (hash >> 27)) &* 0x94D0_49BB_1331_11EB
            hash ^= hash >> 31
        }
        return hash
    }
}
