package import ObjectModel

/// A shard's place in a group, to be taken over by another disk.
package struct PlaceMove: Hashable, Sendable {
    package var group: GroupID
    package var shard: UInt8
    package var from: DiskID
    package var to: DiskID
    /// Bytes of shards that lie in the place now.
    package var bytes: Int

    package init(group: GroupID, shard: UInt8, from: DiskID, to: DiskID, bytes: Int) {
        self.group = group
        self.shard = shard
        self.from = from
        self.to = to
        self.bytes = bytes
    }
}

/// A group and how much lies in it.
package struct GroupLoad: Sendable {
    package var group: ClusterMap.Group
    /// Bytes of shards in each of its places.
    package var bytesPerPlace: Int

    package init(group: ClusterMap.Group, bytesPerPlace: Int) {
        self.group = group
        self.bytesPerPlace = bytesPerPlace
    }
}

/// What moves empty some disks or even out all of them, with no more bytes moved than that takes.
///
/// Greedy and exact in what it moves: each place goes at most once, from a disk that holds more than its share to one
/// that holds less, so that what is moved is what the fuller disks have too much, but for the size of a place. The
/// spread rule holds after each move, or is broken no more than before. A group whose places are being moved is left
/// alone. The same input gives the same plan.
package struct MovePlanner: Sendable {
    /// A disk is even when it is this close to its share, as a part of it: closer is not worth moving a place for.
    package static let tolerance = 0.02

    private let disks: [DiskID: PlacementDisk]
    private let draining: Set<DiskID>
    private var groups: [GroupID: GroupLoad]
    private let order: [GroupID]
    private var loads: [DiskID: Double] = [:]
    private var rules: [Int: SpreadRule] = [:]
    /// Disks that may hold places in the end.
    private let staying: [DiskID]
    /// Those of them that can take places now.
    private let takers: [DiskID]
    /// Bytes that each disk should hold in the end: as its weight says, as far as the spread rule lets it.
    package let shares: [DiskID: Double]
    private var moves: [PlaceMove] = []
    private var moved: Set<Place> = []
    /// Disks that a place is planned to be moved off: until that is done they hold a shard of the group.
    private var left: [GroupID: Set<DiskID>] = [:]

    private struct Place: Hashable {
        var group: GroupID
        var shard: Int
    }

    /// `disks`: all in use, with their weights; those in `draining` are to be empty, and those in `away` take nothing.
    package init(disks: [PlacementDisk], draining: Set<DiskID>, away: Set<DiskID> = [], groups: [GroupLoad]) {
        self.disks = Dictionary(disks.map { ($0.id, $0) }, uniquingKeysWith: { first, _ in first })
        self.draining = draining
        self.groups = Dictionary(groups.map { ($0.group.id, $0) }, uniquingKeysWith: { first, _ in first })
        order = self.groups.keys.sorted()
        let staying = disks.filter { !draining.contains($0.id) }
        self.staying = staying.map(\.id).sorted()
        takers = self.staying.filter { !away.contains($0) }
        var bytesPerShard: [Int: Double] = [:]
        for group in groups {
            bytesPerShard[group.group.members.count, default: 0] += Self.load(group)
            for member in group.group.members { loads[member, default: 0] += Self.load(group) }
        }
        var shares: [DiskID: Double] = [:]
        for (count, bytes) in bytesPerShard.sorted(by: { $0.key < $1.key }) {
            guard let rule = SpreadRule(shardCount: count, disks: staying) else {
                // There are too few disks for such groups: they stay as they are, and where they are.
                for group in groups where group.group.members.count == count {
                    for member in group.group.members { shares[member, default: 0] += Self.load(group) }
                }
                continue
            }
            rules[count] = rule
            shares.merge(rule.shares(of: bytes, shardCount: count, on: staying), uniquingKeysWith: +)
        }
        self.shares = shares
    }

    /// Empty groups count a little, so that a store without data is evened out by places.
    private static func load(_ group: GroupLoad) -> Double { Double(group.bytesPerPlace) + 1 }

    /// Moves that empty the draining disks; `unplaced` is how many places no disk could take without breaking the
    /// spread rule: then there are too few disks left.
    package mutating func drain() -> (moves: [PlaceMove], unplaced: Int) {
        var unplaced = 0
        for id in order {
            guard let group = groups[id]?.group, group.former.isEmpty else { continue }
            for shard in group.members.indices where draining.contains(group.members[shard]) {
                if let target = emptiest(for: shard, in: id) { move(shard, of: id, to: target) } else { unplaced += 1 }
            }
        }
        return (moves, unplaced)
    }

    /// Moves that even out the disks, by weight; first those that bring groups back under the spread rule.
    package mutating func balance() -> [PlaceMove] {
        mendSpread()
        var stuck: Set<DiskID> = []
        while let donor = fullest(besides: stuck) {
            if let (place, target) = bestMove(from: donor) {
                move(place.shard, of: place.group, to: target)
            } else {
                stuck.insert(donor)
            }
        }
        return moves
    }

    // MARK: Shares

    private func share(of disk: DiskID) -> Double {
        shares[disk, default: 0]
    }

    /// Bytes above the disk's share; negative below it.
    private func excess(of disk: DiskID) -> Double { loads[disk, default: 0] - share(of: disk) }

    /// How full a disk is. Of equally full ones the first by id is less.
    private struct Level: Comparable {
        var disk: DiskID
        var excess: Double

        static func < (left: Self, right: Self) -> Bool {
            left.excess == right.excess ? left.disk < right.disk : left.excess < right.excess
        }
    }

    private func level(of disk: DiskID) -> Level { Level(disk: disk, excess: excess(of: disk)) }

    private func emptiest(of disks: [DiskID]) -> DiskID? { disks.map(level).min()?.disk }

    private func fullest(besides stuck: Set<DiskID>) -> DiskID? {
        let above = staying.filter { !stuck.contains($0) && excess(of: $0) > Self.tolerance * share(of: $0) }
        return above.map(level).max()?.disk
    }

    // MARK: One move

    /// The move off a disk after which the two disks are closest to their shares.
    private func bestMove(from donor: DiskID) -> (place: Place, target: DiskID)? {
        let excess = excess(of: donor)
        let targets = takers.map(level).filter { $0.excess < 0 }.sorted()
        var best: (place: Place, target: DiskID, gain: Double)?
        for id in order {
            guard let group = groups[id], group.group.former.isEmpty,
                let shard = group.group.members.firstIndex(of: donor),
                !moved.contains(Place(group: id, shard: shard))
            else { continue }
            let load = Self.load(group)
            for target in targets where allows(target.disk, for: shard, in: group.group) {
                // By how much the sum of squares falls: nothing is gained by making the target the fuller one.
                let gain = load * (min(excess, load) + min(-target.excess, load) - load)
                if gain > (best?.gain ?? 0) { best = (Place(group: id, shard: shard), target.disk, gain) }
                // Targets are in order of room: the first allowed one is the best for this place.
                break
            }
        }
        return best.map { ($0.place, $0.target) }
    }

    private func emptiest(for shard: Int, in id: GroupID) -> DiskID? {
        guard let group = groups[id]?.group else { return nil }
        return emptiest(of: takers.filter { allows($0, for: shard, in: group) })
    }

    private mutating func move(_ shard: Int, of id: GroupID, to target: DiskID) {
        guard let group = groups[id] else { return }
        let from = group.group.members[shard]
        loads[from, default: 0] -= Self.load(group)
        loads[target, default: 0] += Self.load(group)
        groups[id]?.group.members[shard] = target
        moved.insert(Place(group: id, shard: shard))
        left[id, default: []].insert(from)
        moves.append(
            PlaceMove(group: id, shard: UInt8(clamping: shard), from: from, to: target, bytes: group.bytesPerPlace)
        )
    }

    // MARK: The spread rule

    /// Whether a disk may take a place: it is in none of the group, and its site and node hold no more than the rule
    /// says, or no more than they do now.
    private func allows(_ disk: DiskID, for shard: Int, in group: ClusterMap.Group) -> Bool {
        guard let new = disks[disk], !group.members.contains(disk), !wasThere(disk, group.id),
            let rule = rules[group.members.count]
        else { return false }
        let old = disks[group.members[shard]]
        let (site, node) = counts(of: new, in: group)
        let isSiteFine = site < rule.perSite || old?.site == new.site
        let isNodeFine = node < rule.perNode[new.site, default: 1] || old?.node == new.node
        return isSiteFine && isNodeFine
    }

    private func wasThere(_ disk: DiskID, _ group: GroupID) -> Bool { left[group]?.contains(disk) ?? false }

    private func counts(of disk: PlacementDisk, in group: ClusterMap.Group) -> (site: Int, node: Int) {
        var (site, node) = (0, 0)
        for member in group.members {
            guard let other = disks[member] else { continue }
            if other.site == disk.site { site += 1 }
            if other.node == disk.node { node += 1 }
        }
        return (site, node)
    }

    /// Places of sites and nodes that hold more of a group than the rule says, which may have become tighter.
    private mutating func mendSpread() {
        for id in order {
            guard let group = groups[id]?.group, group.former.isEmpty else { continue }
            // Of several places that one too many is among, the one on the fullest disk goes.
            let shards = group.members.indices.sorted { level(of: group.members[$0]) > level(of: group.members[$1]) }
            for shard in shards {
                guard let current = groups[id]?.group, let rule = rules[current.members.count],
                    let disk = disks[current.members[shard]]
                else { continue }
                let (site, node) = counts(of: disk, in: current)
                guard site > rule.perSite || node > rule.perNode[disk.site, default: 1],
                    let target = betterSpread(for: shard, in: current, than: disk, rule: rule)
                else { continue }
                move(shard, of: id, to: target)
            }
        }
    }

    /// The emptiest disk with which the rule holds for this place.
    private func betterSpread(
        for shard: Int,
        in group: ClusterMap.Group,
        than disk: PlacementDisk,
        rule: SpreadRule
    ) -> DiskID? {
        var without = group
        without.members.remove(at: shard)
        let better = takers.filter { id in
            guard let new = disks[id], !group.members.contains(id), !wasThere(id, group.id) else { return false }
            let (site, node) = counts(of: new, in: without)
            return site < rule.perSite && node < rule.perNode[new.site, default: 1]
        }
        return emptiest(of: better)
    }
}
