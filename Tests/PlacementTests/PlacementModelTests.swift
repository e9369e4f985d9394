import ObjectModel
import Placement
import TestKit
import Testing

/// A small store that grows, shrinks, loses disks and evens itself out, and what must be true of each plan, found by
/// counting and by trying everything.
private struct PlacementModel {
    /// All sets of them are tried.
    static let diskLimit = 10

    private var generator = SplitMix64(seed: 0)
    private let scheme: Scheme
    private var disks: [PlacementDisk] = []
    private var draining: Set<DiskID> = []
    private var away: Set<DiskID> = []
    private var groups: [GroupLoad] = []
    private var named: UInt64 = 0
    private var done: [String] = []

    init(scheme: Scheme) throws {
        self.scheme = scheme
        for _ in 0..<scheme.shardCount { addDisk() }
        try found()
    }

    /// Each step draws from a seed of its own, so that one that is left out does not change the others.
    mutating func run(_ steps: [UInt64]) throws {
        do {
            for step in steps {
                generator = SplitMix64(seed: step)
                let before = disks
                try take()
                if disks != before { try checkRule() }
            }
        } catch let difference as Difference {
            throw Difference(description: "\(difference), after \(done.joined(separator: ", "))")
        }
    }

    private mutating func number(_ bound: Int) -> Int { Int.random(in: 0..<bound, using: &generator) }

    private mutating func take() throws {
        switch number(12) {
        case 0...2: addDisk()
        case 3: try lose()
        case 4: toggle(\.draining, "draining")
        case 5: toggle(\.away, "away")
        case 6: fill()
        case 7: try found()
        case 8: settle()
        case 9: try drain()
        default: try balance()
        }
    }

    // MARK: What happens to a store

    private mutating func addDisk() {
        guard disks.count < Self.diskLimit else { return }
        let (site, node) = (number(3), number(2))
        named += 1
        done.append("disk \(named) on \(site)/\(node)")
        disks.append(
            PlacementDisk(
                id: DiskID(Identifier128(high: named &* 0xD6E8_FEB8_6659_FD93, low: named)),
                site: SiteName("site-\(site)"),
                node: NodeName("node-\(site)-\(node)"),
                weight: Double(1 + number(3))
            )
        )
    }

    private mutating func toggle(_ set: WritableKeyPath<Self, Set<DiskID>>, _ name: String) {
        let disk = disks[number(disks.count)].id
        done.append("\(name) \(disk.value.low)")
        if self[keyPath: set].remove(disk) == nil { self[keyPath: set].insert(disk) }
    }

    private mutating func fill() {
        let index = number(groups.count)
        groups[index].bytesPerPlace += number(1_000_000)
        done.append("fill \(index)")
    }

    /// All moves that are under way end.
    private mutating func settle() {
        done.append("settle")
        for index in groups.indices { groups[index].group.former = [:] }
    }

    private func disk(_ id: DiskID) -> PlacementDisk? { disks.first { $0.id == id } }

    private func members(_ group: GroupLoad) -> [PlacementDisk] { group.group.members.compactMap(disk) }

    // MARK: New groups

    private mutating func found() throws {
        guard let planner = GroupPlanner(scheme: scheme, disks: disks.shuffled(using: &generator)),
            let rule = SpreadReference(shardCount: scheme.shardCount, disks: disks)
        else { throw Difference(description: "no planner for \(disks.count) disks") }
        done.append("found")
        groups = planner.groups(from: 0).map { GroupLoad(group: $0, bytesPerPlace: 0) }
        try expect(groups.count == planner.groupCount, "\(groups.count) groups")
        for group in groups { try checkNew(group.group.members, rule) }
        let id = GroupID(UInt32(number(1_000)))
        let members = planner.members(of: id)
        try checkNew(members, rule)
        let whole = SpreadRule(shardCount: scheme.shardCount, disks: disks)
        for left in disks.indices where !members.contains(disks[left].id) {
            var others = disks
            others.remove(at: left)
            // Fewer disks may mean another rule; then anything may change.
            guard SpreadRule(shardCount: scheme.shardCount, disks: others) == whole,
                let smaller = GroupPlanner(scheme: scheme, disks: others)
            else { continue }
            try expect(smaller.members(of: id) == members, "a group changes with a disk that is not in it")
        }
    }

    private func checkNew(_ members: [DiskID], _ rule: SpreadReference) throws {
        try expect(members.count == scheme.shardCount && Set(members).count == members.count, "members \(members)")
        let found = members.compactMap(disk)
        try expect(found.count == members.count && rule.holds(found), "new members against \(rule): \(found)")
    }

