import LinuxSystem
import Synchronization
import SystemInterface
import TestKit
import Testing

@Suite struct TimeAndRandomTests {
    @Test("the monotonic clock never goes back and sleep lasts as long as asked")
    func monotonic() async throws {
        let time = LinuxTime()
        var last = time.monotonic
        for _ in 0..<10_000 {
            let now = time.monotonic
            #expect(now >= last)
            last = now
        }
        try await time.sleep(for: .milliseconds(20))
        #expect(time.monotonic.duration(since: last) >= .milliseconds(20))
    }

    @Test("the wall clock is past 2024")
    func wall() { #expect(LinuxTime().wall.milliseconds > 1_704_067_200_000) }

    @Test("random numbers do not repeat, over many refills and tasks")
    func random() async {
        let random = LinuxRandom()
        let numbers = await withTaskGroup(of: [UInt64].self) { group in
            for _ in 0..<4 { group.addTask { (0..<5_000).map { _ in random.next() } } }
            return await group.reduce(into: []) { $0 += $1 }
        }
        #expect(Set(numbers).count == 20_000)
        // 20,000 fair coins per bit: half of them, give or take eight standard deviations.
        for bit in 0..<64 {
            let ones = numbers.count { $0 >> bit & 1 == 1 }
            #expect(abs(ones - 10_000) < 566)
        }
    }

    @Test("the seeded source gives the published numbers of SplitMix64")
    func splitMix() {
        var generator = SplitMix64(seed: 1_234_567)
        #expect(generator.next() == 6_457_827_717_110_365_317)
        #expect(generator.next() == 3_203_168_211_198_807_973)
        #expect(generator.next() == 9_817_491_932_198_370_423)
        let (first, second) = (SeededRandom(seed: 5), SeededRandom(seed: 5))
        #expect(first.bytes(100) == second.bytes(100))
    }

    @Test("manual time wakes exactly those who are due, and cancelled sleepers at once")
    func manual() async throws {
        let time = ManualTime()
        let woken = Log()
        let tasks = [3, 1, 2].map { seconds in
            Task {
                try await time.sleep(for: .seconds(seconds))
                woken.append(seconds)
            }
        }
        await time.waitForSleepers(3)
        time.advance(by: .milliseconds(999))
        #expect(time.sleeperCount == 3)
        time.advance(by: .milliseconds(1))
        try await tasks[1].value
        #expect(woken.entries == [1])
        tasks[0].cancel()
        await #expect(throws: CancellationError.self) { try await tasks[0].value }
        time.advance(by: .seconds(10))
        try await tasks[2].value
        #expect(woken.entries == [1, 2])
        #expect(time.wall.milliseconds == 1_767_225_600_000 + 11_000)
    }
}

/// What happened, in order.
private final class Log: Sendable {
    private let state = Mutex<[Int]>([])
    var entries: [Int] { state.withLock { $0 } }
    func append(_ entry: Int) { state.withLock { $0.append(entry) } }
}
