internal import ClusterProtocol
package import ObjectModel
package import Placement
internal import Synchronization
package import SystemInterface

/// What this process knows of the cluster: the map, and how each disk does. Shared by all readers and writers.
package final class ClusterView: Sendable {
    private struct State {
        var map = ClusterMap()
        var chooser = GroupChooser(map: ClusterMap())
        var conditions: [DiskID: DiskCondition] = [:]
        var latency: [DiskID: LatencyEstimate] = [:]
        /// By scheme: with one for all, two schemes that are written by turns would each use every other group.
        var turns: [Scheme: Int] = [:]
        var version: UInt64 = 0
        var schemes: [Scheme] = []
        var strongest: Scheme?
        var quorums: [GroupID: Quorum] = [:]
        var distances = DistanceTable()
        /// More than one.
        var hasSites = false
        /// By disk: writes that were left behind because it did not answer in time, and have not ended yet. Below zero
        /// for the moment in which one ends before it is noted.
        var overdue: [DiskID: Int] = [:]
        /// By disk: when a write was last left behind by it, or waited for it alone.
        var lastSlow: [DiskID: MonotonicTime] = [:]
        var median = LatencyMedian()
    }

    private let state = Mutex(State())
    private let standpoint: Standpoint?

    /// `standpoint`: where this process stands, when reads are to prefer what is near.
    package init(standpoint: Standpoint? = nil) { self.standpoint = standpoint }

    package var map: ClusterMap { state.withLock { $0.map } }

    package func update(map: ClusterMap) {
        // What takes a while with very many groups is not done under the lock that every read and write takes.
        let quorums = map.groups.mapValues { Quorum($0, disks: map.disks) }
        let chooser = GroupChooser(map: map)
        let (schemes, strongest) = (map.schemes, map.strongestScheme)
        let distances = DistanceTable(from: standpoint, to: map.disks)
        let hasSites = Set(map.disks.values.lazy.map(\.site)).count > 1
        state.withLock { state in
            state.map = map
            state.hasSites = hasSites
            state.version += 1
            state.quorums = quorums
            state.chooser = chooser
            state.schemes = schemes
            state.strongest = strongest
            state.distances = distances
        }
    }

    // MARK: Schemes

    /// The scheme of `STANDARD`; nil before there are groups.
    package var standardScheme: Scheme? { state.withLock { $0.schemes.first } }

    /// Those of the groups, that of `STANDARD` first.
    package var schemes: [Scheme] { state.withLock { $0.schemes } }

    /// Of these the one whose blobs survive most.
    package var strongestScheme: Scheme? { state.withLock { $0.strongest } }

    /// The scheme of a write with this label into a bucket with this default: that of the class of the label's name,
    /// else of the default's, else of `STANDARD`; nil before there are groups.
    package func scheme(label: String, default name: String?) -> Scheme? {
        state.withLock { state in
            if label == StorageClass.standard { return state.schemes.first }
            return state.map.classes[label] ?? name.flatMap { state.map.classes[$0] } ?? state.schemes.first
        }
    }

    /// The scheme of a class; nil when there is none of that name, or before there are groups.
    package func scheme(named name: String) -> Scheme? {
        state.withLock { name == StorageClass.standard ? $0.schemes.first : $0.map.classes[name] }
    }

    /// Rises with each new map.
    package var version: UInt64 { state.withLock { $0.version } }

    /// When a write to the group may be acknowledged in full.
    func quorum(of group: ClusterMap.Group) -> Quorum {
        state.withLock { $0.quorums[group.id] } ?? Quorum(count: group.scheme.writeQuorum)
    }

    /// How the disks of the map do.
    package var conditions: [DiskID: DiskCondition] { state.withLock { $0.conditions } }

    package func update(_ disk: DiskID, condition: DiskCondition) {
        state.withLock { $0.conditions[disk] = condition }
    }

    /// A call to the disk failed in a way that says it cannot be used: no new shards until the next good status.
    package func noteUnusable(_ disk: DiskID) {
        state.withLock { $0.conditions[disk]?.isUsable = false }
    }

    package func isUsable(_ disk: DiskID) -> Bool {
        state.withLock { $0.conditions[disk]?.isUsable ?? false }
    }

    /// Whether new shards may be written to it: not while a write to it hangs, though it is read.
    package func takesShards(_ disk: DiskID) -> Bool {
        state.withLock { $0.conditions[disk]?.takesShards ?? false }
    }

    package func group(_ id: GroupID) -> ClusterMap.Group? { state.withLock { $0.map.groups[id] } }

    /// How far the disks are, in their order; nil where reads need not care.
    func distances(to disks: [DiskID]) -> [Distance]? {
        standpoint == nil ? nil : state.withLock { $0.distances }.distances(to: disks)
    }

    /// How many of the disks are in another site than this process. Where it is not known where that stands, all are
    /// taken to be, unless there is one site only.
    func countElsewhere(_ disks: [DiskID]) -> Int {
        if let distances = distances(to: disks) { return distances.count { $0 == .otherSite } }
        guard standpoint == nil else { return 0 }
        return state.withLock { $0.hasSites } ? disks.count : 0
    }

    package func node(of disk: DiskID) -> NodeName? { state.withLock { $0.map.disks[disk]?.node } }

    /// The group for the next blob of a scheme; its shards take `shardLength` bytes each. Where groups are equally
    /// whole, that with the fewest disks that are slow `now`. A rewrite is let in where there is no room: its disks
    /// take it from their reserve.
    package func chooseGroup(
        scheme: Scheme,
        shardLength: Int,
        isRewrite: Bool = false,
        at now: MonotonicTime
    ) throws(BlobError) -> (group: ClusterMap.Group, usable: Set<DiskID>) {
        let choice = state.withLock { state -> Result<(group: ClusterMap.Group, usable: Set<DiskID>), BlobError> in
            let turn = state.turns[scheme, default: 0] &+ 1
            state.turns[scheme] = turn
            var choice = state.chooser.choose(
                scheme: scheme,
                shardLength: shardLength,
                turn: turn,
                conditions: state.conditions,
                avoiding: Self.avoided(at: now, &state)
            )
            if isRewrite, choice == nil {
                choice = state.chooser.choose(scheme: scheme, shardLength: 0, turn: turn, conditions: state.conditions)
            }
            return choice.map { .success($0) } ?? .failure(Self.refusal(of: scheme, state))
        }
        return try choice.get()
    }

    /// Why no group of the scheme takes a blob. The disks are full when one would without regard to their room.
    private static func refusal(of scheme: Scheme, _ state: State) -> BlobError {
        guard state.schemes.contains(scheme) else { return .tooFewDisks("no placement group of \(scheme) is known") }
        let choice = state.chooser.choose(scheme: scheme, shardLength: 0, turn: 0, conditions: state.conditions)
        guard choice == nil else { return .full }
        let usable = state.conditions.values.count(where: \.takesShards)
        return .tooFewDisks(
            "\(usable) of \(state.map.disks.count) disks are usable, and no group of \(scheme) has the "
                + "\(scheme.degradedQuorum) of them that a write needs"
        )
    }

    /// What would become of a blob of the scheme, whose shards take `shardLength` bytes each, for want of room: by the
    /// rule that takes or refuses it. `full`: disks to be thought of as full.
    package func admission(of scheme: Scheme, shardLength: Int, thinkingFull full: Set<DiskID> = []) -> Admission {
        state.withLock { state in
            var conditions = state.conditions
            for disk in full { conditions[disk]?.room = 0 }
            func choose(_ length: Int) -> (group: ClusterMap.Group, usable: Set<DiskID>)? {
                state.chooser.choose(scheme: scheme, shardLength: length, turn: 0, conditions: conditions)
            }
            guard let choice = choose(shardLength) else {
                // Too few disks are usable, whatever their room: that is another matter.
                return choose(0) == nil ? .whole : .refused
            }
            let lacksRoom = choice.group.members.contains {
                !choice.usable.contains($0) && conditions[$0]?.takesShards == true
            }
            return lacksRoom ? .degraded : .whole
        }
    }

    /// What becomes of a blob for want of room.
    package enum Admission: Sendable {
        case whole
        /// Some of its shards would be left out.
        case degraded
        case refused
    }

    // MARK: Latency

    /// A write to the disk was left behind: until it ends, groups without the disk are chosen, where there are any.
    package func noteOverdue(_ disk: DiskID, at now: MonotonicTime) {
        state.withLock { state in
            state.overdue[disk, default: 0] += 1
            state.lastSlow[disk] = now
        }
    }

    /// A write waited long for these disks alone. Returns whether one of them was known to be slow.
    package func noteSlow(_ disks: [DiskID], at now: MonotonicTime) -> Bool {
        state.withLock { state in
            let wasKnown = Self.isAnySlow(disks, at: now, &state)
            for disk in disks { state.lastSlow[disk] = now }
            return wasKnown
        }
    }

    /// How long a disk by which a write was left behind, or that one waited for, is taken to be slow.
    private static let slownessMemory = Duration.seconds(10)

    /// Whether a write was lately left behind by one of the disks, or waited for it alone.
    package func wasSlow(_ disks: [DiskID], at now: MonotonicTime) -> Bool {
        state.withLock { Self.isAnySlow(disks, at: now, &$0) }
    }

    private static func isAnySlow(_ disks: [DiskID], at now: MonotonicTime, _ state: inout State) -> Bool {
        guard forgetFormerlySlow(at: now, &state) else { return false }
        return disks.contains { state.lastSlow[$0] != nil }
    }

    /// One in so many disks may be avoided for having been slow: where more are, it is not the disks that are slow, and
    /// all writes would go to the few that were not.
    private static let avoidableShare = 4

    /// The disks that hold a write up now, and those that have lately, unless these are many.
    private static func avoided(at now: MonotonicTime, _ state: inout State) -> Set<DiskID> {
        let late = Set(state.overdue.lazy.filter { $0.value > 0 }.map(\.key))
        guard forgetFormerlySlow(at: now, &state) else { return late }
        return state.lastSlow.count * avoidableShare <= state.map.disks.count ? late.union(state.lastSlow.keys) : late
    }

    /// Whether any disk has been slow lately.
    private static func forgetFormerlySlow(at now: MonotonicTime, _ state: inout State) -> Bool {
        guard !state.lastSlow.isEmpty else { return false }
        state.lastSlow = state.lastSlow.filter { now.duration(since: $0.value) < slownessMemory }
        return !state.lastSlow.isEmpty
    }

    /// Such a write has ended, well or not.
    package func noteEnded(_ disk: DiskID) {
        state.withLock { state in
            let count = state.overdue[disk, default: 0] - 1
            state.overdue[disk] = count == 0 ? nil : count
        }
    }

    package func noteRead(of disk: DiskID, took duration: Duration) {
        state.withLock { state in
            state.latency[disk, default: LatencyEstimate()].add(duration)
            state.median.noteRead(state.latency)
        }
    }

    /// How long a read of the disk may take before another way is tried: its 95th percentile, within bounds, and not
    /// much longer than other disks take: one that is always slow is to be left out always.
    package func hedgeDelay(for disk: DiskID) -> Duration {
        state.withLock { state in
            min((state.latency[disk] ?? LatencyEstimate()).hedgeDelay, state.median.longestDelay)
        }
    }
}

