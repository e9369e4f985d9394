import TestKit

/// One thing that goes wrong in a run of the cluster.
struct ClusterFault: Sendable, CustomStringConvertible {
    enum Process: Sendable {
        case node(Int)
        case coordinator
    }

    /// What cannot reach what.
    enum Cut: Sendable {
        /// A site, from all others and from the coordinator.
        case site(Int)
        /// One way only, between two nodes.
        case oneWay(from: Int, to: Int)
        /// Two nodes from one another.
        case pair(Int, Int)
        /// The coordinator from a site; perhaps only the answers, or only the calls.
        case coordinator(site: Int, toSite: Bool, fromSite: Bool)
    }

    enum Kind: Sendable {
        /// The process ends and begins anew after a while.
        case crash(Process, losesPower: Bool, databaseBack: Int?, downFor: Duration)
        /// Every node of a site, at once.
        case loseSite(Int, losesPower: Bool, downFor: Duration)
        /// The process stops where it is, and goes on later as if nothing had been.
        case pause(Process, Duration)
        /// An operator starts another coordinator from nothing, while the old one runs, is paused, or is down for good.
        case takeOver(old: OldCoordinator)
        case cut(Cut, Duration)
        /// Messages are lost, some take long, and calls that may be repeated come twice.
        case rough(Duration)
        /// The disk is gone for good.
        case lose(place: Int)
        /// The disk is gone, and back after a while with what it had.
        case pull(place: Int, Duration)
        /// The disk is gone for good, and an operator gives it up.
        case retire(place: Int)
        /// Somebody puts an empty disk into the place and starts the node anew.
        case swapEmpty(place: Int)
        /// The machine loses power, and the disk wakes as it was some operations ago.
        case rollBack(place: Int)
        case rot(place: Int, bits: Int)
        /// Writes that are acknowledged and land nowhere, or elsewhere.
        case lostWrite(place: Int, after: Int, among: LiedFiles)
        case misdirectedWrite(place: Int, after: Int, by: Int, among: LiedFiles)
        /// Reads that say they went well and give wrong bytes.
        case misread(place: Int, after: Int, times: Int, kind: ReadLie.Kind)
        /// Syncs say that they were done and are not, for a while: then the machine loses power.
        case lieAboutSync(place: Int, Duration)
        /// Everything on the disk takes a hundred times as long.
        case slow(place: Int, Duration)
        case full(place: Int, Duration)
        /// Calls of this kind fail so many times, after some that go well.
        case fail(place: Int, operation: DiskOperation, after: Int, times: Int)
        /// Work in the background, now, beside everything else.
        case maintain(StoreMaintenance)
        /// From the start on.
        case set(OperatorSetting)
    }

    enum OldCoordinator: Sendable {
        case running
        case crashed
        case paused(Duration)
    }

    var number: Int
    var operation: Int
    var kind: Kind

    var description: String { "\(number): at operation \(operation) \(kind)" }
}

/// What one seed does to the cluster: operations in rounds, and faults in each.
///
/// Within a round at most one disk is touched by what may cost it a shard: a site of two shards may be away, one shard
/// more may be lost, and three are left of six. After each round all is mended, and the cluster must become whole by
/// itself.
struct ClusterPlan: Sendable {
    private static let faultLimit = 7
    /// Milliseconds that a fault of processes or network lasts, mostly; and now and then, so that leases end meanwhile.
    private static let shortFault: UInt64 = 8_000
    private static let longFault: UInt64 = 100_000
    /// Seconds of a scrub's period: of a run's clients, a part and about all.
    private static let scrubPeriods = [15, 60]
    /// Longer than most faults, and than making anew what a disk held: what is given up one after the other must not
    /// add up.
    private static let outPatience = Duration.seconds(20)

    /// The operation with which each round ends.
    var roundEnds: [Int]
    var faults: [ClusterFault] = []
    var checksLeaks: Bool

    /// What is set from the start on.
    var settings: OperatorSettings {
        OperatorSettings(
            faults.compactMap { fault in
                guard case .set(let setting) = fault.kind else { return nil }
                return setting
            }
        )
    }

    /// Whether another shard may be lost beside those that the faults cost.
    var mayCostShards: Bool { settings.outAfter == nil }

    init(using generator: inout SplitMix64) {
        let rounds = 1 + Int(generator.next() % 2)
        roundEnds = (1...rounds).map { ClusterScenario.operationCount * $0 / rounds }
        checksLeaks = generator.next() % 3 == 0
        if generator.next() % 3 == 0 {
            let period = Self.scrubPeriods[Int(generator.next() % UInt64(Self.scrubPeriods.count))]
            faults.append(ClusterFault(number: 0, operation: 0, kind: .set(.scrub(every: .seconds(period)))))
        }
        if generator.next() % 3 == 0 {
            faults.append(ClusterFault(number: 0, operation: 0, kind: .set(.outAfter(Self.outPatience))))
        }
        var begin = 0
        for end in roundEnds {
            let touched = Int(generator.next() % UInt64(ClusterLayout.diskCount))
            for _ in 0..<1 + Int(generator.next() % UInt64(Self.faultLimit)) {
                let operation = Int.random(in: begin + 1...end, using: &generator)
                faults.append(
                    ClusterFault(number: 0, operation: operation, kind: Self.kind(touching: touched, using: &generator))
                )
            }
            begin = end
        }
        faults.sort { $0.operation < $1.operation }
        for index in faults.indices { faults[index].number = index + 1 }
    }

