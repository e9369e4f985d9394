package import ObjectModel

/// The answer to: what if these disks were added, and the shards evened out?
package struct GrowthPlan: Sendable {
    /// What the shards take and how they lie, before or after.
    package struct State: Sendable {
        package var disks: [PlacementDisk]
        package var groups: [ClusterMap.Group]
        /// Bytes of shards by disk.
        package var bytes: [DiskID: Int]

        package init(disks: [PlacementDisk], groups: [ClusterMap.Group], bytes: [DiskID: Int]) {
            self.disks = disks
            self.groups = groups
            self.bytes = bytes
        }
    }

    package let before: State
    package let after: State
    package let moves: [PlaceMove]
    /// Bytes that would be copied.
    package var bytesMoved: Int { moves.reduce(0) { $0 + $1.bytes } }
    /// What the new disks would hold if every disk held as much as its size says, as far as the spread rule lets it: no
    /// plan moves much more than that.
    package let idealShare: Int

    /// `disks` are in use, their weight being the bytes that each can hold; those in `draining` are to be empty, and
    /// those in `away` take nothing. None of `added` is among them.
    package init(
        groups: [GroupLoad],
        disks: [PlacementDisk],
        adding added: [PlacementDisk],
        draining: Set<DiskID> = [],
        away: Set<DiskID> = []
    ) {
        let all = disks + added
        var planner = MovePlanner(disks: all, draining: draining, away: away, groups: groups)
        moves = planner.balance()
        var bytes: [DiskID: Int] = [:]
        for load in groups {
            for member in load.group.members { bytes[member, default: 0] += load.bytesPerPlace }
        }
        before = State(disks: disks, groups: groups.map(\.group), bytes: bytes)
        var members = Dictionary(groups.map { ($0.group.id, $0.group) }, uniquingKeysWith: { first, _ in first })
        for move in moves {
            members[move.group]?.members[Int(move.shard)] = move.to
            bytes[move.from, default: 0] -= move.bytes
            bytes[move.to, default: 0] += move.bytes
        }
        after = State(disks: all, groups: members.values.sorted { $0.id < $1.id }, bytes: bytes)
        let share = added.reduce(0) { $0 + planner.shares[$1.id, default: 0] }
        idealShare = bytes.values.contains { $0 > 0 } ? Int(share) : 0
    }

    /// How long the copying takes at least when each disk reads and writes so much for it, and all together
    /// `totalPerSecond` at most; both above zero. Nil when nothing moves.
    package func seconds(bytesPerSecond: Int, totalPerSecond: Int) -> Int? {
        guard bytesMoved > 0 else { return nil }
        var byDisk: [DiskID: Int] = [:]
        for move in moves {
            byDisk[move.from, default: 0] += move.bytes
            byDisk[move.to, default: 0] += move.bytes
        }
        let busiest = (byDisk.values.max() ?? 0) / max(1, bytesPerSecond)
        return max(1, busiest, bytesMoved / max(1, totalPerSecond))
    }
}

extension GrowthPlan.State {
    /// What the blobs of a scheme survive; nil when it has no groups.
    package func survival(of scheme: Scheme) -> Survival? {
        Survival(StoreLayout(groups: groups.filter { $0.scheme == scheme }, disks: known))
    }

    /// What the journal survives with these keepers.
    package func survival(of keepers: LossPlan.Keepers) -> Survival? { Survival(keepers, on: known) }

    private var known: [DiskID: PlacementDisk] {
        Dictionary(disks.map { ($0.id, $0) }, uniquingKeysWith: { first, _ in first })
    }

    /// Bytes of data that these disks can hold in all, were all of it of this scheme.
    package func room(for scheme: Scheme) -> Int {
        guard let rule = SpreadRule(shardCount: scheme.shardCount, disks: disks) else { return 0 }
        return rule.room(for: scheme.shardCount, on: disks) * scheme.dataCount
    }
}

extension SpreadRule {
    /// Halvings of the range in which the room is looked for: to the byte, whatever the disks.
    private static let steps = 64

    /// How many bytes each shard of a blob could have in sum over all blobs, `shardCount` of them to a blob, until no
    /// disks with room are left that obey the rule. Weights are the bytes that disks can hold.
    ///
    /// A disk holds at most one shard of a blob, a node and a site as many as the rule says; so of `x` bytes per shard
    /// a disk takes at most x, and what all can take must be `shardCount` times x. That holds up to some x alone.
    func room(for shardCount: Int, on disks: [PlacementDisk]) -> Int {
        let sites = Dictionary(grouping: disks, by: \.site).mapValues { members in
            Dictionary(grouping: members, by: \.node).mapValues { $0.map(\.weight).sorted() }
        }
        func fits(_ x: Double) -> Bool {
            var taken = 0.0
            for (site, nodes) in sites {
                let perNode = Double(self.perNode[site, default: 1]) * x
                let inSite = nodes.values.map { $0.reduce(0) { $0 + min($1, x) } }.sorted()
                taken += min(Double(perSite) * x, inSite.reduce(0) { $0 + min($1, perNode) })
            }
            // What does not fit is short by far more than rounding.
            return taken >= Double(shardCount) * x * (1 - 1e-12)
        }
        var (low, high) = (0.0, disks.reduce(0) { $0 + $1.weight })
        for _ in 0..<Self.steps {
            let middle = (low + high) / 2
            if fits(middle) { low = middle } else { high = middle }
        }
        return Int(low)
    }
}
