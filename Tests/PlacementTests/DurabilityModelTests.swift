import ObjectModel
import Placement
import Testing

@Suite("The model of durability")
struct DurabilityModelTests {
    /// Hours to loss by an independent program of the same chain: k, m, failures a year, hours to repair, chance of a
    /// bad shard.
    @Test(
        "Expected times agree with an independent program",
        arguments: [
            (4, 2, 0.015, 24, 0, 5_647_645_165_147.03), (4, 2, 0.015, 24, 1e-6, 5_387_289_140_424.33),
            (8, 4, 0.015, 24, 1e-6, 4.558272265388797e19), (8, 4, 0.05, 156, 1e-4, 43_788_605_642_110.17),
            (6, 3, 0.015, 72, 1e-6, 588_201_327_687_613.0), (17, 3, 0.1, 4, 1e-6, 36_409_315_811_135.805),
            (6, 2, 0.015, 24, 0, 2_017_266_557_459.36),
        ] as [(Int, Int, Double, Double, Double, Double)]
    )
    func known(data: Int, parity: Int, failures: Double, hours: Double, bad: Double, expected: Double) throws {
        let model = try #require(DurabilityModel(failureRate: failures, repairHours: hours, badShards: bad))
        let time = model.hoursToLoss(needed: data, spares: parity)
        #expect(abs(time / expected - 1) < 1e-9)
        let nines = DurabilityModel.nines(model.lossPerYear(needed: data, spares: parity))
        #expect(abs(nines - DurabilityModel.nines(DurabilityModel.hoursPerYear / expected)) < 1e-9)
    }

    /// Nines a year at 1.5 % and 10^-6, for repair within 4, 12, 24, 72 and 156 hours.
    @Test(
        "Nines are those of the published table",
        arguments: [
            (4, 2, [10.3, 9.4, 8.8, 7.8, 7.2]), (6, 3, [14.4, 13.1, 12.2, 10.8, 9.8]),
            (8, 4, [18.7, 16.9, 15.7, 13.8, 12.5]), (17, 3, [12.9, 11.5, 10.7, 9.2, 8.2]),
        ] as [(Int, Int, [Double])]
    )
    func table(data: Int, parity: Int, expected: [Double]) throws {
        for (hours, nines) in zip([4.0, 12, 24, 72, 156], expected) {
            let model = try #require(DurabilityModel(repairHours: hours))
            let found = DurabilityModel.nines(model.lossPerYear(needed: data, spares: parity))
            #expect(abs(found - nines) <= 0.051, "\(hours) h: \(found)")
        }
    }

    @Test("The risk of a rebuild rises with what is gone, and solves the chain's own equations")
    func rebuild() throws {
        let model = try #require(DurabilityModel(failureRate: 0.3, repairHours: 500, badShards: 0))
        let (data, parity) = (4, 3)
        let risks = (0...parity + 1).map { model.lossBeforeWhole(needed: data, spares: parity, gone: $0) }
        #expect(risks[0] == 0 && risks[parity + 1] == 1)
        // From each state the next event is a failure or a repair: the risk is the mean of the risks behind them.
        let rate = -DurabilityModelTests.logarithm(1 - 0.3) / DurabilityModel.hoursPerYear
        for gone in 1...parity {
            let failing = Double(data + parity - gone) * rate
            let mending = Double(gone) / 500
            let mean = (failing * risks[gone + 1] + mending * risks[gone - 1]) / (failing + mending)
            #expect(abs(risks[gone] - mean) < 1e-12)
            #expect(risks[gone] > risks[gone - 1])
        }
    }

    /// ln by its series around 1, for arguments between 0.5 and 1.
    private static func logarithm(_ value: Double) -> Double {
        var (power, sum) = (1.0, 0.0)
        for term in 1...200 {
            power *= 1 - value
            sum -= power / Double(term)
        }
        return sum
    }

    @Test("Nines count powers of ten", arguments: [(0.1, 1.0), (0.001, 3), (1e-11, 11), (1, 0), (2, 0), (0, 99)])
    func nines(chance: Double, nines: Double) {
        #expect(abs(DurabilityModel.nines(chance) - nines) < 1e-12)
    }

    @Test("Parameters that make no sense are refused")
    func parameters() {
        #expect(DurabilityModel(failureRate: 0) == nil)
        #expect(DurabilityModel(failureRate: 1) == nil)
        #expect(DurabilityModel(repairHours: 0) == nil)
        #expect(DurabilityModel(repairHours: .infinity) == nil)
        #expect(DurabilityModel(badShards: -1) == nil)
        #expect(DurabilityModel(siteLoss: 1) == nil)
        #expect(DurabilityModel() != nil)
    }

    @Test("On one site the site is the limit; groups on the same disks count once")
    func oneSite() throws {
        let scheme = try #require(Scheme(dataCount: 4, parityCount: 2))
        let layout = try #require(LayoutHarness.founded(scheme, [[6]]))
        #expect(layout.groups.count == 32)
        let model = try #require(DurabilityModel())
        let durability = Durability(layout, model: model)
        #expect(durability.lossByDisks == model.lossPerYear(needed: 4, spares: 2))
        #expect(durability.lossBySites == DurabilityModel.assumedSiteLoss)
        #expect(abs(durability.nines - 3) < 0.01 && durability.ninesByDisks > 8.7)
    }

    @Test("Shards that are not rebuilt yet take their nines, also of one blob among many")
    func damaged() throws {
        let scheme = try #require(Scheme(dataCount: 4, parityCount: 2))
        var layout = try #require(LayoutHarness.founded(scheme, [[6]]))
        layout.damaged = [ShardLayout(group: layout.groups[5], missing: [0])]
        let model = try #require(DurabilityModel())
        let expected =
            model.lossPerYear(needed: 4, spares: 2) + model.lossBeforeWhole(needed: 4, spares: 2, gone: 1)
        #expect(Durability(layout, model: model).lossByDisks == expected)
    }

    @Test("Three sites that may lose one have many nines; what is gone already takes some of them")
    func threeSites() throws {
        let scheme = try #require(Scheme(dataCount: 6, parityCount: 6))
        let layout = try #require(LayoutHarness.founded(scheme, [[2, 2], [2, 2], [2, 2]]))
        let model = try #require(DurabilityModel())
        let whole = Durability(layout, model: model)
        #expect(whole.nines > 9)
        let site = Set(layout.disks.values.filter { $0.site == SiteName("site-0") }.map(\.id))
        let without = Durability(layout, without: site, model: model)
        #expect(without.ninesByDisks < whole.ninesByDisks)
        // One of the two sites left would take the rest along.
        #expect(abs(without.lossBySites - 2 * DurabilityModel.assumedSiteLoss) < 1e-12)
        let all = Durability(layout, without: Set(layout.disks.keys), model: model)
        #expect(all.loss == 1 && all.nines == 0)
    }
}
