import ClusterProtocol
import Coordination
import DiskFormat
import JournalStorage
import ObjectModel
import Synchronization
import SystemInterface
import TestKit
import Testing

@Suite("Keeper sets, checkpoints and random histories")
struct JournalChangeTests {
    @Test("A keeper is replaced while records flow; the next start needs the new set")
    func replaceKeeper() async throws {
        let fixture = try await JournalFixture(3)
        let fresh = TestKeeper(number: 9)
        try await fresh.open()
        var expected: [JournalRecord] = []
        try await fixture.withJournal { journal async throws in
            expected += try await journal.appendNext(5)
            fixture.keepers[0].isDown = true
            let after = fixture.ids[1...] + [fresh.keeper]
            try await journal.changeKeepers(to: Array(after), joining: fresh) { payload in
                let change = JournalRecord(position: position(1, 6), payload: payload)
                try await journal.append([change])
                expected.append(change)
            }
            #expect(journal.report.keepers.keepers == after.sorted())
            await #expect(throws: JournalError.self) {
                try await journal.changeKeepers(to: fixture.ids, joining: nil) { _ in }
            }
            expected += try await journal.appendNext(5)
            #expect(try await eventually { journal.report.members.allSatisfy { $0.isWhole && $0.lag == 0 } })
        }
        fixture.keepers[0].isDown = false
        // The keeper that left and one that stayed are no quorum of the new set.
        await #expect(throws: JournalError.self) { _ = try await fixture.start(Array(fixture.keepers[..<2])) }
        let replayed = Replayed()
        try await fixture.withJournal([fixture.keepers[1], fresh], replayed: replayed) { _ in }
        #expect(replayed.records == expected)
        #expect(KeeperSetChange.isChange(replayed.records[5].payload))
    }

    @Test("A keeper change that is cut half-way is either done or not, and loses nothing", arguments: 0...4)
    func changeCutHalfway(reached: Int) async throws {
        let fixture = try await JournalFixture(3)
        let fresh = TestKeeper(number: 9)
        try await fresh.open()
        var expected: [JournalRecord] = []
        let journal = try await fixture.start()
        try await fixture.run(journal) { journal async throws in
            expected += try await journal.appendNext(5)
            #expect(try await eventually { journal.report.members.allSatisfy { $0.lag == 0 } })
            // Only some of the four keepers get the record of the change; then the coordinator dies.
            let all = fixture.keepers + [fresh]
            let after = Array(fixture.ids[1...]) + [fresh.keeper]
            try? await journal.changeKeepers(to: after, joining: fresh) { payload in
                for keeper in all[reached...] { keeper.isDown = true }
                try await journal.append([JournalRecord(position: position(1, 6), payload: payload)])
            }
        }
        for keeper in fixture.keepers + [fresh] { keeper.isDown = false }
        let replayed = Replayed()
        try await fixture.withJournal(fixture.keepers + [fresh], replayed: replayed) { journal async throws in
            #expect(Array(replayed.records.prefix(5)) == expected)
            let isDone = replayed.records.count == 6
            #expect(journal.report.keepers.contains(fresh.keeper) == isDone)
            if reached == 0 { #expect(!isDone) }
            if reached == 4 { #expect(isDone) }
            try await journal.appendNext(2)
        }
    }

    @Test("A first start that was cut off is begun again", arguments: 0..<12)
    func cutFirstStart(writes: Int) async throws {
        let fixture = try await JournalFixture(3)
        let left = Mutex(writes)
        for keeper in fixture.keepers {
            keeper.disk.setLatency { operation, _, _ in
                guard operation == .write else { return }
                let isOver = left.withLock { left in
                    left -= 1
                    return left < 0
                }
                if isOver { for keeper in fixture.keepers { keeper.isDown = true } }
            }
        }
        _ = try? await fixture.start()
        for keeper in fixture.keepers {
            keeper.disk.setLatency(nil)
            keeper.disk.restart()
            try await keeper.open()
            keeper.isDown = false
        }
        try await fixture.withJournal { try await $0.appendNext(2) }
    }

    @Test("A store begins only with all its keepers")
    func foundingWithoutOne() async throws {
        let fixture = try await JournalFixture(3)
        await #expect(throws: JournalError.tooFewKeepers(reached: 2, needed: 3, missing: [fixture.ids[2]])) {
            _ = try await fixture.start(Array(fixture.keepers[..<2]))
        }
        // The same when it goes behind its promise, which is two writes.
        let writes = Mutex(0)
        fixture.keepers[2].disk.setLatency { operation, _, _ in
            guard operation == .write else { return }
            let count = writes.withLock { writes in
                writes += 1
                return writes
            }
            if count > 2 { fixture.keepers[2].isDown = true }
        }
        await #expect(throws: JournalError.tooFewKeepers(reached: 2, needed: 3, missing: [fixture.ids[2]])) {
            _ = try await fixture.start()
        }
        fixture.keepers[2].disk.setLatency(nil)
        fixture.keepers[2].isDown = false
        try await fixture.withJournal { try await $0.appendNext(2) }
    }

    @Test("A coordinator that another has taken over from does not start again, and the keepers promise it nothing")
    func takenOver() async throws {
        let fixture = try await JournalFixture(3)
        let old = try await fixture.start()
        try await fixture.run(old) { try await $0.appendNext(2) }
        let new = try await fixture.start()
        try await fixture.run(new) { try await $0.appendNext(2) }
        #expect(new.incarnation > old.incarnation)
        await #expect(throws: JournalError.superseded(incarnation: new.incarnation)) {
            _ = try await fixture.start(own: old.incarnation)
        }
        #expect(await JournalSurvey.take(fixture.keepers).highestIncarnation == new.incarnation)
        let again = try await fixture.start(own: new.incarnation)
        try await fixture.run(again) { try await $0.appendNext() }
    }

    @Test("An empty disk in a keeper's place does not count at start")
    func emptyKeeper() async throws {
        let fixture = try await JournalFixture(3)
        try await fixture.withJournal { try await $0.appendNext(3) }
        let empty = TestKeeper(number: 2)
        try await empty.open()
        await #expect(throws: JournalError.tooFewKeepers(reached: 1, needed: 2, missing: Array(fixture.ids[1...]))) {
            _ = try await fixture.start([fixture.keepers[0], empty])
        }
        let replayed = Replayed()
        try await fixture.withJournal([fixture.keepers[0], empty, fixture.keepers[2]], replayed: replayed) {
            journal async throws in
            #expect(replayed.records == records(1, 1...3))
            #expect(try await eventually { journal.report.members.allSatisfy { $0.isWhole && $0.lag == 0 } })
            #expect(try await empty.records() == records(1, 1...3))
        }
    }

    @Test("A keeper that does not know where its log ends does not count at start, and is fed")
    func unknownEnd() async throws {
        let fixture = try await JournalFixture(3)
        try await fixture.withJournal { try await $0.appendNext(3) }
        let keeper = fixture.keepers[0]
        keeper.disk.restart()
        for path in keeper.disk.files where path.contains("/log-") {
            for offset in [10, JournalFormat.headerSlot + 10] { keeper.disk.flip(path, offset: offset, mask: 1) }
        }
        try await keeper.open()
        #expect(await JournalSurvey.take([keeper]).answers.allSatisfy { $0.state.hasUnknownEnd })
        fixture.keepers[2].isDown = true
        let missing = [fixture.ids[0], fixture.ids[2]]
        await #expect(throws: JournalError.tooFewKeepers(reached: 1, needed: 2, missing: missing)) {
            _ = try await fixture.start()
        }
        fixture.keepers[2].isDown = false
        let replayed = Replayed()
        try await fixture.withJournal(replayed: replayed) { journal async throws in
            #expect(replayed.records == records(1, 1...3))
            #expect(try await eventually { journal.report.members.allSatisfy { $0.isWhole && $0.lag == 0 } })
            #expect(try await keeper.records() == records(1, 1...3))
        }
    }

    @Test("Behind a checkpoint the logs are trimmed; a keeper that missed it all goes on from there")
    func trimming() async throws {
        let fixture = try await JournalFixture(3)
        try await fixture.withJournal { journal async throws in
            try await journal.appendNext(3)
            fixture.keepers[2].isDown = true
            try await journal.appendNext(20)
            try journal.checkpointTaken(position(1, 20), checkpoint: [7, 7])
            fixture.keepers[2].isDown = false
            #expect(try await eventually { try await fixture.keepers.bases() == [20, 20, 20] })
            try await journal.appendNext(2)
            #expect(try await eventually { journal.report.members.allSatisfy { $0.isWhole && $0.lag == 0 } })
        }
        let survey = await JournalSurvey.take(fixture.keepers)
        let reference = try #require(try survey.reference())
        #expect(reference.base == position(1, 20) && reference.reference.checkpoint == [7, 7])
        let replayed = Replayed()
        try await fixture.withJournal(database: position(1, 20), replayed: replayed) { _ in }
        #expect(replayed.records == records(1, 21...25))
    }

    @Test("A keeper that says it lacks what no journal has stops no start")
    func senselessState() async throws {
        let fixture = try await JournalFixture(3)
        try await fixture.withJournal { try await $0.appendNext(3) }
        var clients: [any KeeperClient] = fixture.keepers
        clients[0] = SenselessKeeper(inner: fixture.keepers[0])
        let replayed = Replayed()
        try await fixture.withJournal(clients, replayed: replayed) { try await $0.appendNext(2) }
        #expect(replayed.records == records(1, 1...3))
    }

    /// Coordinators come and go, keepers lose power, rot and are away; now and then two coordinators overlap. Whatever
    /// was acknowledged is found by every later start, at its place.
    @Test("No acknowledged record is ever lost, reordered or mixed", arguments: 1..<9 as Range<UInt64>)
    func randomHistory(seed: UInt64) async throws {
        var generator = SplitMix64(seed: seed)
        let fixture = try await JournalFixture(5)
        var acknowledged: [JournalRecord] = []
        let configuration = JournalConfiguration(
            confirmation: .milliseconds(4),
            patience: .milliseconds(60),
            batchBytes: 300
        )
        for generation in 1...6 {
            for keeper in fixture.keepers { keeper.isDown = false }
            // A new store begins with all its keepers.
            if generation > 1 {
                try await fixture.hurt(acknowledged: UInt64(acknowledged.count), using: &generator)
            }
            let replayed = Replayed()
            let journal = try await fixture.start(configuration: configuration, replayed: replayed)
            let comment: Comment = "seed \(seed), generation \(generation)"
            #expect(Array(replayed.records.prefix(acknowledged.count)) == acknowledged, comment)
            let sequences = replayed.records.map(\.position.sequence)
            #expect(sequences == Array(1..<UInt64(sequences.count) + 1), comment)
            acknowledged = replayed.records
            let lost = fixture.keepers.shuffled(using: &generator)
            let steps = Int.random(in: 0...6, using: &generator)
            let cut = Int.random(in: 0...6, using: &generator)
            let losses = Int.random(in: 0...5, using: &generator)
            let sizes = (0..<7).map { _ in Int.random(in: 1...4, using: &generator) }
            let isOverlapped = Int.random(in: 0..<3, using: &generator) == 0
            var done: [JournalRecord] = []
            try? await fixture.run(journal) { journal in
                for step in 0...steps {
                    // The network or the power goes in the middle of it.
                    if step == cut { for keeper in lost.prefix(losses) { keeper.isDown = true } }
                    done += try await journal.appendNext(sizes[step])
                }
                guard isOverlapped else { return }
                let before = acknowledged + done
                (acknowledged, done) = (before, [])
                let again = Replayed()
                let newer = try await fixture.start(configuration: configuration, replayed: again)
                #expect(Array(again.records.prefix(before.count)) == before, comment)
                acknowledged = again.records
                await #expect(throws: JournalError.self, comment) { try await journal.appendNext() }
                try await fixture.run(newer) { done += try await $0.appendNext(sizes[0]) }
            }
            acknowledged += done
            for keeper in fixture.keepers where Bool.random(using: &generator) {
                keeper.disk.crash(using: &generator)
                try await keeper.open()
            }
        }
    }
}

