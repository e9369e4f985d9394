import ObjectModel
import Placement
import TestKit
import Testing

@Suite("What a storage class would be")
struct ClassPlanTests {
    private static func scheme(_ name: String) throws -> Scheme { try #require(Scheme(name: name)) }

    /// A store of rs-4-2 on these disks.
    private static func map(_ sites: [[Int]]) throws -> ClusterMap {
        let layout = try #require(LayoutHarness.founded(scheme("rs-4-2"), sites))
        return ClusterMap(
            groups: Dictionary(uniqueKeysWithValues: layout.groups.map { ($0.id, $0) }),
            disks: layout.disks
        )
    }

    private static func plan(_ name: String, _ map: ClusterMap, without lost: Int = 0) throws -> ClassPlan {
        let usable = Set(map.disks.keys.sorted().dropFirst(lost))
        let next = (map.groups.keys.max()?.number ?? 0) + 1
        return try ClassPlan(scheme(name), map: map, usable: usable, next: next)
    }

    @Test("Nine disks take rs-6-3 with groups of its own, which survive three disks")
    func nineDisks() throws {
        let map = try Self.map([[9]])
        let plan = try Self.plan("rs-6-3", map)
        #expect(plan.added.count == 32 && plan.keepers == 7)
        #expect(plan.survival.disks == 3 && plan.survival.nodes == 0)
        #expect(Set(plan.added.map(\.id)).isDisjoint(with: map.groups.keys))
        #expect(plan.added.allSatisfy { Set($0.members).count == 9 })
        #expect(plan.layout.groupsAgainstTheRule.isEmpty)
    }

    @Test("A class of a scheme that has groups shares them")
    func shared() throws {
        let map = try Self.map([[9]])
        let plan = try Self.plan("rs-4-2", map)
        #expect(plan.added.isEmpty && plan.layout.groups.count == map.groups.count)
    }

    @Test("Too few disks, or too few that work, are refused with both numbers")
    func tooFewDisks() throws {
        let map = try Self.map([[9]])
        #expect(throws: ClassPlan.Refusal.tooFewDisks(usable: 9, scheme: try Self.scheme("rs-8-7"))) {
            _ = try Self.plan("rs-8-7", map)
        }
        #expect(throws: ClassPlan.Refusal.tooFewDisks(usable: 8, scheme: try Self.scheme("rs-6-3"))) {
            _ = try Self.plan("rs-6-3", map, without: 1)
        }
        let text = ClassPlan.Refusal.tooFewDisks(usable: 9, scheme: try Self.scheme("rs-8-7")).description
        #expect(text.contains("15") && text.hasSuffix("9"))
        let drained = ClassPlan.Refusal.tooFewDisks(usable: 14, scheme: try Self.scheme("rs-8-7"), emptied: 1)
        #expect(drained.description.hasSuffix("there are 14: 1 more is being emptied"))
    }

    @Test("A journal that could not survive what the class promises is a reason to refuse it")
    func tooFewKeepers() throws {
        let map = try Self.map([[8]])
        #expect(throws: ClassPlan.Refusal.tooFewKeepers(possible: 7, needed: 9, scheme: try Self.scheme("rs-4-4"))) {
            _ = try Self.plan("rs-4-4", map)
        }
        // Three sites with too few disks in one of them.
        let sites = try Self.map([[6], [6], [2]])
        #expect(throws: ClassPlan.Refusal.self) { _ = try Self.plan("rs-6-6", sites) }
        #expect(try Self.plan("rs-6-6", try Self.map([[6], [6], [6]])).keepers == 15)
    }

    @Test("On any disks a class is refused, or survives as many disks as its parity and keeps the spread rule")
    func promise() throws {
        var generator = SplitMix64(seed: 5)
        var accepted = 0
        for _ in 0..<300 {
            let sites = (0..<Int.random(in: 1...3, using: &generator)).map { _ in
                (0..<Int.random(in: 1...3, using: &generator)).map { _ in Int.random(in: 1...4, using: &generator) }
            }
            let disks = LayoutHarness.disks(sites)
            let data = Int.random(in: 1...8, using: &generator)
            let scheme = try #require(
                Scheme(dataCount: data, parityCount: Int.random(in: 1...5, using: &generator))
            )
            let map = ClusterMap(disks: disks)
            guard let plan = try? ClassPlan(scheme, map: map, usable: Set(disks.keys), next: 3) else { continue }
            accepted += 1
            #expect(plan.survival.disks == scheme.parityCount)
            #expect(plan.layout.groupsAgainstTheRule.isEmpty)
            #expect(plan.added.allSatisfy { $0.members.count == scheme.shardCount })
            // With as many keepers gone as disks may go, a majority is left.
            #expect(plan.keepers - scheme.parityCount >= plan.keepers / 2 + 1)
        }
        #expect(accepted > 50)
    }
}

