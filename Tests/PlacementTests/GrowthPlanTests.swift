import ObjectModel
import Placement
import TestKit
import Testing

@Suite("Plans of growth")
struct GrowthPlanTests {
    private static let terabyte = 1e12

    /// Disks by site and node, by the bytes that each holds.
    private static func disks(_ sites: [[[Double]]], from first: Int = 0) -> [PlacementDisk] {
        var result: [PlacementDisk] = []
        for (site, nodes) in sites.enumerated() {
            for (node, sizes) in nodes.enumerated() {
                for size in sizes {
                    let number = UInt64(first + result.count + 1)
                    result.append(
                        PlacementDisk(
                            id: DiskID(Identifier128(high: number &* 0xD6E8_FEB8_6659_FD93, low: number)),
                            site: SiteName("site-\(site)"),
                            node: NodeName("node-\(site)-\(node)"),
                            weight: size
                        )
                    )
                }
            }
        }
        return result
    }

    private static func groups(_ scheme: Scheme, _ disks: [PlacementDisk], bytes: Int) throws -> [GroupLoad] {
        let planner = try #require(GroupPlanner(scheme: scheme, disks: disks))
        return planner.groups(from: 0).map { GroupLoad(group: $0, bytesPerPlace: bytes) }
    }

    @Test("a node added to a site of three moves its share and little more, and the disks are even then")
    func node() throws {
        let scheme = try #require(Scheme(name: "rs-4-2"))
        let node = [4 * Self.terabyte, 4 * Self.terabyte]
        let old = Self.disks([[node, node, node]])
        let groups = try Self.groups(scheme, old, bytes: 1_000_000)
        let new = [1, 2].map { number in
            PlacementDisk(
                id: DiskID(Identifier128(high: .max, low: number)),
                site: SiteName("site-0"),
                node: NodeName("node-0-3"),
                weight: 4 * Self.terabyte
            )
        }
        let plan = GrowthPlan(groups: groups, disks: old, adding: new)
        #expect(Double(plan.bytesMoved) > 0.85 * Double(plan.idealShare))
        #expect(Double(plan.bytesMoved) < 1.15 * Double(plan.idealShare))
        #expect(plan.before.bytes.values.reduce(0, +) == plan.after.bytes.values.reduce(0, +))
        for disk in new { #expect(Double(plan.after.bytes[disk.id] ?? 0) > 0.8 * Double(plan.idealShare) / 2) }
        #expect(plan.after.survival(of: scheme)?.disks == 2)
        #expect(plan.after.survival(of: scheme)?.nodes == 1)
        #expect(plan.before.survival(of: try #require(Scheme(name: "rs-6-3"))) == nil)
        // Eight disks of four against six: the room of one stripe in four thirds.
        #expect(Self.isNear(plan.before.room(for: scheme), 16 * Self.terabyte))
        #expect(Self.isNear(plan.after.room(for: scheme), 64 / 3 * Self.terabyte))
        // What a disk reads and writes, and what all may move together, whichever is slower.
        let slow = try #require(plan.seconds(bytesPerSecond: 1_000, totalPerSecond: 1 << 40))
        #expect(slow >= plan.idealShare / 2 / 1_000 * 8 / 10)
        #expect(plan.seconds(bytesPerSecond: 1 << 40, totalPerSecond: 1_000) == plan.bytesMoved / 1_000)
    }

    private static func isNear(_ count: Int, _ expected: Double) -> Bool {
        abs(Double(count) - expected) < expected * 1e-9 + 64
    }

    @Test("disks added to one of three sites give no room to a scheme that is spread over all")
    func oneSite() throws {
        let scheme = try #require(Scheme(name: "rs-6-6"))
        let old = Self.disks((0..<3).map { _ in [[1e6, 1e6], [1e6, 1e6]] })
        let new = Self.disks([[[1e6, 1e6, 1e6, 1e6]]], from: 100)
        let plan = GrowthPlan(groups: try Self.groups(scheme, old, bytes: 50), disks: old, adding: new)
        #expect(Self.isNear(plan.before.room(for: scheme), 6e6))
        #expect(plan.before.room(for: scheme) == plan.after.room(for: scheme))
        #expect(new.contains { plan.after.bytes[$0.id] ?? 0 > 0 })
        for move in plan.moves where new.contains(where: { $0.id == move.to }) {
            #expect(old.first { $0.id == move.from }?.site == SiteName("site-0"))
        }
        #expect(plan.after.survival(of: scheme)?.sites == 1)
    }

    @Test("an empty store needs no time")
    func empty() throws {
        let scheme = try #require(Scheme(name: "rs-2-1"))
        let old = Self.disks([[[1, 1, 1]]])
        let plan = GrowthPlan(
            groups: try Self.groups(scheme, old, bytes: 0),
            disks: old,
            adding: Self.disks([[[1]]], from: 9)
        )
        #expect(plan.bytesMoved == 0 && plan.idealShare == 0)
        #expect(plan.seconds(bytesPerSecond: 1, totalPerSecond: 1) == nil)
        #expect(!plan.moves.isEmpty)
    }

    @Test("the room is what filling the disks stripe by stripe comes to")
    func room() throws {
        var generator = SplitMix64(seed: 5)
        var tried = 0
        while tried < 150 {
            let sites = (0..<Int.random(in: 1...3, using: &generator)).map { _ in
                (0..<Int.random(in: 1...3, using: &generator)).map { _ in
                    (0..<Int.random(in: 1...3, using: &generator)).map { _ in
                        Double(Int.random(in: 1...6, using: &generator) * 200)
                    }
                }
            }
            let disks = Self.disks(sites)
            let parity = Int.random(in: 1...3, using: &generator)
            guard let scheme = Scheme(dataCount: Int.random(in: 1...5, using: &generator), parityCount: parity),
                let rule = SpreadRule(shardCount: scheme.shardCount, disks: disks)
            else { continue }
            tried += 1
            let state = GrowthPlan.State(disks: disks, groups: [], bytes: [:])
            let room = state.room(for: scheme) / scheme.dataCount
            let filled = Self.fill(disks, scheme.shardCount, rule)
            #expect(filled <= room + 1, "\(sites) \(scheme)")
            // Taking the emptiest disks first is not always the best way: it comes close.
            #expect(Double(filled) >= 0.85 * Double(room) - 3, "\(sites) \(scheme)")
        }
    }

    /// Stripes of one byte a shard, each on the emptiest disks that the rule allows: how many fit.
    private static func fill(_ disks: [PlacementDisk], _ count: Int, _ rule: SpreadRule) -> Int {
        var room = disks.map { Int($0.weight) }
        var stripes = 0
        while true {
            var (sites, nodes) = ([SiteName: Int](), [NodeName: Int]())
            var taken: [Int] = []
            for index in disks.indices.sorted(by: { (room[$0], $0) > (room[$1], $1) }) where taken.count < count {
                let disk = disks[index]
                guard room[index] > 0, sites[disk.site, default: 0] < rule.perSite,
                    nodes[disk.node, default: 0] < rule.perNode[disk.site, default: 1]
                else { continue }
                sites[disk.site, default: 0] += 1
                nodes[disk.node, default: 0] += 1
                taken.append(index)
            }
            guard taken.count == count else { return stripes }
            for index in taken { room[index] -= 1 }
            stripes += 1
        }
    }
}