/// What half of the disks do better than, looked at now and then.
private struct LatencyMedian {
    /// Reads between two looks: all disks are sorted in one.
    private static let interval = 256
    /// Times the median that a read may take: a disk of a slower kind is no reason to read twice.
    private static let factor = 2

    private(set) var longestDelay = Duration.seconds(3_600)
    private var reads = 0

    mutating func noteRead(_ latency: [DiskID: LatencyEstimate]) {
        reads += 1
        guard reads % Self.interval == 0 else { return }
        let delays = latency.values.map(\.hedgeDelay).sorted()
        longestDelay = delays[delays.count / 2] * Self.factor
    }
}

/// A running estimate of a disk's 95th percentile of read latency.
///
/// Frugal streaming (Ma, Muthukrishnan and Sandler 2014): the estimate rises by a step when a sample lies above it and
/// falls by a nineteenth of that when one lies below, so that it settles where 5 % lie above.
package struct LatencyEstimate: Sendable {
    private static let initial = 20.0
    private static let smallest = 10.0
    private static let largest = 2_000.0

    /// Milliseconds.
    private var percentile95 = LatencyEstimate.initial

    package init() {}

    package mutating func add(_ duration: Duration) {
        let sample = Double(duration.nanoseconds) / 1_000_000
        let step = max(0.1, percentile95 * 0.1)
        percentile95 += sample > percentile95 ? step : -step / 19
        percentile95 = min(max(percentile95, 0.1), Self.largest)
    }

    /// Twice the percentile, so that a healthy disk's tail does not double the load; never below the alarm's tick.
    package var hedgeDelay: Duration {
        .microseconds(Int64(min(max(percentile95 * 2, Self.smallest), Self.largest) * 1_000))
    }
}
