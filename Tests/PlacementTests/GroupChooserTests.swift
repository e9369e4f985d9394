import ObjectModel
import Placement
import Testing

@Suite("The group of the next blob")
struct GroupChooserTests {
    private static let disks = (0..<9).map { DiskID(Identifier128(high: 0, low: UInt64($0))) }

    /// Groups of rs-4-2 on disks 0 to 5, 3 to 8, and every third but the first.
    private static func chooser(_ scheme: Scheme) -> GroupChooser {
        let members = [Array(disks[0..<6]), Array(disks[3..<9]), [1, 2, 4, 5, 7, 8].map { disks[$0] }]
        var map = ClusterMap()
        for (number, members) in members.enumerated() {
            let id = GroupID(UInt32(number))
            map.groups[id] = ClusterMap.Group(id: id, epoch: 1, scheme: scheme, members: members)
        }
        return GroupChooser(map: map)
    }

    private static func conditions(unusable: Set<Int> = [], full: Set<Int> = []) -> [DiskID: DiskCondition] {
        Dictionary(
            uniqueKeysWithValues: disks.indices.map { number in
                let room = full.contains(number) ? 10 : 1_000
                return (disks[number], DiskCondition(isUsable: !unusable.contains(number), room: room))
            }
        )
    }

    /// The groups chosen in as many turns as there are groups, and how many disks of each are usable.
    private static func choices(_ conditions: [DiskID: DiskCondition], slow: Set<Int> = []) throws -> [[Int]] {
        let scheme = try #require(Scheme(name: "rs-4-2"))
        let chooser = chooser(scheme)
        let avoided = Set(slow.map { disks[$0] })
        return (0..<3).map { turn in
            let choice = chooser.choose(
                scheme: scheme,
                shardLength: 100,
                turn: turn,
                conditions: conditions,
                avoiding: avoided
            )
            return choice.map { [Int($0.group.id.number), $0.usable.count] } ?? []
        }
    }

    @Test("whole groups take turns")
    func turns() throws {
        #expect(try Self.choices(Self.conditions()) == [[0, 6], [1, 6], [2, 6]])
    }

    @Test("a group that is short of members only when no other is whole")
    func short() throws {
        #expect(try Self.choices(Self.conditions(unusable: [0])) == [[1, 6], [1, 6], [2, 6]])
        #expect(try Self.choices(Self.conditions(full: [3])) == [[2, 6], [2, 6], [2, 6]])
        #expect(try Self.choices(Self.conditions(unusable: [4])) == [[0, 5], [1, 5], [2, 5]])
        #expect(try Self.choices(Self.conditions(unusable: [4, 5])) == [[], [], []])
    }

    @Test("a slow disk is avoided where a whole group has none, and is better than one that is not there")
    func slow() throws {
        #expect(try Self.choices(Self.conditions(), slow: [0]) == [[1, 6], [1, 6], [2, 6]])
        #expect(try Self.choices(Self.conditions(), slow: [4]) == [[0, 6], [1, 6], [2, 6]])
        // Where all have some, the fewest.
        #expect(try Self.choices(Self.conditions(), slow: [3, 4]) == [[2, 6], [2, 6], [2, 6]])
        #expect(try Self.choices(Self.conditions(unusable: [0]), slow: [7]) == [[1, 6], [1, 6], [2, 6]])
    }
}
