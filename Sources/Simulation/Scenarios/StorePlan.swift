import TestKit

/// One thing that goes wrong in a run of the store.
struct StoreFault: Sendable, CustomStringConvertible {
    enum Kind: Sendable {
        /// The process ends, after a pause. A loss of power takes what was not synced, and perhaps the database's
        /// newest commits: it falls so many copies back.
        case crash(after: Duration, losesPower: Bool, databaseBack: Int?)
        /// The disk is gone for good.
        case lose(slot: Int)
        /// The disk is gone, and back after so many operations with what it had.
        case pull(slot: Int, operations: Int)
        /// The same, and the store looks at once whether others are to take its places.
        case goOut(slot: Int, operations: Int)
        /// The disk is gone for good, and an operator gives it up.
        case retire(slot: Int)
        /// Somebody puts an empty disk into the slot and starts the server anew.
        case swapEmpty(slot: Int)
        /// The disk wakes as it was some operations ago, after a loss of power.
        case rollBack(slot: Int)
        /// Bits flip, in segments and journal.
        case rot(slot: Int, bits: Int)
        /// Writes that are acknowledged and land nowhere, or elsewhere.
        case lostWrite(slot: Int, after: Int, among: LiedFiles)
        case misdirectedWrite(slot: Int, after: Int, by: Int, among: LiedFiles)
        /// Reads that say they went well and give wrong bytes: a bit is another, or they are another place's.
        case misread(slot: Int, after: Int, times: Int, kind: ReadLie.Kind)
        /// Syncs say that they were done and are not, for so many operations: then power is lost.
        case lieAboutSync(slot: Int, operations: Int)
        /// Everything on the disk takes a hundred times as long for so many operations.
        case slow(slot: Int, operations: Int)
        /// No more room than what is used, for so many operations.
        case full(slot: Int, operations: Int)
        /// Calls of this kind fail so many times, after some that go well.
        case fail(slot: Int, operation: DiskOperation, after: Int, times: Int)
        /// Messages to the disk are lost, late or carried out twice, for so many operations.
        case flaky(slot: Int, operations: Int)
        /// Work in the background, now, beside everything else.
        case maintain(StoreMaintenance)
        /// From the start on.
        case set(OperatorSetting)
    }

    var number: Int
    var operation: Int
    var kind: Kind

    var description: String { "\(number): at operation \(operation) \(kind)" }
}

/// What one seed does to the store: operations in rounds, and faults in each.
///
/// Within a round at most m disks are touched by what may cost them a shard; after each round all is mended, and the
/// store must become whole again before the next: then nothing that was acknowledged may ever be lost.
///
/// Where disks that are away lose their places at once, one disk is touched: it may come back, be given another place
/// of the same blob, and be away once more.
struct StorePlan: Sendable {
    /// The operation with which each round ends.
    var roundEnds: [Int]
    var faults: [StoreFault] = []
    /// Disks that the round with most of them may hurt, counted twice where they may come back to another place.
    var mostTouched = 0
    var pullsTwoAtLast: Bool
    var checksLeaks: Bool
    /// Slots pulled when all is whole again.
    var pulledAtLast: [Int]

    /// Disks that a round may hurt: m of the scheme.
    static let touchedLimit = 2
    private static let faultLimit = 6
    /// Seconds of a scrub's period: of a run's clients, a part and a few times.
    private static let scrubPeriods = [2, 5, 15]

    /// No faults.
    static var quiet: StorePlan { StorePlan() }

    /// What is set from the start on.
    var settings: OperatorSettings {
        OperatorSettings(
            faults.compactMap { fault in
                guard case .set(let setting) = fault.kind else { return nil }
                return setting
            }
        )
    }

    private init() {
        roundEnds = []
        pullsTwoAtLast = false
        checksLeaks = false
        pulledAtLast = []
    }

