import TestKit
import Testing

@Suite("Failing sequences are made short")
struct ShrinkingTests {
    private struct Failure: Error, Hashable {
        var text = "fails"
    }

    /// What is left of 0 ..< `count` when a run fails that holds all of `needed`, in their order.
    private static func left(of count: Int, needed: [Int], runs: Int = Shrinking.runLimit) async throws -> [Int] {
        let error = await #expect(throws: ShortenedFailure<Int>.self) {
            try await Shrinking.check(Array(0..<count), runs: runs) { steps in
                if steps.filter(needed.contains) == needed { throw Failure() }
            }
        }
        return try #require(error).steps
    }

    @Test(
        "exactly the steps that it takes are left",
        arguments: [[], [0], [249], [17], [0, 249], [3, 4, 5], [10, 100, 101, 200]]
    )
    func shortest(needed: [Int]) async throws {
        #expect(try await Self.left(of: 250, needed: needed) == needed)
    }

    @Test("none is taken away that is needed, wherever it lies", arguments: 1...40 as ClosedRange<UInt64>)
    func random(seed: UInt64) async throws {
        var generator = SplitMix64(seed: seed)
        let count = Int.random(in: 1...120, using: &generator)
        let needed = (0..<count).filter { _ in Int.random(in: 0..<count, using: &generator) < 4 }
        #expect(try await Self.left(of: count, needed: needed, runs: .max) == needed)
    }

    @Test("a sequence that fails only in pairs is shortened to one pair")
    func pairs() async throws {
        let error = await #expect(throws: ShortenedFailure<Int>.self) {
            try await Shrinking.check(Array(0..<64)) { steps in
                if zip(steps, steps.dropFirst()).contains(where: { $0 % 8 == 5 && $1 % 8 == 6 }) { throw Failure() }
            }
        }
        let steps = try #require(error).steps
        #expect(steps.map { $0 % 8 } == [5, 6])
    }

    @Test("the cause that is told is that of the steps that are told")
    func cause() async throws {
        let error = await #expect(throws: ShortenedFailure<Int>.self) {
            try await Shrinking.check(Array(0..<32)) { steps in
                if steps.contains(9) { throw Failure(text: steps.count > 1 ? "early" : "late") }
            }
        }
        #expect(error?.cause as? Failure == Failure(text: "late"))
        #expect(error.map(String.init(describing:))?.hasSuffix(", by 1 of 32 steps: [9]") == true)
    }

    @Test("it gives up in time, with steps that fail")
    func limit() async throws {
        var runs = 0
        let error = await #expect(throws: ShortenedFailure<Int>.self) {
            try await Shrinking.check(Array(0..<1_000), runs: 20) { steps in
                runs += 1
                if steps.count(where: { $0 % 2 == 0 }) >= 400 { throw Failure() }
            }
        }
        #expect(runs == 21)
        let steps = try #require(error).steps
        #expect(steps.count < 1_000 && steps.count(where: { $0 % 2 == 0 }) >= 400)
    }

    @Test("one that holds is run once")
    func holds() async throws {
        var runs = 0
        try await Shrinking.check([1, 2, 3]) { _ in runs += 1 }
        #expect(runs == 1)
    }
}
