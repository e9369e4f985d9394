import Synchronization
import SystemInterface
import TestKit

/// The buggify points of one run: which are on, how often they strike, and how often they have.
final class StoreMischief: Sendable {
    /// A point that is on.
    struct Setting: Sendable, CustomStringConvertible {
        /// Counted on behind the faults of the plan, so that it is left out like one of them.
        var number: Int
        var point: BuggifyPoint
        /// It strikes one time in so many.
        var rate: UInt64
        fileprivate var seed: UInt64

        var description: String { "\(number): \(point.rawValue) one time in \(rate)" }
    }

    private struct State {
        var generators: [BuggifyPoint: SplitMix64] = [:]
        var isOver = false
        /// Points that end the process, or a keeper's log, strike while clients work. Not while somebody works with the
        /// store directly; nor while it is founded: a founding that is cut off may leave disks that are formatted and
        /// unknown to it.
        var mayEnd = false
    }

    private let rates: [BuggifyPoint: UInt64]
    private let world: World
    private let state: Mutex<State>

    /// What a seed switches on: in one run of three nothing, else about one point in three. Drawn apart from the plan.
    ///
    /// `mayCostShards`: whether the plan leaves one to be lost; a write is promised to survive m disks only once all of
    /// its shards are there. `count`: of the plan's faults.
    static func settings(seed: UInt64, after count: Int, mayCostShards: Bool) -> [Setting] {
        var generator = SplitMix64(seed: ~seed)
        guard generator.next() % 3 != 0 else { return [] }
        var settings: [Setting] = []
        for point in BuggifyPoint.allCases {
            let draw = generator.next()
            guard draw % 3 == 0, !point.costsShard || mayCostShards else { continue }
            let choice = point.rates
            let rate = choice[Int(truncatingIfNeeded: draw >> 8 & 0xFF) % choice.count]
            let number = count + settings.count + 1
            settings.append(Setting(number: number, point: point, rate: rate, seed: generator.next()))
        }
        return settings
    }

    init(_ settings: [Setting], world: World) {
        rates = Dictionary(settings.map { ($0.point, $0.rate) }) { first, _ in first }
        let generators = settings.map { ($0.point, SplitMix64(seed: $0.seed)) }
        state = Mutex(State(generators: Dictionary(generators) { first, _ in first }))
        self.world = world
    }

    /// What the store's code is given.
    ///
    /// `onEnd` is called from within where a point says that the process ends.
    func buggify(onEnd: @escaping @Sendable () -> Void) -> Buggify {
        rates.isEmpty ? .never : Buggify { [weak self] in self?.draw($0, onEnd) }
    }

    /// Whether a point is on that ends the process.
    var endsProcesses: Bool { rates.keys.contains(where: \.endsProcess) }

    /// Nothing strikes from here on.
    func end() { state.withLock { $0.isOver = true } }

    /// Whether points that end the process may strike.
    func allowEnds(_ may: Bool) { state.withLock { $0.mayEnd = may } }

    private func draw(_ point: BuggifyPoint, _ onEnd: () -> Void) -> UInt64? {
        guard let rate = rates[point] else { return nil }
        let number: UInt64? = state.withLock { state in
            guard !state.isOver, !point.needsClients || state.mayEnd,
                let draw = state.generators[point]?.next(), draw % rate == 0
            else { return nil }
            return draw / rate
        }
        if number != nil {
            world.trace.record("buggify \(point.rawValue)")
            world.countStrike(point.rawValue)
            if point.endsProcess { onEnd() }
        }
        return number
    }
}

extension BuggifyPoint {
    /// The process ends with it, as `cairn serve` does when its metadata stops, and a supervisor starts it again.
    fileprivate var endsProcess: Bool { self == .commitFails }

    /// A blob lacks a shard after it, or the journal a keeper, for a while.
    fileprivate var costsShard: Bool { self == .answerLost || self == .keeperFails }

    /// Strikes while clients work only.
    fileprivate var needsClients: Bool { endsProcess || self == .keeperFails }

    /// It strikes one time in one of these.
    fileprivate var rates: [UInt64] {
        switch self {
        case .commitFails: [200]
        // Passed a few times in a run at most, not with every request; never always, or nothing would become whole.
        case .checkpointCutShort, .journalUntrimmed, .journalForgets, .repackLate, .repairReadsBad, .lookLate,
            .moveCutShort, .moveErasesLate, .orphansLate, .compactionCutShort, .compactionLate, .smallRounds,
            .trimCutShort, .openingCutShort, .nodeCallTwice, .logStaysShut, .importCutShort:
            [2, 3, 5]
        // Passed by every call to every disk: more often nothing would come of anything.
        case .nodeLooksLate, .shardReadLate: [100, 500, 2_000]
        // A keeper that waits takes a thousand records less: more often most of them would wait at any time.
        case .keeperBusy, .keeperCallLate: [1_000, 5_000]
        // So seldom that two keepers are hardly ever out at once.
        case .keeperFails: [2_000]
        default: [2, 8, 40]
        }
    }
}
