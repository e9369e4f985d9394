import Coordination
import SystemInterface
import TestKit
import Testing

@Suite("Pauses of a take-over")
struct TakeOverPausesTests {
    @Test("the first is the shortest, and none is shorter or longer than it may be")
    func bounds() {
        var pauses = TakeOverPauses(random: SeededRandom(seed: 1))
        #expect(pauses.next() == TakeOverPauses.shortest)
        let others = (0..<1_000).map { _ in pauses.next() }
        #expect(others.allSatisfy { $0 >= TakeOverPauses.shortest && $0 <= TakeOverPauses.longest })
        #expect(others.max() ?? .zero > TakeOverPauses.longest * 9 / 10)
    }

    @Test("of two that begin together one waits longer than the other's start takes", arguments: UInt64(1)...20)
    func apart(seed: UInt64) {
        let start = Duration.seconds(3)
        var one = TakeOverPauses(random: SeededRandom(seed: seed))
        var other = TakeOverPauses(random: SeededRandom(seed: seed + 1_000))
        let isApart = (0..<30).contains { _ in
            let (first, second) = (one.next(), other.next())
            return max(first, second) - min(first, second) > start
        }
        #expect(isApart)
    }
}
