import Coordination
import SystemInterface
import Testing

/// How long work that goes on will take yet.
@Suite("pace of work")
struct WorkPaceTests {
    private static func time(_ seconds: UInt64) -> MonotonicTime {
        MonotonicTime(nanoseconds: seconds * 1_000_000_000)
    }

    @Test("is not known at first, then that of the work since it began, and begins anew after a pause")
    func pace() {
        var pace = WorkPace()
        #expect(pace.secondsLeft(for: 10) == nil)
        // It took time before: how long nobody knows.
        pace.note(1_000, now: Self.time(5))
        #expect(pace.secondsLeft(for: 10) == nil)
        pace.note(20, now: Self.time(15))
        #expect(pace.secondsLeft(for: 10) == 5)
        pace.note(0, now: Self.time(25))
        #expect(pace.secondsLeft(for: 10) == 10)
        #expect(pace.secondsLeft(for: 0) == 0)
        pace.note(7, now: Self.time(86))
        #expect(pace.secondsLeft(for: 10) == nil)
        pace.note(5, now: Self.time(96))
        #expect(pace.secondsLeft(for: 10) == 20)
        #expect(pace.asOf(Self.time(156)).secondsLeft(for: 10) == 20)
        #expect(pace.asOf(Self.time(157)).secondsLeft(for: 10) == nil, "it stands still")
    }

    @Test("is not told of a first moment")
    func notWild() {
        var pace = WorkPace()
        for second in 0..<5 {
            pace.note(second == 1 ? 1_000 : 1, now: Self.time(UInt64(second)))
            #expect(pace.secondsLeft(for: 1_000_000) == nil)
        }
        pace.note(1, now: Self.time(5))
        #expect(pace.secondsLeft(for: 1_004) == 5)
    }

    @Test("is that of one repair and of one set of moves, however soon they come after others")
    func anew() {
        var repair = RepairProgress()
        repair.beginAnew()
        for second in 0...10 { repair.note(shards: 10, bytes: 100, now: Self.time(UInt64(second))) }
        #expect(repair.bytesOfRepair == 1_100 && repair.secondsLeft(for: 100) == 10)
        repair.beginAnew()
        #expect(repair.bytesOfRepair == 0 && repair.secondsLeft(for: 100) == nil)
        for second in 50...60 { repair.note(shards: 10, bytes: 100, now: Self.time(UInt64(second))) }
        #expect(repair.bytesOfRepair == 1_100 && repair.bytesDone == 2_200 && repair.secondsLeft(for: 100) == 10)

        var moves = MoveProgress()
        for start: UInt64 in [0, 50] {
            moves.look(areUnderWay: true)
            #expect(moves.bytesOfMoves == 0 && moves.secondsLeft(for: 100) == nil)
            for second in start...(start + 10) {
                moves.look(areUnderWay: true)
                moves.note(shards: 10, bytes: 100, now: Self.time(second))
            }
            #expect(moves.shardsOfMoves == 110 && moves.bytesOfMoves == 1_100 && moves.secondsLeft(for: 100) == 10)
            moves.look(areUnderWay: false)
            #expect(moves.bytesOfMoves == 1_100, "what the last ones came to")
        }
        #expect(moves.bytesDone == 2_200)
    }

    @Test("is that of late: what went on before more than two minutes does not count")
    func ofLate() {
        var pace = WorkPace()
        for second in 0...120 { pace.note(100, now: Self.time(UInt64(second))) }
        #expect(pace.secondsLeft(for: 1_000) == 10)
        for second in 121...300 { pace.note(10, now: Self.time(UInt64(second))) }
        #expect(pace.secondsLeft(for: 1_000) == 100)
    }
}
