import ObjectModel
import Synchronization
import TestKit

/// What a simulated client wrote: a name for the bytes, from which they are made again.
struct WrittenValue: Hashable, Sendable {
    /// Unique in a run.
    var number: UInt64
    var length: Int

    /// The bytes, no two values alike.
    var bytes: [UInt8] {
        var generator = SplitMix64(seed: number &* 0x9E37_79B9)
        // Every third value has long runs, so that compression is met too.
        guard number % 3 == 0 else { return generator.bytes(length) }
        let marker = generator.bytes(64)
        var bytes: [UInt8] = []
        bytes.reserveCapacity(length + 320)
        while bytes.count < length {
            bytes.append(contentsOf: marker)
            bytes.append(contentsOf: repeatElement(UInt8(truncatingIfNeeded: bytes.count >> 8), count: 256))
        }
        return Array(bytes.prefix(length))
    }
}

/// Remembers what clients did and were told, and judges what they read.
///
/// Each key has one writer, so that its writes have an order. A read may give the last write acknowledged before it
/// began, or a later one that began before the read ended and was not refused; and once a read has decided whether a
/// write of unknown outcome happened, every later read must agree. Where calls cross a network, such a write may happen
/// long after its client gave up: it stays pending until `settle`, and its key is not written again before.
final class StoreOracle: Sendable {
    private enum Fate { case open, acknowledged, refused, unknown }

    private struct Write {
        /// nil is a delete.
        var value: WrittenValue?
        var fate = Fate.open
        /// The turn in which it was answered, or its server died.
        var settled: Int?
        /// Of unknown outcome, and may still happen.
        var isPending = false
    }

    private struct State {
        var turn = 0
        var writes: [String: [Write]] = [:]
        var operations = 0
    }

    /// A read under way.
    struct Reading: Sendable {
        fileprivate var began: Int
    }

    private let state = Mutex(State())
    private let landsLate: Bool

    /// `landsLate`: what nobody answered may happen until `settle`.
    init(landsLate: Bool = false) { self.landsLate = landsLate }

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
    func beginWrite(_ key: String, _ value: WrittenValue?) -> Int {
        state.withLock { state in
            state.turn += 1
            state.writes[key, default: []].append(Write(value: value))
            return (state.writes[key]?.count ?? 0) - 1
        }
    }

    func acknowledge(_ key: String, _ place: Int) { settle(key, place, .acknowledged) }
    /// It had no effect.
    func refuse(_ key: String, _ place: Int) { settle(key, place, .refused) }
    /// It may have happened or not, and nothing of it happens from here on.
    func lose(_ key: String, _ place: Int) { settle(key, place, .unknown) }

    private func settle(_ key: String, _ place: Int, _ fate: Fate) {
        state.withLock { state in
            state.turn += 1
            state.writes[key]?[place].fate = fate
            state.writes[key]?[place].settled = state.turn
            state.writes[key]?[place].isPending = landsLate && fate == .unknown
        }
    }

    /// Whether a write of unknown outcome may still change the key.
    func isPending(_ key: String) -> Bool { state.withLock { $0.writes[key]?.contains(where: \.isPending) ?? false } }

    /// Nothing that was begun is under way any longer.
    func settle() {
        state.withLock { state in
            for key in state.writes.keys {
                for place in state.writes[key, default: []].indices { state.writes[key]?[place].isPending = false }
            }
        }
    }

    // MARK: Reads

    func beginRead() -> Reading {
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
    func check(_ key: String, _ reading: Reading, found value: WrittenValue?) -> String? {
        state.withLock { state in
            let writes = state.writes[key] ?? []
            let allowed = Self.allowed(writes, reading)
            // The latest of equals: two deletes in a row cannot be told apart.
            guard let seen = allowed.last(where: { $0.value == value }) else {
                return "\(key) gave \(Self.text(value)), allowed: \(allowed.map { Self.text($0.value) })"
            }
            state.turn += 1
            Self.decide(&state.writes[key, default: []], seen: seen, reading, turn: state.turn)
            return nil
        }
    }

    private static func text(_ value: WrittenValue?) -> String {
        value.map { "value \($0.number) of \($0.length) bytes" } ?? "nothing"
    }

    private static func allowed(_ writes: [Write], _ reading: Reading) -> [(place: Int, value: WrittenValue?)] {
        let base = writes.lastIndex { $0.fate == .acknowledged && ($0.settled ?? .max) < reading.began }
        var allowed: [(place: Int, value: WrittenValue?)] = base == nil ? [(-1, nil)] : []
        for place in (base ?? 0)..<writes.count where writes[place].fate != .refused {
            allowed.append((place, writes[place].value))
        }
        return allowed
    }

    /// Writes of unknown outcome that this read has seen, or has not seen, are known from here on.
    private static func decide(
        _ writes: inout [Write],
        seen: (place: Int, value: WrittenValue?),
        _ reading: Reading,
        turn: Int
    ) {
        for place in writes.indices where writes[place].fate == .unknown {
            guard let settled = writes[place].settled, settled < reading.began else { continue }
            if writes[place].isPending {
                // Not seen yet does not mean never; and what looks like it may be what was there before.
                let isAlone = !writes[..<place].contains { $0.fate != .refused && $0.value == writes[place].value }
                guard place == seen.place, isAlone, writes[place].value != nil else { continue }
                writes[place].isPending = false
                // It may have happened just now: a read that began before need not have seen it.
                writes[place].settled = turn
            }
            if place > seen.place, writes[place].value != seen.value { writes[place].fate = .refused }
            if place == seen.place { writes[place].fate = .acknowledged }
        }
    }
}
