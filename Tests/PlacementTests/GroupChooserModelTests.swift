import ObjectModel
import Placement
import TestKit
import Testing

/// Disks that come, go, fill up and become slow, and the group that a list of all of them would name.
private struct ChooserModel {
    static let shardLength = 100

    private var generator = SplitMix64(seed: 0)
    private let disks = (0..<8).map { DiskID(Identifier128(high: 0, low: UInt64($0))) }
    private let schemes: [Scheme]
    private var map = ClusterMap()
    private var conditions: [DiskID: DiskCondition] = [:]
    private var slow: Set<DiskID> = []
    private var done: [String] = []

    init(schemes: [Scheme]) {
        self.schemes = schemes
    }

    /// Each step draws from a seed of its own, so that one that is left out does not change the others.
    mutating func run(_ steps: [UInt64]) throws {
        for step in steps {
            generator = SplitMix64(seed: step)
            take()
            for turn in 0..<4 {
                for scheme in schemes { try check(scheme, turn) }
            }
        }
    }

    private mutating func number(_ bound: Int) -> Int { Int.random(in: 0..<bound, using: &generator) }

    private mutating func take() {
        let disk = number(disks.count)
        switch number(10) {
        case 0...1:
            let scheme = schemes[number(schemes.count)]
            let id = GroupID(UInt32(number(6)))
            let members = Array(disks.shuffled(using: &generator).prefix(scheme.shardCount))
            done.append("group \(id.number): \(scheme.name) on \(members.map(\.value.low))")
            map.groups[id] = ClusterMap.Group(id: id, epoch: 1, scheme: scheme, members: members)
        case 2:
            done.append("\(disk) unheard of")
            conditions[disks[disk]] = nil
        case 3:
            done.append("\(disk) slow or not")
            if slow.remove(disks[disk]) == nil { slow.insert(disks[disk]) }
        default:
            let condition = DiskCondition(isUsable: number(8) > 0, room: [0, 99, 100, 500, 1_000][number(5)])
            done.append("\(disk) \(condition.isUsable ? "with \(condition.room)" : "unusable")")
            conditions[disks[disk]] = condition
        }
    }

    private func check(_ scheme: Scheme, _ turn: Int) throws {
        let found = GroupChooser(map: map).choose(
            scheme: scheme,
            shardLength: Self.shardLength,
            turn: turn,
            conditions: conditions,
            avoiding: slow
        )
        let expected = expected(scheme, turn)
        guard found?.group == expected?.group, found?.usable == expected?.usable else {
            let text = "\(String(describing: found)) at turn \(turn), not \(String(describing: expected))"
            throw Difference(description: "\(text), after \(done.joined(separator: ", "))")
        }
    }

    private struct Candidate {
        var group: ClusterMap.Group
        var usable: Set<DiskID>
        /// The greater, the better: whole with few slow disks; then by usable members, then by the room of the fullest.
        var worth: [Int]
    }

    /// The first in turn order of those that are worth most.
    private func expected(_ scheme: Scheme, _ turn: Int) -> Candidate? {
        let groups = map.groups.values.filter { $0.scheme == scheme }.sorted { $0.id < $1.id }
        guard !groups.isEmpty else { return nil }
        let inTurn = groups[(turn % groups.count)...] + groups[..<(turn % groups.count)]
        let candidates = inTurn.compactMap { group -> Candidate? in
            let usable = group.members.filter { disk in
                guard let condition = conditions[disk], condition.isUsable else { return false }
                return condition.room >= Self.shardLength
            }
            guard usable.count >= scheme.degradedQuorum else { return nil }
            let isWhole = usable.count == group.members.count
            let slowCount = slow.intersection(usable).count
            let room = usable.compactMap { conditions[$0]?.room }.min() ?? 0
            let worth = isWhole ? [1, -slowCount, 0] : [0, usable.count, room]
            return Candidate(group: group, usable: Set(usable), worth: worth)
        }
        let best = candidates.map(\.worth).max { $0.lexicographicallyPrecedes($1) }
        return candidates.first { $0.worth == best }
    }
}

@Suite("The group of the next blob against a list of all")
struct GroupChooserModelTests {
    @Test("the group that is chosen is the first of the best", arguments: 1...20 as ClosedRange<UInt64>)
    func chosen(seed: UInt64) async throws {
        let schemes = try ["rs-4-2", "rs-2-1"].map { try #require(Scheme(name: $0)) }
        var generator = SplitMix64(seed: seed)
        try await Shrinking.check((0..<80).map { _ in generator.next() }) { steps in
            var model = ChooserModel(schemes: schemes)
            try model.run(steps)
        }
    }
}