    private static func kind(touching place: Int, using generator: inout SplitMix64) -> ClusterFault.Kind {
        switch generator.next() % 20 {
        case 0...2:
            .crash(
                process(using: &generator),
                losesPower: generator.next() % 2 == 0,
                databaseBack: generator.next() % 2 == 0 ? Int(generator.next() % 3) : nil,
                downFor: duration(using: &generator)
            )
        case 3:
            .loseSite(
                site(using: &generator),
                losesPower: generator.next() % 2 == 0,
                downFor: duration(using: &generator)
            )
        case 4, 5: .pause(process(using: &generator), duration(using: &generator))
        case 6: .takeOver(old: old(using: &generator))
        case 7...10: .cut(cut(using: &generator), duration(using: &generator))
        case 11: .rough(duration(using: &generator))
        case 12...14:
            .maintain(
                StoreMaintenance.allCases[Int(generator.next() % UInt64(StoreMaintenance.allCases.count))]
            )
        default: hurt(place, using: &generator)
        }
    }

    private static func hurt(_ place: Int, using generator: inout SplitMix64) -> ClusterFault.Kind {
        let duration = duration(using: &generator)
        let few = Int(generator.next() % 8)
        switch generator.next() % 13 {
        case 10: return .rollBack(place: place)
        case 11:
            return .misread(place: place, after: few, times: 1 + few, kind: StorePlan.misreading(using: &generator))
        case 12: return .lieAboutSync(place: place, duration)
        case 9: return .retire(place: place)
        case 0: return .lose(place: place)
        case 1: return .pull(place: place, duration)
        case 2: return .swapEmpty(place: place)
        case 3: return .rot(place: place, bits: 1 + Int(generator.next() % 200))
        case 4: return .slow(place: place, duration)
        case 5: return lie(place, after: few, using: &generator)
        case 6: return .full(place: place, duration)
        case 7: return .fail(place: place, operation: .sync, after: few, times: 1)
        default:
            let kinds: [DiskOperation] = [.read, .write, .allocate, .open, .rename, .syncDirectory, .list]
            let kind = kinds[Int(generator.next() % UInt64(kinds.count))]
            return .fail(place: place, operation: kind, after: few, times: 1 + few)
        }
    }

    private static func lie(_ place: Int, after few: Int, using generator: inout SplitMix64) -> ClusterFault.Kind {
        let files = LiedFiles(draw: Int(generator.next() % UInt64(LiedFiles.allCases.count)))
        let distance = StorePlan.misdirection(using: &generator)
        return generator.next() % 2 == 0
            ? .lostWrite(place: place, after: few, among: files)
            : .misdirectedWrite(place: place, after: few, by: distance, among: files)
    }

    private static func process(using generator: inout SplitMix64) -> ClusterFault.Process {
        generator.next() % 3 == 0 ? .coordinator : .node(node(using: &generator))
    }

    private static func old(using generator: inout SplitMix64) -> ClusterFault.OldCoordinator {
        switch generator.next() % 3 {
        case 0: .running
        case 1: .crashed
        default: .paused(duration(using: &generator))
        }
    }

    private static func cut(using generator: inout SplitMix64) -> ClusterFault.Cut {
        let first = node(using: &generator)
        let second = (first + 1 + Int(generator.next() % UInt64(ClusterLayout.nodeCount - 1))) % ClusterLayout.nodeCount
        let toSite = generator.next() % 2 == 0
        switch generator.next() % 4 {
        case 0: return .site(site(using: &generator))
        case 1: return .oneWay(from: first, to: second)
        case 2: return .pair(first, second)
        default:
            return .coordinator(
                site: site(using: &generator),
                toSite: toSite,
                fromSite: !toSite || generator.next() % 2 == 0
            )
        }
    }

    private static func node(using generator: inout SplitMix64) -> Int {
        Int(generator.next() % UInt64(ClusterLayout.nodeCount))
    }

    private static func site(using generator: inout SplitMix64) -> Int {
        Int(generator.next() % UInt64(ClusterLayout.siteCount))
    }

    private static func duration(using generator: inout SplitMix64) -> Duration {
        let most = generator.next() % 8 == 0 ? longFault : shortFault
        return .milliseconds(Int(generator.next() % most))
    }
}