    init(using generator: inout SplitMix64) {
        let rounds = 1 + Int(generator.next() % 2)
        roundEnds = (1...rounds).map { StoreScenario.operationCount * $0 / rounds }
        pullsTwoAtLast = generator.next() % 3 == 0
        checksLeaks = generator.next() % 3 == 0
        var slots = Array(0..<StoreServer.slotCount)
        slots.shuffle(using: &generator)
        pulledAtLast = Array(slots.prefix(2)).sorted()
        if generator.next() % 3 == 0 {
            let period = Self.scrubPeriods[Int(generator.next() % UInt64(Self.scrubPeriods.count))]
            faults.append(StoreFault(number: 0, operation: 0, kind: .set(.scrub(every: .seconds(period)))))
        }
        let losesPlaces = generator.next() % 3 == 0
        if losesPlaces { faults.append(StoreFault(number: 0, operation: 0, kind: .set(.outAfter(.zero)))) }
        let limit = losesPlaces ? 1 : Self.touchedLimit
        mostTouched = losesPlaces ? Self.touchedLimit : 0
        var begin = 0
        for end in roundEnds {
            slots.shuffle(using: &generator)
            let touched = Array(slots.prefix(Int(generator.next() % UInt64(limit + 1))))
            mostTouched = max(mostTouched, touched.count)
            addRound(begin + 1...end, touched, using: &generator)
            begin = end
        }
        faults.sort { $0.operation < $1.operation }
        for index in faults.indices { faults[index].number = index + 1 }
    }

    private mutating func addRound(_ operations: ClosedRange<Int>, _ touched: [Int], using generator: inout SplitMix64)
    {
        for _ in 0..<1 + Int(generator.next() % UInt64(Self.faultLimit)) {
            let operation = Int.random(in: operations, using: &generator)
            let draw = generator.next() % 10
            let kind: StoreFault.Kind
            if draw < 2 {
                kind = Self.crash(using: &generator)
            } else if draw < 5 || touched.isEmpty {
                let all = StoreMaintenance.allCases
                kind = .maintain(all[Int(generator.next() % UInt64(all.count))])
            } else {
                kind = Self.hurt(touched[Int(generator.next() % UInt64(touched.count))], using: &generator)
            }
            faults.append(StoreFault(number: 0, operation: operation, kind: kind))
        }
    }

    static func misreading(using generator: inout SplitMix64) -> ReadLie.Kind {
        let number = Int(generator.next() % 4_096)
        return generator.next() % 2 == 0 ? .flipped(bit: number) : .misdirected(by: 4_096 * (1 + number % 64))
    }

    /// How far from its place a write lands that lands elsewhere.
    static func misdirection(using generator: inout SplitMix64) -> Int { 4_096 * (1 + Int(generator.next() % 64)) }

    private static func crash(using generator: inout SplitMix64) -> StoreFault.Kind {
        let losesPower = generator.next() % 3 != 0
        return .crash(
            after: .microseconds(Int(generator.next() % 6_000)),
            losesPower: losesPower,
            databaseBack: losesPower && generator.next() % 2 == 0 ? Int(generator.next() % 3) : nil
        )
    }

    private static func hurt(_ slot: Int, using generator: inout SplitMix64) -> StoreFault.Kind {
        let length = 10 + Int(generator.next() % 100)
        let few = Int(generator.next() % 8)
        switch generator.next() % 18 {
        case 14: return .goOut(slot: slot, operations: length)
        case 15: return .retire(slot: slot)
        case 16: return .misread(slot: slot, after: few, times: length, kind: misreading(using: &generator))
        case 17: return .lieAboutSync(slot: slot, operations: length)
        case 0: return .lose(slot: slot)
        case 1, 2: return .pull(slot: slot, operations: length)
        case 3: return .swapEmpty(slot: slot)
        case 4: return .rollBack(slot: slot)
        case 5: return .rot(slot: slot, bits: 1 + Int(generator.next() % 200))
        // Nothing else is drawn for the files: the other faults of a seed stay what they are.
        case 6: return .lostWrite(slot: slot, after: few, among: LiedFiles(draw: length))
        case 7:
            return .misdirectedWrite(
                slot: slot,
                after: few,
                by: misdirection(using: &generator),
                among: LiedFiles(draw: length)
            )
        case 8: return .slow(slot: slot, operations: length)
        case 9: return .full(slot: slot, operations: length)
        case 10: return .flaky(slot: slot, operations: length)
        case 11: return .fail(slot: slot, operation: .sync, after: few, times: 1)
        case 12: return .fail(slot: slot, operation: .read, after: few, times: 1 + length)
        default:
            let kinds: [DiskOperation] = [
                .write, .allocate, .punch, .open, .rename, .remove, .syncDirectory, .truncate, .status, .list,
            ]
            return .fail(
                slot: slot,
                operation: kinds[Int(generator.next() % UInt64(kinds.count))],
                after: few,
                times: 1 + few
            )
        }
    }
}
