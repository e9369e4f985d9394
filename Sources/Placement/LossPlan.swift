package import ObjectModel

/// The answer to: what if these disks were lost at once?
package struct LossPlan: Sendable {
    /// The journal's keepers.
    package struct Keepers: Hashable, Sendable {
        package var all: [DiskID]
        /// Those that do not answer now, or do not count yet.
        package var silent: Set<DiskID>
        /// Those of the others that lack changes which have been acknowledged.
        package var behind: Set<DiskID>
        /// J: that many must have a change before it counts.
        package var needed: Int

        package init(all: [DiskID], silent: Set<DiskID> = [], behind: Set<DiskID> = [], needed: Int) {
            self.all = all
            self.silent = silent
            self.behind = behind
            self.needed = needed
        }

        /// Whether a change that was acknowledged may lie on none of those that `lost` leaves: J of those that answer
        /// may be all that have the latest one, and whoever lacks some of the earlier ones vouches for none.
        func mayLoseChanges(losing lost: Set<DiskID>) -> Bool {
            let answering = all.filter { !silent.contains($0) }
            let left = answering.filter { !lost.contains($0) }
            return answering.count - left.count >= needed || left.allSatisfy(behind.contains)
        }
    }

    /// How the store is, and would be.
    package let before: LossOutcome
    package let after: LossOutcome
    /// What the rest survives in turn, by its shards and by its journal; nil without groups, and without keepers.
    package let survival: Survival?
    package let journalSurvival: Survival?
    package let keepersLeft: Int
    /// Whether metadata is changed, and answered for, without the lost disks.
    package let keepsMajority: Bool
    /// Whether changes that were acknowledged may be lost with the disks, should they never come back.
    package let mayLoseChanges: Bool
    /// Bytes of shards to be made anew, in groups that can still be read.
    package let bytesToRebuild: Int
    /// Bytes of shards, as many as reading needs, in groups that could not be read.
    package let bytesBelowK: Int
    /// Groups in which no disk is left that could take a lost one's place: they wait for new disks.
    package let groupsWithoutStandIn: Int
    /// Seconds that the rebuild takes at least; nil when there is nothing to rebuild, or nothing to do it with.
    package let rebuildSeconds: Int?
    /// The chance that some group that can be read falls below k until the rebuild is done, once it has begun.
    package let riskMeanwhile: Double

    /// What is known of the store when the question is asked.
    package struct Store: Sendable {
        package var layout: StoreLayout
        /// Disks that are not served now; they are taken to stay away.
        package var away: Set<DiskID>
        /// Disks that take nothing new.
        package var full: Set<DiskID>
        /// Bytes of live shards by disk, of those that answer.
        package var liveBytes: [DiskID: Int]
        /// Bytes that a group has in each of its places, where that was counted; else `liveBytes` tell about how many.
        package var bytesPerPlace: [GroupID: Int]
        package var keepers: Keepers

        package init(
            layout: StoreLayout,
            away: Set<DiskID> = [],
            full: Set<DiskID> = [],
            liveBytes: [DiskID: Int],
            bytesPerPlace: [GroupID: Int] = [:],
            keepers: Keepers
        ) {
            self.layout = layout
            self.away = away
            self.full = full
            self.liveBytes = liveBytes
            self.bytesPerPlace = bytesPerPlace
            self.keepers = keepers
        }
    }

    /// `bytesPerSecond`: what each disk reads and writes for the rebuild; above zero. `isReplaced`: each lost disk
    /// has a new one in its place, which takes all that it held.
    package init(
        _ store: Store,
        losing lost: Set<DiskID>,
        bytesPerSecond: Int,
        isReplaced: Bool = false,
        failureRate: Double = DurabilityModel.usualFailureRate
    ) {
        let gone = lost.union(store.away)
        before = LossOutcome(store.layout, without: store.away, full: store.full)
        after = LossOutcome(store.layout, without: gone, full: store.full)
        survival = Survival(store.layout, without: gone)
        var keepers = store.keepers
        keepers.silent.formUnion(store.away)
        journalSurvival = Survival(keepers, on: store.layout.disks, without: lost)
        mayLoseChanges = keepers.mayLoseChanges(losing: lost)
        keepersLeft = keepers.all.count { !keepers.silent.contains($0) && !lost.contains($0) }
        keepsMajority = keepersLeft >= store.keepers.needed
        let rebuild = Rebuild(store, losing: lost, without: gone)
        bytesToRebuild = rebuild.bytes
        bytesBelowK = rebuild.bytesBelowK
        groupsWithoutStandIn = rebuild.groupsWithoutStandIn
        rebuildSeconds = rebuild.seconds(bytesPerSecond: max(1, bytesPerSecond), isReplaced: isReplaced)
        riskMeanwhile = Self.risk(store.layout, without: gone, seconds: rebuildSeconds, failureRate: failureRate)
    }

    private static func risk(
        _ layout: StoreLayout,
        without gone: Set<DiskID>,
        seconds: Int?,
        failureRate: Double
    ) -> Double {
        guard let seconds,
            let model = DurabilityModel(failureRate: failureRate, repairHours: max(1, Double(seconds)) / 3_600)
        else { return 0 }
        var fates: [Set<DiskID>: Double] = [:]
        for one in layout.layouts {
            let scheme = one.group.scheme
            let present = layout.holders(of: one, without: gone).count
            guard present >= scheme.dataCount else { continue }
            let risk = model.lossBeforeWhole(
                needed: scheme.dataCount,
                spares: scheme.parityCount,
                gone: scheme.shardCount - present
            )
            let disks = Set(one.group.members)
            fates[disks] = max(fates[disks] ?? 0, risk)
        }
        return min(1, fates.values.sorted().reduce(0, +))
    }
}

