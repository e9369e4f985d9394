package import ObjectModel

/// How likely data is to be lost to failing disks and lost sites.
///
/// A placement group is a Markov chain whose state is the number of its shards that are gone. Disks fail each by
/// itself at a constant rate, lost shards are made anew side by side, and the group is lost with the last shard that
/// it cannot do without. A site is lost at once, with all its disks, and for good.
///
/// What it leaves out dominates once there are many nines: mistakes of software and people, disks of one bad batch,
/// power that takes several at once. So a difference between eleven and thirteen nines means nothing; one between
/// three and eight does.
package struct DurabilityModel: Hashable, Sendable {
    /// Hours of a mean year.
    package static let hoursPerYear = 8_766.0
    /// Share of disks that fail in a year: 1.5 %. Backblaze reports 1.57 % for 2024 and 1.31 % over all its years; a
    /// bad batch has been at ten times that.
    package static let usualFailureRate = 0.015
    /// Hours from a disk's failure until its shards are back: a day for people to notice and act, or the rebuild.
    package static let usualRepairHours = 24.0
    /// Chance that a shard turns out bad when it is needed, in a store whose every byte is read within two weeks: one
    /// in a million; without scrubbing a hundred times that.
    package static let usualBadShards = 1e-6
    /// Chance that a site is destroyed in a year, by fire or water: one in a thousand. An assumption, not measured:
    /// whoever knows the building knows better.
    package static let assumedSiteLoss = 1e-3

    /// More nines than this are not told apart.
    package static let mostNines = 99.0

    package let failureRate: Double
    package let repairHours: Double
    package let badShards: Double
    package let siteLoss: Double

    /// nil unless `failureRate`, `badShards` and `siteLoss` are shares below 1, the first above 0, and `repairHours` is
    /// above 0.
    package init?(
        failureRate: Double = DurabilityModel.usualFailureRate,
        repairHours: Double = DurabilityModel.usualRepairHours,
        badShards: Double = DurabilityModel.usualBadShards,
        siteLoss: Double = DurabilityModel.assumedSiteLoss
    ) {
        guard failureRate > 0, failureRate < 1, repairHours > 0, repairHours.isFinite, (0..<1).contains(badShards),
            (0..<1).contains(siteLoss)
        else { return nil }
        self.failureRate = failureRate
        self.repairHours = repairHours
        self.badShards = badShards
        self.siteLoss = siteLoss
    }

    /// Of one disk, an hour.
    private var failuresPerHour: Double { -GroupPlanner.naturalLogarithm(1 - failureRate) / Self.hoursPerYear }

    /// The chain of a group with k = `needed` and m = `spares`.
    private struct Chain {
        /// Expected hours from each state 0 ... m to the next, m + 1 being the loss.
        var hours: [Double] = []
        /// The odds that the next event in state j is a repair and not a failure, multiplied up from state 1 to j.
        var odds = [1.0]
    }

    private func chain(needed: Int, spares: Int) -> Chain {
        var chain = Chain()
        for state in 0...max(0, spares) {
            let failing = Double(needed + spares - state) * failuresPerHour
            let mending = Double(state) / repairHours
            chain.hours.append(1 / failing + mending / failing * (chain.hours.last ?? 0))
            if state > 0 { chain.odds.append((chain.odds.last ?? 1) * mending / failing) }
        }
        return chain
    }

    /// The chance that one of the k shards that are left is bad, when all of them are needed.
    private func bad(needed: Int) -> Double { min(1, badShards * Double(needed)) }

    /// Expected hours until a whole group of k = `needed` and m = `spares` is lost. Both from 1 on.
    package func hoursToLoss(needed: Int, spares: Int) -> Double {
        let hours = chain(needed: needed, spares: spares).hours
        let all = hours.reduce(0, +)
        let untilNoSpare = hours.dropLast().reduce(0, +)
        guard badShards > 0, untilNoSpare > 0 else { return all }
        return 1 / (1 / all + bad(needed: needed) / untilNoSpare)
    }

    /// The chance that a whole group is lost within a year.
    package func lossPerYear(needed: Int, spares: Int) -> Double {
        min(1, Self.hoursPerYear / hoursToLoss(needed: needed, spares: spares))
    }

    /// The chance that a group of which `gone` shards are lost loses more than it can bear before all of them are made
    /// anew, `repairHours` after each was lost.
    package func lossBeforeWhole(needed: Int, spares: Int, gone: Int) -> Double {
        guard gone > 0 else { return 0 }
        guard gone <= spares else { return 1 }
        let odds = chain(needed: needed, spares: spares).odds
        let behind = odds.prefix(gone).reduce(0, +)
        let isBare = behind / odds.prefix(spares).reduce(0, +)
        return min(1, behind / odds.reduce(0, +) + isBare * bad(needed: needed))
    }

    /// `-log10` of a chance: 0.001 has three nines. From 0 to `mostNines`.
    package static func nines(_ chance: Double) -> Double {
        guard chance < 1 else { return 0 }
        guard chance > 0 else { return mostNines }
        return min(mostNines, -GroupPlanner.naturalLogarithm(chance) / GroupPlanner.naturalLogarithm(10))
    }
}

/// The chance that a store loses some data within a year.
package struct Durability: Hashable, Sendable {
    /// To disks that fail one by one, with what is lost already taken into account.
    package let lossByDisks: Double
    /// To the destruction of a site.
    package let lossBySites: Double

    /// Groups on the same disks are lost together, and count once. Where shards are gone already, they are taken to be
    /// made anew within the model's time from now on; a group below k counts as lost.
    package init(_ layout: StoreLayout, without lost: Set<DiskID> = [], model: DurabilityModel) {
        var byDisks = 0.0
        var bySite: [SiteName: Double] = [:]
        for fate in Self.fates(layout) {
            let scheme = fate.group.scheme
            let holders = layout.holders(of: fate, without: lost)
            let risk = { (present: Int) in
                model.lossBeforeWhole(
                    needed: scheme.dataCount,
                    spares: scheme.parityCount,
                    gone: scheme.shardCount - present
                )
            }
            byDisks += risk(holders.count)
            byDisks += model.lossPerYear(needed: scheme.dataCount, spares: scheme.parityCount)
            for (site, there) in Dictionary(grouping: holders, by: \.site) {
                bySite[site, default: 0] += risk(holders.count - there.count)
            }
        }
        lossByDisks = min(1, byDisks)
        // In a fixed order, so that equal stores have equal numbers.
        lossBySites = min(1, bySite.sorted { $0.key < $1.key }.reduce(0) { $0 + model.siteLoss * min(1, $1.value) })
    }

    /// One layout for each set of disks: the worst.
    private static func fates(_ layout: StoreLayout) -> [ShardLayout] {
        var worst: [Set<DiskID>: ShardLayout] = [:]
        for one in layout.layouts {
            let disks = Set(one.group.members)
            if worst[disks].map({ $0.missing.count < one.missing.count }) ?? true { worst[disks] = one }
        }
        return worst.values.sorted { $0.group.id < $1.group.id }
    }

    package var loss: Double { min(1, lossByDisks + lossBySites) }
    /// Nines a year by disks alone, and with sites.
    package var ninesByDisks: Double { DurabilityModel.nines(lossByDisks) }
    package var nines: Double { DurabilityModel.nines(loss) }
}
