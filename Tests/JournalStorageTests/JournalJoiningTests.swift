import ClusterProtocol
import Coordination
import DiskFormat
import ObjectModel
import Synchronization
import TestKit
import Testing

@Suite("Disks that join the keepers")
struct JournalJoiningTests {
    @Test("A disk joins when it has everything: from then on the set bears the loss of as many keepers as before")
    func fedFirst() async throws {
        let fixture = try await JournalFixture(3)
        let fresh = try await freshKeeper()
        var expected: [JournalRecord] = []
        try await fixture.withJournal(configuration: .init(confirmation: .milliseconds(40), batchBytes: 100)) {
            journal async throws in
            expected += try await journal.appendNext(40)
            let after = fixture.ids[1...] + [fresh.keeper]
            try await journal.changeKeepers(to: Array(after), joining: fresh) { payload in
                #expect(try await fresh.records() == expected, "the disk lacks what the keepers have")
                let change = JournalRecord(position: position(1, 41), payload: payload)
                expected.append(change)
                try await journal.append([change])
            }
            // Until a keeper has been told that the change is done, a start needs enough of the old set as well.
            let told = try await eventually {
                try await JournalSurvey.take([fresh]).reference()?.reference.keepers == journal.report.keepers
            }
            #expect(told)
        }
        // One of the three stays away, and so does the one that left: the disk that joined counts like any other.
        for stayed in fixture.keepers[1...] {
            let replayed = Replayed()
            try await fixture.withJournal([stayed, fresh], replayed: replayed) { _ in }
            #expect(replayed.records == expected)
        }
    }

    @Test("A disk that takes nothing does not join: the set stays as it was, and another disk may join")
    func unfed() async throws {
        let fixture = try await JournalFixture(3)
        let (dead, fresh) = (try await freshKeeper(8), try await freshKeeper(9))
        try await fixture.withJournal(configuration: Self.impatient) { journal async throws in
            try await journal.appendNext(5)
            dead.isDown = true
            let before = journal.report.keepers
            await #expect(throws: JournalError.self) {
                try await journal.changeKeepers(to: fixture.ids + [dead.keeper], joining: dead) { _ in
                    Issue.record("a change was submitted")
                }
            }
            #expect(journal.report.keepers == before && journal.report.members.count == 3)
            try await journal.changeKeepers(to: fixture.ids + [fresh.keeper], joining: fresh) { payload in
                try await journal.append([JournalRecord(position: position(1, 6), payload: payload)])
            }
            #expect(journal.report.keepers.contains(fresh.keeper))
        }
    }

    @Test("Feeding a disk that would join makes way for what is more urgent: the set stays as it was, and may change")
    func makesWay() async throws {
        let fixture = try await JournalFixture(3)
        let (slow, fresh) = (try await freshKeeper(8), try await freshKeeper(9))
        slow.isDown = true
        // Nothing here hangs on how long a disk that takes nothing is waited for.
        let patient = JournalConfiguration(confirmation: .milliseconds(40), patience: .seconds(3_600))
        try await fixture.withJournal(configuration: patient) { journal async throws in
            try await journal.appendNext(5)
            let before = journal.report.keepers
            let isMoreUrgent = Atomic(false)
            await #expect(throws: JournalError.invalid("another change of the journal's keepers is more urgent")) {
                try await journal.changeKeepers(
                    to: fixture.ids[1...] + [slow.keeper],
                    joining: slow,
                    while: { !isMoreUrgent.exchange(true, ordering: .relaxed) }
                ) { _ in
                    Issue.record("a change was submitted")
                }
            }
            #expect(journal.report.keepers == before && journal.report.members.count == 3)
            try await journal.changeKeepers(to: fixture.ids[1...] + [fresh.keeper], joining: fresh) { payload in
                try await journal.append([JournalRecord(position: position(1, 6), payload: payload)])
            }
            #expect(journal.report.keepers.contains(fresh.keeper))
        }
    }

    @Test("What was under way to the log that a disk had before does not count for the one that it has now")
    func lateAnswer() async throws {
        let fixture = try await JournalFixture(3)
        let held = HeldKeeper(try await freshKeeper())
        // The same disk, with a new log that takes nothing.
        let renewed = HeldKeeper(try await freshKeeper())
        try await fixture.withJournal(configuration: Self.impatient) { journal async throws in
            try await journal.appendNext(5)
            for client in [held, renewed] {
                let change = Task {
                    try await journal.changeKeepers(to: fixture.ids + [client.keeper], joining: client) { _ in
                        Issue.record("a change was submitted")
                    }
                }
                #expect(try await eventually { client.isHolding })
                if client === renewed {
                    held.release()
                    #expect(try await eventually { !held.isHolding })
                }
                await #expect(throws: JournalError.self) { try await change.value }
            }
            renewed.release()
        }
    }

    private static let impatient = JournalConfiguration(
        confirmation: .milliseconds(40),
        patience: .seconds(2)
    )

    private func freshKeeper(_ number: UInt64 = 9) async throws -> TestKeeper {
        let keeper = TestKeeper(number: number)
        try await keeper.open()
        return keeper
    }
}

/// A keeper that does what it is asked, and keeps back its answers to marks until it is released.
private final class HeldKeeper: KeeperClient {
    private let inner: TestKeeper
    private let state = Mutex((isReleased: false, holding: 0))

    init(_ inner: TestKeeper) { self.inner = inner }

    var keeper: DiskID { inner.keeper }
    var isHolding: Bool { state.withLock { $0.holding > 0 } }

    func release() { state.withLock { $0.isReleased = true } }

    func call(_ request: KeeperRequest) async throws(KeeperCallError) -> KeeperResponse {
        let response = try await inner.call(request)
        guard case .append(_, _, let records) = request, records.isEmpty else { return response }
        state.withLock { $0.holding += 1 }
        while !state.withLock({ $0.isReleased }), !Task.isCancelled { try? await Task.sleep(for: .milliseconds(2)) }
        state.withLock { $0.holding -= 1 }
        return response
    }
}
