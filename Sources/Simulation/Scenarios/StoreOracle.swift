import Synchronization

/// Remembers what clients did and were told, and judges what they read.
///
/// Each key has one writer, so that its writes have an order. A read may give the last write that was acknowledged, or
/// seen by another read, before it began, or a later one that began before the read ended and was not refused; and once
/// a read has decided whether a write of unknown outcome happened, every later read must agree. What was seen has
/// happened: it can neither be refused nor be lost afterwards. Where calls cross a network, a write that nobody
/// answered may happen long after its client gave up: it stays pending until `settle`, and its key is not written again
/// before.
package final class StoreOracle: Sendable {
    private enum Fate { case open, acknowledged, refused, unknown }

    private struct Write {
        /// nil is a delete.
        var value: WrittenValue?
        var fate = Fate.open
        /// The turn in which it was answered, or its server died.
        var settled: Int?
        /// Of unknown outcome, and may still happen.
        var isPending = false
        /// The turn in which a read, or a list, had surely seen it.
        var seen: Int?

        /// Whether it had surely happened when a read began.
        func hadHappened(before began: Int) -> Bool {
            (fate == .acknowledged && (settled ?? .max) < began) || (seen ?? .max) < began
        }
    }

    private struct State {
        var turn = 0
        var writes: [String: [Write]] = [:]
        var operations = 0
        /// Of writes that were answered: those that were done, and those that were refused.
        var done = 0
        var refused = 0
    }

    /// A read under way.
    package struct Reading: Sendable {
        fileprivate var began: Int
    }

    private let state = Mutex(State())
    private let landsLate: Bool

    /// `landsLate`: what nobody answered may happen until `settle`.
    package init(landsLate: Bool = false) { self.landsLate = landsLate }

    /// The number of the next operation; nil when so many have been begun.
    func beginOperation(limit: Int) -> Int? {
        state.withLock { state in
            guard state.operations < limit else { return nil }
            state.operations += 1
            return state.operations
        }
    }

    /// What the key holds, when only one thing can be; the outer nil when it could be more than one.
    func settledValue(_ key: String) -> WrittenValue?? {
        let allowed = allowed(key, beginRead())
        return allowed.count == 1 ? allowed[0] : nil
    }

    /// All keys ever written.
    var keys: [String] { state.withLock { $0.writes.keys.sorted() } }

    // MARK: Writes

    /// A write begins; returns its place among the key's writes.
    package func beginWrite(_ key: String, _ value: WrittenValue?) -> Int {
        state.withLock { state in
            state.turn += 1
            state.writes[key, default: []].append(Write(value: value))
            return (state.writes[key]?.count ?? 0) - 1
        }
    }

    package func acknowledge(_ key: String, _ place: Int) { settle(key, place, .acknowledged) }
    /// It may have happened or not, and nothing of it happens from here on.
    package func lose(_ key: String, _ place: Int) { settle(key, place, .unknown) }

    /// It had no effect; returns what is wrong with that.
    package func refuse(_ key: String, _ place: Int) -> String? {
        settle(key, place, .refused)
        let write = state.withLock { $0.writes[key]?[place] }
        return write?.seen == nil ? nil : "\(key): \(Self.text(write?.value)) was read, and its write refused"
    }

    private func settle(_ key: String, _ place: Int, _ fate: Fate) {
        state.withLock { state in
            state.turn += 1
            if fate == .acknowledged { state.done += 1 }
            if fate == .refused { state.refused += 1 }
            let isSeen = state.writes[key]?[place].seen != nil
            state.writes[key]?[place].fate = isSeen && fate == .unknown ? .acknowledged : fate
            state.writes[key]?[place].settled = state.turn
            state.writes[key]?[place].isPending = landsLate && fate == .unknown && !isSeen
        }
    }

    /// Of the writes that were answered, how many of a hundred were done.
    package var donePercent: Int {
        state.withLock { $0.done + $0.refused == 0 ? 100 : 100 * $0.done / ($0.done + $0.refused) }
    }

    /// Whether a write of unknown outcome may still change the key.
    func isPending(_ key: String) -> Bool { state.withLock { $0.writes[key]?.contains(where: \.isPending) ?? false } }

    /// Nothing that was begun is under way any longer.
    package func settle() {
        state.withLock { state in
            for key in state.writes.keys {
                for place in state.writes[key, default: []].indices { state.writes[key]?[place].isPending = false }
            }
        }
    }

    // MARK: Reads

    package func beginRead() -> Reading {
        state.withLock { state in
            state.turn += 1
            return Reading(began: state.turn)
        }
    }

    /// The values that a read may have seen, nil among them where it may have found nothing.
    func allowed(_ key: String, _ reading: Reading) -> [WrittenValue?] {
        state.withLock { state in Self.allowed(state.writes[key] ?? [], reading).map(\.value) }
    }

    /// Judges what a read found; nil when that may be, otherwise why not.
    package func check(_ key: String, _ reading: Reading, found value: WrittenValue?) -> String? {
        check(key, reading, Self.text(value)) { $0 == value }
    }

    /// Judges whether a list had the key.
    package func check(_ key: String, _ reading: Reading, isListed: Bool) -> String? {
        check(key, reading, isListed ? "that it is there" : "nothing") { ($0 != nil) == isListed }
    }

    /// `matches`: whether a value is what was found.
    private func check(
        _ key: String,
        _ reading: Reading,
        _ found: String,
        _ matches: (WrittenValue?) -> Bool
    ) -> String? {
        state.withLock { state in
            let writes = state.writes[key] ?? []
            let allowed = Self.allowed(writes, reading)
            let candidates = allowed.filter { matches($0.value) }
            // The latest of equals: two deletes in a row cannot be told apart.
            guard let seen = candidates.last else {
                return "\(key) gave \(found), allowed: \(allowed.map { Self.text($0.value) })"
            }
            state.turn += 1
            Self.decide(&state.writes[key, default: []], candidates, seen, reading, turn: state.turn)
            return nil
        }
    }

    private static func text(_ value: WrittenValue?) -> String {
        value.map { "value \($0.number) of \($0.length) bytes" } ?? "nothing"
    }

    private static func allowed(_ writes: [Write], _ reading: Reading) -> [(place: Int, value: WrittenValue?)] {
        let base = writes.lastIndex { $0.hadHappened(before: reading.began) }
        var allowed: [(place: Int, value: WrittenValue?)] = base == nil ? [(-1, nil)] : []
        for place in (base ?? 0)..<writes.count where writes[place].fate != .refused {
            allowed.append((place, writes[place].value))
        }
        return allowed
    }

    private typealias Candidate = (place: Int, value: WrittenValue?)

    /// Writes that this read has seen, or has not seen, are known from here on.
    private static func decide(
        _ writes: inout [Write],
        _ candidates: [Candidate],
        _ seen: Candidate,
        _ reading: Reading,
        turn: Int
    ) {
        // Only what nothing else looks like has surely been seen.
        let isSure = candidates.count == 1
        if isSure, writes.indices.contains(seen.place) { writes[seen.place].seen = writes[seen.place].seen ?? turn }
        let isOneValue = candidates.allSatisfy { $0.value == seen.value }
        for place in writes.indices where writes[place].fate == .unknown {
            if isSure, place == seen.place {
                // It may have happened just now: a read that began before need not have seen it.
                if writes[place].isPending { writes[place].settled = turn }
                (writes[place].fate, writes[place].isPending) = (.acknowledged, false)
            }
            // Not seen yet does not mean never.
            guard !writes[place].isPending, writes[place].settled ?? .max < reading.began else { continue }
            if place > seen.place, !candidates.contains(where: { $0.place == place }) { writes[place].fate = .refused }
            // Which of equal ones it was makes no difference.
            if place == seen.place, isOneValue { writes[place].fate = .acknowledged }
        }
    }
}
