import Coordination
import Synchronization
import SystemInterface
import TestKit
import Testing

/// What the store does by itself and does not get on with.
@Suite("Trouble in the background")
struct WorkTroubleTests {
    /// Time that stands until it is told to go on.
    private final class SetTime: TimeSource {
        private let seconds = Mutex<UInt64>(0)

        var monotonic: MonotonicTime { MonotonicTime(nanoseconds: seconds.withLock { $0 } * 1_000_000_000) }
        var wall: WallTime { WallTime(milliseconds: 0) }
        func sleep(for duration: Duration) async throws {}
        func pass(_ count: UInt64) { seconds.withLock { $0 += count } }
    }

    @Test("is told once every try for a minute has failed, with the last reason, and no more after one that has not")
    func lasting() {
        let time = SetTime()
        let trouble = WorkTrouble(time: time)
        #expect(trouble.lasting == nil)
        trouble.note("no room")
        #expect(trouble.lasting == nil, "the next try may mend it")
        time.pass(59)
        trouble.note("no disk")
        #expect(trouble.lasting == nil)
        time.pass(1)
        #expect(trouble.lasting == "no disk")
        trouble.note(nil)
        #expect(trouble.lasting == nil)
        trouble.note("no room")
        #expect(trouble.lasting == nil)
    }

    @Test("of a store that gets on with everything there is none")
    func none() async throws {
        let harness = try await StoreHarness.open()
        try await harness.put("k", [1, 2, 3])
        #expect(await (try harness.store).troubles().isEmpty)
        try await harness.close()
    }
}