    // MARK: A disk that is lost

    private mutating func lose() throws {
        guard disks.count > scheme.shardCount else { return }
        let lost = disks.remove(at: number(disks.count))
        done.append("lose \(lost.id.value.low)")
        draining.remove(lost.id)
        away.remove(lost.id)
        guard let planner = GroupPlanner(scheme: scheme, disks: disks),
            let rule = SpreadReference(shardCount: scheme.shardCount, disks: disks)
        else { throw Difference(description: "no planner for \(disks.count) disks") }
        for index in groups.indices {
            let group = groups[index].group
            guard let shard = group.members.firstIndex(of: lost.id) else { continue }
            let standIn = planner.standIn(for: lost.id, in: group.id, of: group.members)
            let others = members(groups[index])
            let possible = disks.filter { disk in
                !group.members.contains(disk.id) && rule.allows(disk, beside: others, insteadOf: nil)
            }
            guard let standIn else {
                try expect(possible.isEmpty, "no stand-in, though \(possible) would do")
                continue
            }
            try expect(possible.contains { $0.id == standIn }, "\(standIn) stands in, of \(possible)")
            groups[index].group.members[shard] = standIn
            groups[index].group.former = [:]
        }
    }

    // MARK: Plans

    private var staying: [PlacementDisk] { disks.filter { !draining.contains($0.id) } }
    private var takers: [PlacementDisk] { staying.filter { !away.contains($0.id) } }
    /// Of the plan that is looked at.
    private var rule: SpreadReference?

    private mutating func planner() -> MovePlanner {
        rule = SpreadReference(shardCount: scheme.shardCount, disks: staying)
        return MovePlanner(disks: disks, draining: draining, away: away, groups: groups)
    }

    private mutating func drain() throws {
        var planner = planner()
        let (moves, unplaced) = planner.drain()
        done.append("drain in \(moves.count)")
        let before = groups
        try apply(moves)
        for move in moves { try expect(draining.contains(move.from), "\(move) of a disk that stays") }
        var left = 0
        for (index, group) in before.enumerated() where group.group.former.isEmpty {
            let places = groups[index].group.members.count(where: draining.contains)
            left += places
            // With more than one, what is moved later may make room for what was looked at first.
            guard places == 1, group.group.members.count(where: draining.contains) == 1,
                let shard = group.group.members.firstIndex(where: draining.contains)
            else { continue }
            let target = takers.first { isAllowed($0, for: shard, in: group) }
            try expect(target == nil, "a place of \(group.group.id) stays, though \(target as Any) could take it")
        }
        try expect(unplaced == left, "\(unplaced) places unplaced, not \(left)")
        finish(moves)
    }

    private mutating func balance() throws {
        var planner = planner()
        let shares = planner.shares
        try checkShares(shares)
        let isWithinRule =
            rule.map { rule in
                groups.allSatisfy { !$0.group.former.isEmpty || rule.holds(members($0)) }
            } ?? true
        let moves = planner.balance()
        done.append("balance in \(moves.count)")
        var loads = loads()
        for move in moves where isWithinRule {
            let load = Double(move.bytes) + 1
            let from = loads[move.from, default: 0] - shares[move.from, default: 0]
            let to = loads[move.to, default: 0] - shares[move.to, default: 0]
            try expect(from > 0 && to < 0, "\(move) from \(from) above its share to \(to)")
            // Whether the sum of their squares becomes less.
            try expect(load < from - to, "\(move) makes the disks less even")
            loads[move.from, default: 0] -= load
            loads[move.to, default: 0] += load
        }
        if isWithinRule && moves.isEmpty { try checkEven(shares, loads) }
        try apply(moves)
        finish(moves)
    }

    /// Bytes on each disk as plans count them: an empty place counts one.
    private func loads() -> [DiskID: Double] {
        var loads: [DiskID: Double] = [:]
        for group in groups {
            for member in group.group.members { loads[member, default: 0] += Double(group.bytesPerPlace) + 1 }
        }
        return loads
    }

