import BlobStorage
import ObjectModel
import Placement
import TestKit
import Testing

@Suite("When a write is acknowledged in full")
struct QuorumTests {
    /// Plans must promise what the write path does: no more, and no less.
    @Test("The plan of a loss and the write path agree, for every set of disks", arguments: 0..<24)
    func agreesWithPlans(seed: Int) throws {
        var generator = SplitMix64(seed: UInt64(seed))
        let scheme = try #require(
            Scheme(
                dataCount: Int.random(in: 1...4, using: &generator),
                parityCount: Int.random(in: 1...5, using: &generator)
            )
        )
        let sites = Int.random(in: 1...4, using: &generator)
        let members = (0..<scheme.shardCount).map { DiskID(Identifier128(high: 1, low: UInt64($0))) }
        var disks: [DiskID: PlacementDisk] = [:]
        for member in members {
            let site = Int.random(in: 0..<sites, using: &generator)
            disks[member] = PlacementDisk(id: member, site: SiteName("site-\(site)"), node: NodeName("node-\(site)"))
        }
        let group = ClusterMap.Group(id: GroupID(0), epoch: 1, scheme: scheme, members: members)
        let quorum = Quorum(group, disks: disks)
        for bits in 0..<(1 << members.count) {
            let usable = members.indices.filter { bits >> $0 & 1 == 1 }
            let writes = LossOutcome.writes(of: group, on: usable.compactMap { disks[members[$0]] }, disks: disks)
            #expect((writes == .full) == quorum.isMet(usable.contains, of: members.count))
            #expect((writes == .refused) == (usable.count < scheme.degradedQuorum))
        }
    }
}
