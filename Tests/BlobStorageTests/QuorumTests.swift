import BlobStorage
import ObjectModel
import Placement
import TestKit
import Testing

/// When a write is acknowledged in full: W = k + ⌈m/2⌉ shards, and k + 1 outside every single site where that can be.
@Suite("The write quorum")
struct QuorumTests {
    /// The quorum of a group whose shard i lies at site `sites[i]`; nil is a disk that the map does not know.
    private static func quorum(_ name: String, _ sites: [Int?]) throws -> Quorum {
        let scheme = try #require(Scheme(name: name))
        #expect(sites.count == scheme.shardCount)
        let members = sites.indices.map { DiskID(Identifier128(high: 1, low: UInt64($0))) }
        var disks: [DiskID: PlacementDisk] = [:]
        for (member, site) in zip(members, sites) {
            guard let site else { continue }
            disks[member] = PlacementDisk(id: member, site: SiteName("s\(site)"), node: NodeName("n\(site)"))
        }
        return Quorum(ClusterMap.Group(id: GroupID(1), epoch: 1, scheme: scheme, members: members), disks: disks)
    }

    /// Every set of durable shards, as bits.
    private static func sets(_ shards: Int) -> Range<Int> { 0..<(1 << shards) }

    private static func isMet(_ quorum: Quorum, _ set: Int, _ shards: Int) -> Bool {
        quorum.isMet({ set & (1 << $0) != 0 }, of: shards)
    }

    @Test("three sites with rs-6-6: nine shards, and seven outside the site with most, in every combination")
    func threeSites() throws {
        let sites = [0, 1, 2, 0, 1, 2, 0, 1, 2, 0, 1, 2]
        let quorum = try Self.quorum("rs-6-6", sites)
        #expect(quorum.count == 9)
        var refused = 0
        for set in Self.sets(12) {
            let bySite = (0..<3).map { site in (0..<12).count { set & (1 << $0) != 0 && sites[$0] == site } }
            let durable = bySite.reduce(0, +)
            let isSafe = durable - (bySite.max() ?? 0) >= 7
            #expect(Self.isMet(quorum, set, 12) == (durable >= 9 && isSafe))
            if durable >= 9, !isSafe { refused += 1 }
        }
        // The sites do matter: nine with four of them at one site leave five outside it.
        #expect(refused > 0)
        #expect(!Self.isMet(quorum, 0b0000_1101_1111 | 0b0010_0000_0000, 12))
    }

    @Test("what a write settles for when a disk hangs: as many shards, and k outside the site with most")
    func withoutSpare() throws {
        let sites = [0, 1, 2, 0, 1, 2, 0, 1, 2, 0, 1, 2]
        let lesser = try #require(try Self.quorum("rs-6-6", sites).withoutSpare)
        for set in Self.sets(12) {
            let bySite = (0..<3).map { site in (0..<12).count { set & (1 << $0) != 0 && sites[$0] == site } }
            let durable = bySite.reduce(0, +)
            #expect(Self.isMet(lesser, set, 12) == (durable >= 9 && durable - (bySite.max() ?? 0) >= 6))
        }
        #expect(
            try Self.quorum("rs-4-2", [0, 0, 0, 0, 0, 0]).withoutSpare.map(\.count) == nil,
            "there are no sites to go by"
        )
    }

    @Test("three sites with rs-4-2: a whole site lost right after the answer leaves k, one more than a loss may take")
    func fourTwo() throws {
        let quorum = try Self.quorum("rs-4-2", [0, 0, 1, 1, 2, 2])
        // Two a site leave four outside, where five are wanted: the sites do not allow it, and five anywhere are
        // enough.
        for set in Self.sets(6) { #expect(Self.isMet(quorum, set, 6) == (set.nonzeroBitCount >= 5)) }
    }

    @Test("groups whose sites do not allow k + 1 outside each go by the count alone")
    func notAllowed() throws {
        let layouts: [[Int?]] = [
            [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], [0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1],
            [0, 0, 0, 0, 0, 0, 1, 1, 1, 2, 2, 2],
        ]
        for layout in layouts {
            let quorum = try Self.quorum("rs-6-6", layout)
            for set in Self.sets(12) { #expect(Self.isMet(quorum, set, 12) == (set.nonzeroBitCount >= 9)) }
        }
    }

    @Test("a member whose site is not known leaves the count alone")
    func unknown() throws {
        let quorum = try Self.quorum("rs-6-6", [0, 1, 2, 0, 1, 2, 0, 1, 2, 0, 1, nil])
        for set in Self.sets(12) { #expect(Self.isMet(quorum, set, 12) == (set.nonzeroBitCount >= 9)) }
    }

    @Test("sites of different size: what counts is the one that has most of the durable shards")
    func uneven() throws {
        // Five, four and three; seven outside the largest is just allowed.
        let sites = [0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2]
        let quorum = try Self.quorum("rs-6-6", sites)
        for set in Self.sets(12) {
            let bySite = (0..<3).map { site in (0..<12).count { set & (1 << $0) != 0 && sites[$0] == site } }
            let durable = bySite.reduce(0, +)
            #expect(Self.isMet(quorum, set, 12) == (durable >= 9 && durable - (bySite.max() ?? 0) >= 7))
        }
        // All at the small sites and the least of the large one.
        #expect(!Self.isMet(quorum, 0b1111_1110_0011, 12), "nine, of which four at one site leave five")
        #expect(Self.isMet(quorum, 0b1111_1110_1111, 12))
    }

    @Test("a count is met by any so many, and one of none at once", arguments: 0...6)
    func count(wanted: Int) {
        let quorum = Quorum(count: wanted)
        for set in Self.sets(6) { #expect(Self.isMet(quorum, set, 6) == (set.nonzeroBitCount >= wanted)) }
    }

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