/// What has to be read and written to make lost shards anew.
private struct Rebuild {
    private(set) var bytes = 0
    private(set) var bytesBelowK = 0
    private(set) var groupsWithoutStandIn = 0
    /// Bytes read and written on all disks together.
    private var traffic = 0
    /// Disks that take part.
    private var workers: Set<DiskID> = []
    /// By lost disk: what one in its place has to take.
    private var byDisk: [DiskID: Int] = [:]

    init(_ store: LossPlan.Store, losing lost: Set<DiskID>, without gone: Set<DiskID>) {
        let shares = Self.shares(store)
        let left = store.layout.disks.values.filter { !gone.contains($0.id) }
        var planners: [Scheme: GroupPlanner] = [:]
        for group in store.layout.groups {
            let members = group.members.filter(lost.contains)
            guard !members.isEmpty else { continue }
            let present = group.members.filter { !gone.contains($0) && store.layout.disks[$0] != nil }
            let share = store.bytesPerPlace[group.id] ?? Self.share(of: group, shares)
            guard present.count >= group.scheme.dataCount else {
                bytesBelowK += share * group.scheme.dataCount
                continue
            }
            bytes += share * members.count
            // Each blob is read once, however many of its shards are made anew.
            traffic += share * (group.scheme.dataCount + members.count)
            workers.formUnion(present)
            for member in members { byDisk[member, default: 0] += share }
            let planner = planners[group.scheme] ?? GroupPlanner(scheme: group.scheme, disks: left)
            planners[group.scheme] = planner
            if !Self.hasStandIns(for: members, in: group, planner) { groupsWithoutStandIn += 1 }
        }
    }

    /// Bytes that one group has on each disk: what lies there, divided by the groups there.
    private static func shares(_ store: LossPlan.Store) -> [DiskID: Int] {
        var groups: [DiskID: Int] = [:]
        for group in store.layout.groups { for member in group.members { groups[member, default: 0] += 1 } }
        var shares: [DiskID: Int] = [:]
        for (disk, bytes) in store.liveBytes where !store.away.contains(disk) {
            if let count = groups[disk] { shares[disk] = bytes / count }
        }
        return shares
    }

    /// All shards of a blob are equally long, so what disks that answer hold tells for those that do not.
    private static func share(of group: ClusterMap.Group, _ shares: [DiskID: Int]) -> Int {
        let known = group.members.compactMap { shares[$0] }
        return known.isEmpty ? 0 : known.reduce(0, +) / known.count
    }

    private static func hasStandIns(for lost: [DiskID], in group: ClusterMap.Group, _ planner: GroupPlanner?) -> Bool {
        guard let planner else { return false }
        var members = group.members
        for disk in lost {
            guard let standIn = planner.standIn(for: disk, in: group.id, of: members) else { return false }
            for index in members.indices where members[index] == disk { members[index] = standIn }
        }
        return true
    }

    /// As long as the disks left need for reading and writing, side by side; and where a new disk has to take all that
    /// a lost one held, as long as that needs to write it.
    func seconds(bytesPerSecond: Int, isReplaced: Bool) -> Int? {
        guard bytes > 0, !workers.isEmpty else { return nil }
        let spread = traffic / workers.count / bytesPerSecond
        let isOnNew = isReplaced || groupsWithoutStandIn > 0
        let onNew = isOnNew ? (byDisk.values.max() ?? 0) / bytesPerSecond : 0
        return max(1, spread, onNew)
    }
}