@Suite("Several schemes in one map")
struct SchemeTests {
    private let weak = Scheme(dataCount: 4, parityCount: 2)
    private let strong = Scheme(dataCount: 6, parityCount: 3)

    private func map() throws -> ClusterMap {
        let (weak, strong) = (try #require(weak), try #require(strong))
        let disks = LayoutHarness.disks([[9]])
        let groups = [
            LayoutHarness.group(0, weak, [0, 1, 2, 3, 4, 5]), LayoutHarness.group(1, weak, [3, 4, 5, 6, 7, 8]),
            LayoutHarness.group(2, strong, [0, 1, 2, 3, 4, 5, 6, 7, 8]),
        ]
        return ClusterMap(
            groups: Dictionary(uniqueKeysWithValues: groups.map { ($0.id, $0) }),
            disks: disks,
            classes: ["COLD": strong]
        )
    }

    @Test("The first group's scheme is STANDARD's, and the one that survives most is the strongest")
    func order() throws {
        let map = try map()
        #expect(map.schemes == [weak, strong].compactMap { $0 })
        #expect(map.strongestScheme == strong)
        #expect(ClusterMap().strongestScheme == nil)
    }

    @Test("A scheme that no class has is closed, but for that of the first group")
    func closed() throws {
        var map = try map()
        #expect(map.closedSchemes.isEmpty, "a class has it")
        map.classes = [:]
        #expect(map.closedSchemes == [try #require(strong)])
    }

    @Test("A group of another scheme is never chosen, however few of the wanted one are left")
    func choice() throws {
        let map = try map()
        let chooser = GroupChooser(map: map)
        let (weak, strong) = (try #require(weak), try #require(strong))
        for lost in LayoutHarness.subsets(of: Array(0..<9)) {
            var conditions: [DiskID: DiskCondition] = [:]
            for number in 0..<9 {
                let isUsable = !lost.contains(number)
                conditions[LayoutHarness.disk(number)] = DiskCondition(isUsable: isUsable, room: 100)
            }
            for turn in 0..<3 {
                let first = chooser.choose(scheme: weak, shardLength: 1, turn: turn, conditions: conditions)
                #expect(first.map { $0.group.scheme == weak } ?? true)
                let second = chooser.choose(scheme: strong, shardLength: 1, turn: turn, conditions: conditions)
                #expect((second != nil) == (lost.count <= 2))
                #expect(second.map { $0.group.scheme == strong } ?? true)
            }
        }
        let other = try #require(Scheme(dataCount: 2, parityCount: 1))
        #expect(chooser.choose(scheme: other, shardLength: 1, turn: 0, conditions: [:]) == nil)
    }

    @Test("The scheme that does worst decides what writes of the store meet")
    func writes() throws {
        let map = try map()
        let layout = StoreLayout(groups: Array(map.groups.values), disks: map.disks)
        #expect(LossOutcome(layout, without: []).writes == .full)
        // The group of six that holds none of these is whole; the one of nine takes degraded writes, then none.
        let disks = (0..<3).map(LayoutHarness.disk)
        #expect(LossOutcome(layout, without: Set(disks.prefix(1))).writes == .full)
        #expect(LossOutcome(layout, without: Set(disks.prefix(2))).writes == .degraded)
        #expect(LossOutcome(layout, without: Set(disks)).writes == .refused)
    }

    @Test("The strongest of several schemes decides how many keepers there are")
    func keepers() throws {
        let disks = LayoutHarness.disks([[9]]).values.sorted { $0.id < $1.id }
        #expect(KeeperPlan(schemes: [weak, strong].compactMap { $0 }, disks: disks)?.count == 7)
        #expect(KeeperPlan(schemes: [], disks: disks) == nil)
    }
}