    private func checkShares(_ shares: [DiskID: Double]) throws {
        guard let rule else { return }
        let bytes = groups.reduce(0) { $0 + Double($1.bytesPerPlace) + 1 }
        let slack = 1 + bytes * 1e-9
        let whole = shares.values.reduce(0, +)
        try expect(abs(whole - bytes * Double(scheme.shardCount)) < slack, "shares of \(whole) in all, of \(bytes)")
        for (site, disks) in Dictionary(grouping: staying, by: \.site) {
            let share = disks.reduce(0) { $0 + shares[$1.id, default: 0] }
            try expect(share <= Double(rule.perSite) * bytes + slack, "site \(site) shall hold \(share)")
        }
        for disk in staying {
            try expect(shares[disk.id, default: 0] <= bytes + slack, "\(disk.id) shall hold a group twice")
        }
        for disk in draining { try expect(shares[disk] == nil, "\(disk) has a share, and is to be empty") }
    }

    /// Nothing was moved: no single move that the rule allows makes a disk that holds too much less full.
    private func checkEven(_ shares: [DiskID: Double], _ loads: [DiskID: Double]) throws {
        for group in groups where group.group.former.isEmpty {
            let load = Double(group.bytesPerPlace) + 1
            for (shard, member) in group.group.members.enumerated() where staying.contains(where: { $0.id == member }) {
                let excess = loads[member, default: 0] - shares[member, default: 0]
                guard excess > MovePlanner.tolerance * shares[member, default: 0] else { continue }
                for target in takers where isAllowed(target, for: shard, in: group) {
                    let room = shares[target.id, default: 0] - loads[target.id, default: 0]
                    let isBetter = room > 0 && load < (excess + room) * 0.999_999
                    try expect(!isBetter, "\(group.group.id)/\(shard) may go to \(target.id), and does not")
                }
            }
        }
    }

    private func isAllowed(_ new: PlacementDisk, for shard: Int, in group: GroupLoad) -> Bool {
        guard let rule, !group.group.members.contains(new.id) else { return false }
        var others = group
        let old = disk(others.group.members.remove(at: shard))
        return rule.allows(new, beside: members(others), insteadOf: old)
    }

    /// Each move must be possible where it stands in the list.
    private mutating func apply(_ moves: [PlaceMove]) throws {
        var places: Set<[UInt64]> = []
        var left: [GroupID: Set<DiskID>] = [:]
        for move in moves {
            guard let index = groups.firstIndex(where: { $0.group.id == move.group }) else {
                throw Difference(description: "\(move) of no group")
            }
            let (group, shard) = (groups[index], Int(move.shard))
            try expect(group.group.former.isEmpty, "\(move) of a group that is being moved")
            try expect(group.group.members[shard] == move.from && group.bytesPerPlace == move.bytes, "\(move)")
            try expect(places.insert([UInt64(move.group.number), UInt64(shard)]).inserted, "\(move), a place twice")
            try expect(left[move.group]?.contains(move.to) != true, "\(move) to where a shard still lies")
            left[move.group, default: []].insert(move.from)
            guard let target = takers.first(where: { $0.id == move.to }) else {
                throw Difference(description: "\(move) to a disk that takes nothing")
            }
            try expect(isAllowed(target, for: shard, in: group), "\(move) against the rule")
            groups[index].group.members[shard] = move.to
        }
    }

    /// A third of the plans is under way for a while.
    private mutating func finish(_ moves: [PlaceMove]) {
        guard number(3) == 0 else { return }
        done.append("under way")
        for move in moves {
            guard let index = groups.firstIndex(where: { $0.group.id == move.group }) else { continue }
            groups[index].group.former[move.shard] = move.from
        }
    }

    // MARK: The rule

    private func checkRule() throws {
        for count in 1...scheme.shardCount + 1 {
            let found = SpreadRule(shardCount: count, disks: disks)
            let expected = SpreadReference(shardCount: count, disks: disks)
            try expect(
                found?.perSite == expected?.perSite && found?.perNode == expected?.perNode,
                "\(count) shards: \(String(describing: found)), not \(String(describing: expected))"
            )
        }
    }
}

@Suite("Placement against plain counting")
struct PlacementModelTests {
    @Test(
        "members, stand-ins, moves and the rule are what trying everything says, while a store changes",
        arguments: ["rs-2-1", "rs-2-2", "rs-4-2"],
        1...20 as ClosedRange<UInt64>
    )
    func plans(name: String, seed: UInt64) async throws {
        let scheme = try #require(Scheme(name: name))
        var generator = SplitMix64(seed: seed)
        try await Shrinking.check((0..<60).map { _ in generator.next() }) { steps in
            var model = try PlacementModel(scheme: scheme)
            try model.run(steps)
        }
    }
}
