package import ObjectModel

/// Where shards go and are: the groups and the disks they are made of, at one moment.
package struct ClusterMap: Sendable {
    package struct Group: Hashable, Sendable {
        package var id: GroupID
        package var epoch: UInt32
        package var scheme: Scheme
        /// In shard order.
        package var members: [DiskID]
        /// By shard, of places that are being moved: the disk that stood there before, which has the shards not moved
        /// so far.
        package var former: [UInt8: DiskID]

        package init(
            id: GroupID,
            epoch: UInt32,
            scheme: Scheme,
            members: [DiskID],
            former: [UInt8: DiskID] = [:]
        ) {
            self.id = id
            self.epoch = epoch
            self.scheme = scheme
            self.members = members
            self.former = former
        }

        /// Where the shards of a blob are, in shard order, `moving` being those that its record says are to be moved.
        ///
        /// A map that is older or newer than the record answers right as well: before a move began the place before
        /// is the member, and once the move has ended every shard is at the new one.
        package func holders(moving: [UInt8]) -> [DiskID] {
            guard !former.isEmpty, !moving.isEmpty else { return members }
            var holders = members
            for shard in moving where Int(shard) < holders.count {
                if let disk = former[shard] { holders[Int(shard)] = disk }
            }
            return holders
        }
    }

    package var groups: [GroupID: Group]
    package var disks: [DiskID: PlacementDisk]
    /// By name; `STANDARD` is not among them.
    package var classes: [String: Scheme]

    package init(
        groups: [GroupID: Group] = [:],
        disks: [DiskID: PlacementDisk] = [:],
        classes: [String: Scheme] = [:]
    ) {
        self.groups = groups
        self.disks = disks
        self.classes = classes
    }

    /// The schemes of the groups, each once, in the order of their first groups: that of `STANDARD` first.
    package var schemes: [Scheme] {
        var seen: Set<Scheme> = []
        return groups.values.sorted { $0.id < $1.id }.map(\.scheme).filter { seen.insert($0).inserted }
    }

    /// Schemes of groups that no class has any more: no object is written in them.
    package var closedSchemes: Set<Scheme> { Set(schemes.dropFirst()).subtracting(classes.values) }

    /// The scheme whose blobs survive most: sites first, then disks, then nodes.
    package var strongestScheme: Scheme? {
        let schemes = schemes
        guard schemes.count > 1 else { return schemes.first }
        let all = Dictionary(grouping: groups.values, by: \.scheme)
        let survivals = schemes.map { scheme in
            (scheme, Survival(StoreLayout(groups: all[scheme, default: []], disks: disks)))
        }
        return survivals.max { left, right in
            guard let weak = left.1, let strong = right.1 else { return false }
            return (weak.sites, weak.disks, weak.nodes) < (strong.sites, strong.disks, strong.nodes)
        }?.0
    }
}

/// What is known of a disk's fitness for new shards.
package struct DiskCondition: Hashable, Sendable {
    /// It answers and its last sync succeeded.
    package var isUsable: Bool
    /// A write to it does not end: it is read, and gets nothing new meanwhile.
    package var hangs: Bool
    /// Bytes it may still take.
    package var room: Int

    package init(isUsable: Bool, hangs: Bool = false, room: Int) {
        self.isUsable = isUsable
        self.hangs = hangs
        self.room = room
    }

    /// Whether it may get new shards, as far as it has room.
    package var takesShards: Bool { isUsable && !hangs }
}

/// Chooses the group of the next blob: most usable members first, then room (DESIGN §4).
package struct GroupChooser: Sendable {
    private let map: ClusterMap
    private let order: [Scheme: [GroupID]]

    package init(map: ClusterMap) {
        self.map = map
        order = Dictionary(grouping: map.groups.values.sorted { $0.id < $1.id }, by: \.scheme).mapValues {
            $0.map(\.id)
        }
    }

    /// The best group of a scheme for a blob whose shards take `shardLength` bytes each; `turn` rotates among equals.
    /// nil when no group has at least `degradedQuorum` usable members with room. Of whole groups that with the fewest
    /// disks of `slow` comes first: a write bears one late shard better than two. A group with them is better than one
    /// that is short of members.
    package func choose(
        scheme: Scheme,
        shardLength: Int,
        turn: Int,
        conditions: [DiskID: DiskCondition],
        avoiding slow: Set<DiskID> = []
    ) -> (group: ClusterMap.Group, usable: Set<DiskID>)? {
        let order = order[scheme, default: []]
        var best: (group: ClusterMap.Group, usable: Set<DiskID>, room: Int)?
        var wholeButSlow: (group: ClusterMap.Group, usable: Set<DiskID>, slow: Int)?
        for step in order.indices {
            guard let group = map.groups[order[(turn + step) % order.count]] else { continue }
            let usable = group.members.filter { disk in
                conditions[disk].map { $0.takesShards && $0.room >= shardLength } ?? false
            }
            guard usable.count >= group.scheme.degradedQuorum else { continue }
            // A whole group found first in turn order is as good as any: no disk is preferred by room until one
            // group is short of members.
            if usable.count == group.members.count {
                let slowCount = slow.isEmpty ? 0 : usable.count(where: slow.contains)
                if slowCount == 0 { return (group, Set(usable)) }
                if slowCount < wholeButSlow?.slow ?? .max { wholeButSlow = (group, Set(usable), slowCount) }
                continue
            }
            let room = usable.compactMap { conditions[$0]?.room }.min() ?? 0
            if best.map({ usable.count > $0.usable.count || (usable.count == $0.usable.count && room > $0.room) })
                ?? true
            {
                best = (group, Set(usable), room)
            }
        }
        return wholeButSlow.map { ($0.group, $0.usable) } ?? best.map { ($0.group, $0.usable) }
    }
}