extension JournalFixture {
    /// Of five keepers.
    private static let mayBeLost = 2

    /// Before a start some keepers rot and others are away: with those that have not been mended yet no more than may
    /// be lost.
    fileprivate func hurt(acknowledged: UInt64, using generator: inout SplitMix64) async throws {
        let intact = await JournalSurvey.take(keepers).answers.filter { $0.state.damaged.isEmpty }
        var left = max(0, Self.mayBeLost - (keepers.count - intact.count))
        // Records that one log alone has were never acknowledged, but a start takes them, and all before them: where
        // that log cannot be read just before them, nobody can prove what was there, and the start is refused.
        let fit = intact.filter { $0.state.last.sequence <= acknowledged }.map(\.keeper)
        let rotting = Bool.random(using: &generator) ? Int.random(in: 0...left, using: &generator) : 0
        for keeper in keepers.filter({ fit.contains($0.keeper) }).shuffled(using: &generator).prefix(rotting) {
            try await keeper.rot(using: &generator)
            left -= 1
        }
        let away = Int.random(in: 0...left, using: &generator)
        for keeper in keepers.shuffled(using: &generator).prefix(away) { keeper.isDown = true }
    }
}

extension TestKeeper {
    /// Bytes from a block's beginning where a small batch has its own.
    private static let batchBytes = 192

