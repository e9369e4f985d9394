import ClusterProtocol
import Coordination
import DiskFormat
import JournalStorage
import ObjectModel
import Synchronization
import SystemInterface
import TestKit
import Testing

@Suite("The journal over several keepers")
struct JournalTests {
    @Test("Every start finds all records of all incarnations before it, in one sequence")
    func restarts() async throws {
        let fixture = try await JournalFixture(5)
        var expected: [JournalRecord] = []
        for round in 1...3 {
            let replayed = Replayed()
            try await fixture.withJournal(replayed: replayed) { journal async throws in
                let last = expected.last?.position.incarnation ?? 0
                #expect(journal.incarnation > last && (round > 1 || journal.incarnation == 1))
                for _ in 0..<5 { expected += try await journal.appendNext(3) }
            }
            #expect(replayed.records == Array(expected.dropLast(15)))
        }
        #expect(expected.map(\.position.sequence) == Array(1...45))
        let replayed = Replayed()
        try await fixture.withJournal(database: expected[40].position, replayed: replayed) { _ in }
        #expect(replayed.records == Array(expected[41...]))
    }

    /// Found by putting five disks of six back as they were: the sixth had blobs of the same ids with other bytes.
    @Test("Two histories that go on from one state do not draw the same incarnation")
    func histories() async throws {
        let seeds = 1...4 as ClosedRange<UInt64>
        var drawn: Set<UInt32> = []
        for seed in seeds {
            let fixture = try await JournalFixture(3)
            try await fixture.withJournal { _ = try await $0.appendNext() }
            let next = try await fixture.start(random: SeededRandom(seed: seed))
            #expect(next.incarnation > 1)
            drawn.insert(next.incarnation)
        }
        #expect(drawn.count == seeds.count)
    }

    @Test("Records must follow the last one, in this incarnation")
    func wrongRecords() async throws {
        let fixture = try await JournalFixture(3)
        try await fixture.withJournal { journal in
            try await journal.appendNext(2)
            for wrong in [record(1, 4), record(1, 2), record(2, 3)] {
                await #expect(throws: JournalError.self) { try await journal.append([wrong]) }
            }
            try await journal.appendNext()
        }
    }

    @Test("With two keepers of five lost the journal goes on; with three it waits, then stops for good")
    func lostKeepers() async throws {
        let fixture = try await JournalFixture(5)
        try await fixture.withJournal { journal in
            try await journal.appendNext()
            fixture.keepers[0].isDown = true
            fixture.keepers[3].isDown = true
            try await journal.appendNext(4)
            fixture.keepers[1].isDown = true
            let error = await #expect(throws: JournalError.self) { try await journal.appendNext() }
            guard case .quorumLost = error else {
                Issue.record("\(String(describing: error))")
                return
            }
            await #expect(throws: JournalError.self) { try await journal.appendNext() }
            #expect(!journal.isConfirmed)
        }
    }

