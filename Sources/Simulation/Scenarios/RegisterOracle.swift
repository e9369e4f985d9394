import Synchronization

/// Judges compare-and-set registers: keys that several clients change, each time naming what they saw.
///
/// Values are unique and nobody writes without a condition, so the values that ever stood in a register are a chain in
/// which each names the one before. Linearizable means: what succeeded is in that chain, no two successes name the same
/// predecessor, and a read sees no link from before what was known when it began.
package final class RegisterOracle: Sendable {
    private enum Fate { case open, acknowledged, refused, unknown }

    private struct Attempt {
        var value: WrittenValue
        /// The value that it replaces; nil when the register is empty.
        var predecessor: UInt64?
        var fate = Fate.open
        /// The turn in which it was known to have happened.
        var known: Int?
    }

    private struct State {
        var turn = 0
        var attempts: [String: [Attempt]] = [:]
    }

    private let state = Mutex(State())

    package init() {}

    /// Those that surely hold something by now.
    var written: [String] {
        state.withLock { $0.attempts.filter { $0.value.contains { $0.known != nil } }.keys.sorted() }
    }

    var keys: [String] { state.withLock { $0.attempts.keys.sorted() } }

    /// The present turn: what is known before it must be seen by a read that begins now.
    package func beginRead() -> Int {
        state.withLock { state in
            state.turn += 1
            return state.turn
        }
    }

    package func begin(_ key: String, _ value: WrittenValue, replacing predecessor: UInt64?) -> Int {
        state.withLock { state in
            state.turn += 1
            state.attempts[key, default: []].append(Attempt(value: value, predecessor: predecessor))
            return (state.attempts[key]?.count ?? 0) - 1
        }
    }

    /// It succeeded; returns what is wrong with that.
    package func acknowledge(_ key: String, _ place: Int) -> String? {
        state.withLock { state in
            state.turn += 1
            guard var attempts = state.attempts[key] else { return "\(key) was never written" }
            let predecessor = attempts[place].predecessor
            let rival = attempts.indices.first { index in
                index != place && attempts[index].predecessor == predecessor && attempts[index].fate == .acknowledged
            }
            attempts[place].fate = .acknowledged
            attempts[place].known = attempts[place].known ?? state.turn
            state.attempts[key] = attempts
            return rival.map {
                "\(key): values \(attempts[$0].value.number) and \(attempts[place].value.number) both replaced "
                    + "\(Self.text(predecessor))"
            }
        }
    }

    /// Nobody knows whether it happened.
    package func lose(_ key: String, _ place: Int) { settle(key, place, .unknown) }

    /// The store did not try; returns what is wrong with that.
    package func refuse(_ key: String, _ place: Int) -> String? {
        settle(key, place, .refused)
        guard let attempt = state.withLock({ $0.attempts[key]?[place] }), attempt.fate == .acknowledged else {
            return nil
        }
        return "\(key): \(Self.text(attempt.value.number)) was read, and its write refused"
    }

    /// Its condition did not hold; returns what is wrong with that.
    package func fail(_ key: String, _ place: Int) -> String? {
        settle(key, place, .refused)
        if state.withLock({ $0.attempts[key]?[place].fate == .acknowledged }) {
            return "\(key) was seen to hold a value whose condition failed"
        }
        return state.withLock { state in
            guard let attempts = state.attempts[key] else { return nil }
            let predecessor = attempts[place].predecessor
            let hasRival = attempts.indices.contains { index in
                index != place && attempts[index].predecessor == predecessor && attempts[index].fate != .refused
            }
            return hasRival ? nil : "\(key) still held \(Self.text(predecessor)), and the condition failed"
        }
    }

    private func settle(_ key: String, _ place: Int, _ fate: Fate) {
        state.withLock { state in
            state.turn += 1
            // A read may have seen it already.
            if state.attempts[key]?[place].fate == .open { state.attempts[key]?[place].fate = fate }
        }
    }

    /// The value of these bytes among those ever tried.
    func value(_ key: String, bytes: [UInt8]) -> WrittenValue? {
        let attempts = state.withLock { $0.attempts[key] ?? [] }
        return attempts.last { $0.value.length == bytes.count && $0.value.bytes == bytes }?.value
    }

    /// Judges what a read found that began in that turn; nil when that may be. What it saw has happened from then on.
    package func check(_ key: String, began: Int, found number: UInt64?) -> String? {
        state.withLock { state in
            var attempts = state.attempts[key] ?? []
            var chain: Set<UInt64> = []
            var next = number
            while let value = next, !chain.contains(value) {
                let place = attempts.firstIndex { $0.value.number == value && $0.fate != .refused }
                guard let place else { return "\(key) holds \(Self.text(number)), after \(value), which was refused" }
                chain.insert(value)
                next = attempts[place].predecessor
            }
            let missed = attempts.first { ($0.known ?? .max) < began && !chain.contains($0.value.number) }
            if let missed { return "\(key) holds \(Self.text(number)) and has forgotten value \(missed.value.number)" }
            state.turn += 1
            for place in attempts.indices where chain.contains(attempts[place].value.number) {
                attempts[place].fate = .acknowledged
                attempts[place].known = attempts[place].known ?? state.turn
            }
            state.attempts[key] = attempts
            return nil
        }
    }

    private static func text(_ number: UInt64?) -> String { number.map { "value \($0)" } ?? "nothing" }
}
