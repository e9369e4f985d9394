import Simulation
import Testing

/// Histories by hand: the simulator believes what this judges.
@Suite("The simulator's oracle of registers")
struct RegisterOracleTests {
    private let oracle = RegisterOracle()

    private func begin(_ number: UInt64, replacing predecessor: UInt64?) -> Int {
        oracle.begin("r", WrittenValue(number: number, length: 10), replacing: predecessor)
    }

    /// One that succeeds at once.
    private func swap(_ predecessor: UInt64?, for number: UInt64) -> String? {
        oracle.acknowledge("r", begin(number, replacing: predecessor))
    }

    private func problem(_ number: UInt64?, began: Int? = nil) -> String? {
        oracle.check("r", began: began ?? oracle.beginRead(), found: number)
    }

    @Test("a chain of successes is read by its last, and by nothing older")
    func chain() {
        #expect(problem(nil) == nil)
        #expect(swap(nil, for: 1) == nil)
        let before = oracle.beginRead()
        #expect(swap(1, for: 2) == nil)
        #expect(problem(2) == nil)
        #expect(problem(1) != nil)
        #expect(problem(nil) != nil)
        #expect(problem(1, began: before) == nil, "it began before")
        #expect(problem(3) != nil, "nobody wrote it")
    }

    @Test("two successes do not replace the same value")
    func rivals() {
        #expect(swap(nil, for: 1) == nil)
        #expect(swap(1, for: 2) == nil)
        #expect(swap(1, for: 3) != nil)
    }

    @Test("a condition fails only where another may have come first")
    func failed() {
        #expect(swap(nil, for: 1) == nil)
        #expect(oracle.fail("r", begin(2, replacing: 1)) != nil)
        oracle.lose("r", begin(3, replacing: 1))
        #expect(oracle.fail("r", begin(4, replacing: 1)) == nil)
        #expect(problem(4) != nil, "its condition failed")
    }

    @Test("what was read neither failed nor was refused", arguments: [true, false])
    func seen(isRefused: Bool) {
        #expect(swap(nil, for: 1) == nil)
        let write = begin(2, replacing: 1)
        #expect(problem(2) == nil)
        #expect((isRefused ? oracle.refuse("r", write) : oracle.fail("r", write)) != nil)
    }

    @Test("what was seen by way of a later value has happened as well")
    func seenBehind() {
        let first = begin(1, replacing: nil)
        let second = begin(2, replacing: 1)
        #expect(problem(2) == nil)
        #expect(oracle.refuse("r", first) != nil)
        #expect(oracle.acknowledge("r", second) == nil)
        #expect(problem(1) != nil, "forgotten")
    }

    @Test("what was refused is not read later, and is no rival")
    func refused() {
        #expect(swap(nil, for: 1) == nil)
        #expect(oracle.refuse("r", begin(2, replacing: 1)) == nil)
        #expect(problem(2) != nil)
        #expect(swap(1, for: 3) == nil)
        #expect(problem(3) == nil)
    }

    @Test("of what nobody answered either may be read, and what was read once stays")
    func unknown() {
        #expect(swap(nil, for: 1) == nil)
        oracle.lose("r", begin(2, replacing: 1))
        #expect(problem(1) == nil)
        #expect(problem(2) == nil)
        #expect(problem(1) != nil)
    }
}
