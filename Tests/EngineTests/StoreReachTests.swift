import Coordination
import Metadata
import ObjectModel
import Placement
import Testing

@Suite("What can be read of a store")
struct StoreReachTests {
    private static let disks = (0..<9).map { DiskID(Identifier128(high: 3, low: UInt64($0))) }

    private static func group(
        _ number: UInt32,
        _ scheme: String,
        former: [UInt8: Int] = [:]
    ) throws -> ClusterMap.Group {
        let scheme = try #require(Scheme(name: scheme))
        return ClusterMap.Group(
            id: GroupID(number),
            epoch: 1,
            scheme: scheme,
            members: Array(disks.prefix(scheme.shardCount)),
            former: former.mapValues { disks[$0] }
        )
    }

    private static func missing(_ sequence: UInt64, _ group: UInt32, _ shards: [UInt8]) -> [MissingShard] {
        let blob = BlobID(incarnation: 1, lease: 1, sequence: sequence)
        return shards.map { MissingShard(shard: ShardID(blob: blob, index: $0), group: GroupID(group), spares: 0) }
    }

    private static func without(_ away: Int...) -> Set<DiskID> {
        Set(disks.indices.filter { !away.contains($0) }.map { disks[$0] })
    }

    @Test("each group counts by its own scheme, the weakest says how much there is to spare")
    func schemes() throws {
        let groups = [try Self.group(1, "rs-4-2"), try Self.group(2, "rs-6-3")]
        let all = StoreReach(of: groups, missing: [], served: Self.without())
        #expect(all.fewestSpares == 2 && all.unreadableGroups == 0)
        #expect(StoreReach(of: groups, missing: [], served: Self.without(0, 1)).fewestSpares == 0)
        let lost = StoreReach(of: groups, missing: [], served: Self.without(0, 1, 2))
        #expect(lost.fewestSpares == -1 && lost.unreadableGroups == 1)
        #expect(StoreReach(of: [], missing: [], served: []).fewestSpares == nil)
    }

    @Test("what is missing and what is away come together; a shard that is both counts once")
    func together() throws {
        let groups = [try Self.group(1, "rs-4-2")]
        let missing = Self.missing(7, 1, [5]) + Self.missing(8, 1, [0])
        let reach = StoreReach(of: groups, missing: missing, served: Self.without(0, 1))
        #expect(reach.unreadable.map(\.sequence) == [7] && reach.fewestSpares == -1)
        #expect(reach.unreadableGroups == 0)
    }

    @Test("a place that is being moved counts when both its ends are served")
    func moving() throws {
        let groups = [try Self.group(1, "rs-4-2", former: [0: 8])]
        #expect(StoreReach(of: groups, missing: [], served: Self.without(8, 1)).fewestSpares == 0)
        #expect(StoreReach(of: groups, missing: [], served: Self.without(8, 0)).fewestSpares == 1)
        let missing = Self.missing(7, 1, [5])
        #expect(StoreReach(of: groups, missing: missing, served: Self.without(8, 1)).unreadable.count == 1)
    }
}
