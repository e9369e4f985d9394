import Coordination
import LinuxSystem
import Synchronization
import Testing

@Suite("Work side by side, handed over in batches")
struct SideBySideTests {
    private struct State {
        var running = 0
        var mostRunning = 0
        var begun: [Int] = []
        var batches: [[Int]] = []
    }

    private static func run(
        _ items: Range<Int>,
        concurrency: Int,
        batch: Int,
        while goesOn: (Int) -> Bool = { _ in true }
    ) async -> State {
        let state = Shared()
        await SideBySide(
            concurrency: concurrency,
            batch: batch,
            patience: .seconds(60),
            time: LinuxTime(),
            work: { (item: Int) -> Int? in
                state.change { state in
                    state.running += 1
                    state.mostRunning = max(state.mostRunning, state.running)
                    state.begun.append(item)
                }
                await Task.yield()
                state.change { $0.running -= 1 }
                return item % 10 == 9 ? nil : item
            },
            settle: { outcomes in state.change { $0.batches.append(outcomes) } }
        ).run(items) { goesOn(state.change { $0.begun.count }) }
        return state.change { $0 }
    }

    private final class Shared: Sendable {
        private let state = Mutex(State())
        func change<Value>(_ body: (inout sending State) -> sending Value) -> Value { state.withLock(body) }
    }

    @Test("every item is worked on once, and every outcome handed over once", arguments: [1, 3, 8], [1, 7, 64])
    func all(concurrency: Int, batch: Int) async {
        for count in [0, 1, 7, 64, 100] {
            let state = await Self.run(0..<count, concurrency: concurrency, batch: batch)
            #expect(state.begun.sorted() == Array(0..<count))
            #expect(state.mostRunning <= concurrency)
            let handedOver: [Int] = state.batches.flatMap { $0 }.sorted()
            #expect(handedOver == Array(0..<count).filter { $0 % 10 != 9 })
            // All but the last are as large as they are to be.
            let odd = state.batches.count { $0.count != batch }
            #expect(odd <= 1)
            #expect(!state.batches.contains { $0.isEmpty })
        }
    }

    @Test("what is begun is handed over, also when the rest is dropped")
    func stops() async {
        let state = await Self.run(0..<1_000, concurrency: 4, batch: 16) { $0 < 50 }
        #expect((50...54).contains(state.begun.count))
        #expect(state.batches.flatMap { $0 }.sorted() == state.begun.filter { $0 % 10 != 9 }.sorted())
    }

    @Test("what claims the same is not worked on at once, and what does not is not held up by it")
    func claims() async {
        let running = Mutex<Set<Int>>([])
        let clashes = Mutex(0)
        let most = Mutex(0)
        await SideBySide(
            concurrency: 8,
            time: LinuxTime(),
            claims: { (item: Int) in [item % 5, 5 + item % 3] },
            work: { (item: Int) in
                running.withLock { running in
                    let others = running.count { $0 % 5 == item % 5 || $0 % 3 == item % 3 }
                    clashes.withLock { $0 += others }
                    running.insert(item)
                    most.withLock { $0 = max($0, running.count) }
                }
                for _ in 0..<3 { await Task.yield() }
                running.withLock { _ = $0.remove(item) }
            }
        ).run(0..<200)
        #expect(clashes.withLock { $0 } == 0)
        #expect(most.withLock { $0 } == 3)
    }

    @Test("no outcome waits for longer than its patience, whatever else is going on")
    func patience() async {
        let state = Shared()
        await SideBySide(
            concurrency: 8,
            batch: 64,
            patience: .milliseconds(20),
            time: LinuxTime(),
            work: { (item: Int) -> Int? in
                // One goes on until the others have been handed over.
                while item == 5, state.change({ $0.batches.flatMap { $0 }.count }) < 7 { await Task.yield() }
                return item
            },
            settle: { outcomes in state.change { $0.batches.append(outcomes) } }
        ).run(0..<8)
        #expect(state.change { $0.batches.last } == [5])
        #expect(state.change { $0.batches.flatMap { $0 } }.sorted() == Array(0..<8))
    }

    @Test("how many go at a time is asked each time")
    func changing() async {
        let running = Mutex(0)
        let most = Mutex((early: 0, late: 0))
        let begun = Mutex(0)
        await SideBySide(
            concurrency: begun.withLock { $0 } < 50 ? 4 : 1,
            time: LinuxTime(),
            claims: { (_: Int) in Set<Int>() },
            work: { (_: Int) in
                let (now, number) = (
                    running.withLock {
                        $0 += 1; return $0
                    },
                    begun.withLock {
                        $0 += 1; return $0
                    }
                )
                most.withLock { most in
                    if number <= 50 { most.early = max(most.early, now) }
                    if number > 54 { most.late = max(most.late, now) }
                }
                await Task.yield()
                running.withLock { $0 -= 1 }
            }
        ).run(0..<200)
        #expect(most.withLock { $0.early } <= 4 && most.withLock { $0.late } == 1)
    }
}