    /// Flips a few bits of the log's files, or of one copy of the promise, and opens the log again: a keeper that has
    /// not seen its rot would say that it holds what it does not.
    fileprivate func rot(using generator: inout SplitMix64) async throws {
        disk.restart()
        let logs = disk.files.filter { $0.contains("/log-") }
        for _ in 0..<Int.random(in: 1...3, using: &generator) {
            let mask = UInt8(1) << UInt8.random(in: 0..<8, using: &generator)
            guard let log = logs.randomElement(using: &generator), let length = disk.length(log) else { continue }
            switch Int.random(in: 0..<8, using: &generator) {
            case 0:
                disk.flip("journal/promise", offset: Int.random(in: 0..<64, using: &generator), mask: mask)
            case 1:
                let slot = JournalFormat.headerSlot * Int.random(in: 0...1, using: &generator)
                let offset = Int.random(in: 0..<JournalFormat.headerLength, using: &generator)
                disk.flip(log, offset: slot + offset, mask: mask)
            default:
                let blocks = (length - JournalFormat.dataOffset) / JournalFormat.blockSize
                let block = Int.random(in: 0..<max(1, blocks), using: &generator)
                let offset = Int.random(in: 0..<Self.batchBytes, using: &generator)
                disk.flip(log, offset: JournalFormat.dataOffset + block * JournalFormat.blockSize + offset, mask: mask)
            }
        }
        try await open()
    }
}

/// Says of its log that the record before the first one is damaged.
private struct SenselessKeeper: KeeperClient {
    let inner: TestKeeper

    var keeper: DiskID { inner.keeper }

    func call(_ request: KeeperRequest) async throws(KeeperCallError) -> KeeperResponse {
        let response = try await inner.call(request)
        guard case .state(var state) = response else { return response }
        state.damaged = [0..<2]
        return .state(state)
    }
}
