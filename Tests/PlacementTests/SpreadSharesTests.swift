import ObjectModel
import Placement
import Testing

@Suite("What each disk should hold")
struct SpreadSharesTests {
    /// Disks by site and node, by their weights.
    private static func disks(_ sites: [[[Double]]]) -> [PlacementDisk] {
        var result: [PlacementDisk] = []
        for (site, nodes) in sites.enumerated() {
            for (node, weights) in nodes.enumerated() {
                for weight in weights {
                    result.append(
                        PlacementDisk(
                            id: DiskID(Identifier128(high: 1, low: UInt64(result.count))),
                            site: SiteName("site-\(site)"),
                            node: NodeName("node-\(site)-\(node)"),
                            weight: weight
                        )
                    )
                }
            }
        }
        return result
    }

    /// In the order of the disks, for blobs with 120 bytes in each shard.
    private static func shares(_ shardCount: Int, _ sites: [[[Double]]]) throws -> [Int] {
        let disks = disks(sites)
        let rule = try #require(SpreadRule(shardCount: shardCount, disks: disks))
        let shares = rule.shares(of: 120, shardCount: shardCount, on: disks)
        return disks.map { Int((shares[$0.id] ?? 0).rounded()) }
    }

    @Test("known answers")
    func knownAnswers() throws {
        // As the weights say.
        #expect(try Self.shares(2, [[[1, 1, 2]]]) == [60, 60, 120])
        // A disk holds one shard of a blob: what the large one may not take goes to the others.
        #expect(try Self.shares(3, [[[1, 1, 1, 9]]]) == [80, 80, 80, 120])
        // Each of three sites holds a third, however many nodes it has.
        #expect(try Self.shares(3, [[[1], [1]], [[1]], [[1]]]) == [60, 60, 120, 120])
        // The larger site has no more than its two of four shards; in it, as the weights say.
        #expect(try Self.shares(4, [[[1], [1], [2]], [[1], [1]]]) == [60, 60, 120, 120, 120])
        // Of a site's two shards its larger node holds no more than one.
        #expect(try Self.shares(2, [[[5, 5], [1]]]) == [60, 60, 120])
    }

    @Test("nothing is left over, and nobody has more than a shard of each blob", arguments: 1...12)
    func sums(shardCount: Int) throws {
        let clusters: [[[[Double]]]] = [
            [[[1, 2], [3]], [[4, 1], [1, 1, 7]], [[2], [2], [9, 9, 9, 9]]],
            [[[1, 1], [2, 2, 9, 9, 3, 3, 1, 1, 5, 5]]],
        ]
        for sites in clusters {
            let shares = try Self.shares(shardCount, sites)
            #expect(abs(shares.reduce(0, +) - 120 * shardCount) <= shares.count)
            #expect(shares.allSatisfy { $0 <= 120 })
        }
    }
}