    @Test("Fewer than J keepers do not start, and say who is missing; the operator's word does")
    func forcedStart() async throws {
        let fixture = try await JournalFixture(5)
        var expected: [JournalRecord] = []
        try await fixture.withJournal { expected = try await $0.appendNext(7) }
        let two = Array(fixture.keepers[..<2])
        await #expect(
            throws: JournalError.tooFewKeepers(reached: 2, needed: 3, missing: Array(fixture.ids[2...]))
        ) { _ = try await fixture.start(two) }
        let replayed = Replayed()
        try await fixture.withJournal(two, isForced: true, replayed: replayed) { journal in
            #expect(journal.report.keepers.keepers == two.map(\.keeper))
            expected += try await journal.appendNext()
        }
        #expect(replayed.records == Array(expected.dropLast()))
        // From here on these two are the set.
        let again = Replayed()
        try await fixture.withJournal(two, replayed: again) { _ in }
        #expect(again.records == expected)
    }

    @Test("A start without any journal is refused unless the store is new, and so is a database that does not fit")
    func databaseChecks() async throws {
        let fixture = try await JournalFixture(3)
        let old = JournalOpening(clients: fixture.keepers, database: position(1, 5))
        await #expect(throws: JournalError.noJournal) {
            _ = try await Journal.start(
                old,
                time: ManualTime(),
                random: SeededRandom(seed: 1),
                replay: { _ in }
            )
        }
        try await fixture.withJournal { journal in
            try await journal.appendNext(10)
            #expect(throws: JournalError.self) { try journal.checkpointTaken(position(2, 6), checkpoint: []) }
            #expect(throws: JournalError.self) { try journal.checkpointTaken(position(1, 11), checkpoint: []) }
            try journal.checkpointTaken(position(1, 6), checkpoint: [1])
            #expect(try await eventually { try await fixture.keepers.bases() == [6, 6, 6] })
        }
        let last = position(1, 10)
        for (database, expected) in [
            (position(1, 11), JournalError.databaseAhead(database: position(1, 11), journal: last)),
            (position(1, 5), .databaseBehind(database: position(1, 5), journal: position(1, 6))),
            (position(2, 6), .databaseDiverged(at: position(1, 6))),
            (position(2, 8), .databaseDiverged(at: position(2, 8))),
        ] {
            await #expect(throws: expected) { _ = try await fixture.start(database: database) }
        }
    }

    @Test("An old coordinator that wakes up is refused and stops")
    func zombie() async throws {
        let fixture = try await JournalFixture(5)
        let old = try await fixture.start()
        try await fixture.run(old) { old in
            try await old.appendNext()
            let new = try await fixture.start()
            try await fixture.run(new) { new in
                await #expect(throws: JournalError.superseded(incarnation: new.incarnation)) {
                    try await old.appendNext()
                }
                #expect(!old.isConfirmed)
                try await new.appendNext()
            }
        }
    }

    /// Appends records that every keeper gets, and then some that reach only the first and are never acknowledged;
    /// returns the acknowledged ones.
    private func appendToAllThenToOne(
        _ fixture: JournalFixture,
        _ count: Int,
        _ more: Int
    ) async throws -> [JournalRecord] {
        var acknowledged: [JournalRecord] = []
        try await fixture.withJournal { journal async throws in
            acknowledged += try await journal.appendNext(count)
            #expect(try await eventually { journal.report.members.allSatisfy { $0.lag == 0 } })
            for keeper in fixture.keepers[1...] { keeper.isDown = true }
            await #expect(throws: JournalError.self) { try await journal.appendNext(more) }
        }
        return acknowledged
    }

    @Test("A longer log of an older incarnation does not win over what was acknowledged later")
    func longerButOlder() async throws {
        let fixture = try await JournalFixture(3)
        var expected = try await appendToAllThenToOne(fixture, 5, 10)
        for keeper in fixture.keepers { keeper.isDown = keeper === fixture.keepers[0] }
        try await fixture.withJournal { expected += try await $0.appendNext(2) }
        fixture.keepers[0].isDown = false
        #expect(try await fixture.keepers[0].records().count == 15)
        let replayed = Replayed()
        try await fixture.withJournal(replayed: replayed) { journal async throws in
            #expect(replayed.records == expected)
            #expect(try await eventually { journal.report.members.allSatisfy { $0.lag == 0 && $0.isWhole } })
            #expect(try await fixture.keepers[0].records() == expected)
        }
    }

    @Test("What a start replays is on J keepers, marked, when the start returns: it may be the tail of only one")
    func tailOfOne() async throws {
        let fixture = try await JournalFixture(3)
        let expected = try await appendToAllThenToOne(fixture, 5, 1) + [record(1, 6)]
        for keeper in fixture.keepers { keeper.isDown = false }
        let replayed = Replayed()
        // Nothing feeds the keepers once it has started: what they hold now is what the start saw to.
        let journal = try await fixture.start(replayed: replayed)
        #expect(replayed.records == expected)
        var holding = 0
        for keeper in fixture.keepers {
            guard case .state(let state) = try await keeper.call(.state) else { continue }
            let isMarked = state.written == journal.incarnation && state.damaged.isEmpty
            let records = try await keeper.records()
            if isMarked && records == expected { holding += 1 }
        }
        #expect(holding >= 2)
    }

    /// Found by failing every sync of a replacement: a log that was opened again had all records already, was asked
    /// what it has, and nobody was told that they were durable.
    @Test("An answer of a keeper that is needed gets lost: what it has taken counts all the same")
    func lostAnswer() async throws {
        let fixture = try await JournalFixture(3)
        let lossy = LossyKeeper(fixture.keepers[1])
        try await fixture.withJournal([fixture.keepers[0], lossy, fixture.keepers[2]]) { journal in
            try await journal.appendNext()
            #expect(try await eventually { journal.report.members.allSatisfy { $0.isWhole && $0.lag == 0 } })
            fixture.keepers[0].isDown = true
            for _ in 0..<3 {
                lossy.loseNextAppend()
                try await journal.appendNext()
            }
        }
    }

    @Test("A slow keeper holds nobody up, and gets everything in the end, in order")
    func slowKeeper() async throws {
        let fixture = try await JournalFixture(3)
        let slow = fixture.keepers[2]
        let configuration = JournalConfiguration(
            confirmation: .milliseconds(40),
            patience: .seconds(5),
            ringBytes: 2_000,
            batchBytes: 1_000
        )
        try await fixture.withJournal(configuration: configuration) { journal in
            let isHeld = Mutex(true)
            slow.disk.setLatency { operation, _, _ in
                guard operation == .sync else { return }
                while isHeld.withLock({ $0 }) { try? await Task.sleep(for: .milliseconds(2)) }
            }
            var expected: [JournalRecord] = []
            for _ in 0..<100 { expected += try await journal.appendNext() }
            #expect(journal.report.members.contains { $0.keeper == slow.keeper && $0.lag > 50 })
            isHeld.withLock { $0 = false }
            // More than the ring holds: the rest comes from another keeper.
            #expect(try await eventually { journal.report.members.allSatisfy { $0.lag == 0 && $0.isWhole } })
            #expect(try await slow.records() == expected)
        }
    }

    /// Found by asking a busy cluster for its status: it said now and then that it could not write.
    @Test("A keeper is behind once it lags for 2 s, not because records are on their way; one without its disk is away")
    func standing() async throws {
        let fixture = try await JournalFixture(3)
        let slow = fixture.keepers[2]
        let time = JumpingTime()
        let journal = try await fixture.start(time: time)
        try await fixture.run(journal) { journal in
            func standing(isServed: Bool = true) throws -> Journal.KeeperStanding {
                try #require(journal.report.members.first { $0.keeper == slow.keeper }).standing(isServed: isServed)
            }
            try await journal.appendNext()
            #expect(try await eventually { journal.report.members.allSatisfy { $0.lag == 0 && $0.isWhole } })
            time.jump(.seconds(60))
            #expect(try standing() == .current, "nothing was written for long")
            #expect(try standing(isServed: false) == .unreachable)
            let isHeld = Mutex(true)
            slow.disk.setLatency { operation, _, _ in
                guard operation == .sync else { return }
                while isHeld.withLock({ $0 }) { try? await Task.sleep(for: .milliseconds(2)) }
            }
            for _ in 0..<3 { try await journal.appendNext() }
            #expect(journal.report.members.contains { $0.keeper == slow.keeper && $0.lag > 0 })
            #expect(try standing() == .current, "they are on their way")
            time.jump(.seconds(3))
            #expect(try standing() == .behind)
            isHeld.withLock { $0 = false }
            #expect(try await eventually { try standing() == .current })
        }
    }

    @Test("Rot in the middle of several keepers' logs is mended from the others")
    func rot() async throws {
        let fixture = try await JournalFixture(3)
        var expected: [JournalRecord] = []
        try await fixture.withJournal { journal in
            for _ in 0..<6 { expected += try await journal.appendNext() }
            #expect(try await eventually { journal.report.members.allSatisfy { $0.lag == 0 } })
        }
        for (index, keeper) in fixture.keepers.enumerated() {
            keeper.disk.restart()
            // Block 0 is the mark of the start; each keeper loses another record.
            let path = keeper.disk.files.last { $0.contains("/log-") } ?? ""
            keeper.disk.flip(path, offset: JournalFormat.dataOffset + 4_096 * (index + 1) + 70, mask: 4)
            try await keeper.open()
        }
        let replayed = Replayed()
        try await fixture.withJournal(replayed: replayed) { journal async throws in
            #expect(replayed.records == expected)
            #expect(try await eventually { journal.report.members.allSatisfy { $0.lag == 0 && $0.isWhole } })
            for keeper in fixture.keepers { #expect(try await keeper.records() == expected) }
        }
    }

    @Test("Rot just before a tail that one keeper alone holds is mended from the others")
    func rotBeforeTail() async throws {
        let fixture = try await JournalFixture(3)
        var expected: [JournalRecord] = []
        try await fixture.withJournal { journal async throws in
            for _ in 0..<3 { expected += try await journal.appendNext() }
            #expect(try await eventually { journal.report.members.allSatisfy { $0.lag == 0 } })
            for keeper in fixture.keepers[1...] { keeper.isDown = true }
            await #expect(throws: JournalError.self) { try await journal.appendNext() }
        }
        let holder = fixture.keepers[0]
        holder.disk.restart()
        // Block 0 is the mark of the start, and the third record's the last that others have.
        let path = holder.disk.files.last { $0.contains("/log-") } ?? ""
        holder.disk.flip(path, offset: JournalFormat.dataOffset + 4_096 * 3 + 70, mask: 4)
        try await holder.open()
        guard case .state(let state) = try await holder.call(.state) else { return }
        #expect(state.last == position(1, 4) && state.damaged == [3..<4])
        for keeper in fixture.keepers { keeper.isDown = false }
        let replayed = Replayed()
        _ = try await fixture.start(replayed: replayed)
        #expect(replayed.records == expected + [record(1, 4)])
    }

    @Test("A start goes on though the first keeper's disk reads none of its log right", arguments: [1, 6])
    func misread(count: Int) async throws {
        let fixture = try await JournalFixture(3)
        var expected: [JournalRecord] = []
        try await fixture.withJournal { journal in
            for _ in 0..<count { expected += try await journal.appendNext() }
            #expect(try await eventually { journal.report.members.allSatisfy { $0.lag == 0 } })
        }
        // Of equals the first is the best.
        fixture.keepers[0].misreads = true
        let replayed = Replayed()
        _ = try await fixture.start(replayed: replayed)
        #expect(replayed.records == expected)
    }

    @Test("A paused coordinator never believes itself confirmed once a new one serves")
    func confirmation() async throws {
        let fixture = try await JournalFixture(3)
        let time = ManualTime()
        let configuration = JournalConfiguration(confirmation: .seconds(2), patience: .seconds(60))
        let old = try await fixture.start(configuration: configuration, time: time)
        #expect(old.isConfirmed)
        time.advance(by: .milliseconds(1_500))
        // The old one does nothing from here on. Nobody renews, so only time ends its belief.
        let isServing = Mutex(false)
        let starting = Task {
            let new = try await fixture.start(configuration: configuration, time: time)
            isServing.withLock { $0 = true }
            #expect(new.isConfirmed)
        }
        // It waits out what the old one may believe. One that does not would serve at once, and never sleep.
        while time.sleeperCount == 0, !isServing.withLock({ $0 }) { await Task.yield() }
        for _ in 0..<9 {
            let isNewServing = isServing.withLock { $0 }
            #expect(!(isNewServing && old.isConfirmed))
            time.advance(by: .milliseconds(249))
            for _ in 0..<200 { await Task.yield() }
        }
        #expect(!isServing.withLock { $0 })
        time.advance(by: .milliseconds(250))
        try await starting.value
        #expect(!old.isConfirmed)
    }
}

extension [TestKeeper] {
    /// Up to where each of them is trimmed.
    func bases() async throws -> [UInt64] {
        var result: [UInt64] = []
        for keeper in self {
            guard case .state(let state) = try await keeper.call(.state) else { continue }
            result.append(state.base.sequence)
        }
        return result
    }
}

extension TestKeeper {
    /// The records on its disk.
    func records() async throws -> [JournalRecord] {
        guard case .records(let records) = try await call(.read(sequence: 1, limit: 1 << 20)) else { return [] }
        return records
    }
}

/// A keeper whose answer to an append gets lost, after it has done what it was asked.
private final class LossyKeeper: KeeperClient {
    private let inner: TestKeeper
    private let isLossy = Mutex(false)

    init(_ inner: TestKeeper) { self.inner = inner }

    var keeper: DiskID { inner.keeper }

    func loseNextAppend() { isLossy.withLock { $0 = true } }

    func call(_ request: KeeperRequest) async throws(KeeperCallError) -> KeeperResponse {
        let response = try await inner.call(request)
        guard case .append = request else { return response }
        let isLost = isLossy.withLock { isLossy in
            defer { isLossy = false }
            return isLossy
        }
        if isLost { throw .unreachable("the answer got lost") }
        return response
    }
}
