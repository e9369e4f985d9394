internal import Synchronization
package import SystemInterface

/// Whose turn it is to be told of in the log: each key once in `interval`, with the count of what went without a word
/// since. What strangers do again and again, or from many addresses, so never fills it.
package final class LogTurns<Key: Hashable & Sendable>: Sendable {
    private struct Entry {
        var said: MonotonicTime
        /// Left out since then.
        var silent = 0
    }

    private struct State {
        var entries: [Key: Entry] = [:]
        /// Of the keys that have no place of their own.
        var others: Entry?
    }

    private let interval: Duration
    private let limit: Int
    private let time: any TimeSource
    private let state = Mutex(State())

    /// At most `limit` keys have a turn of their own at a time; beyond, all others share one.
    package init(
        time: any TimeSource,
        interval: Duration = LogTurnLimits.interval,
        limit: Int = LogTurnLimits.keys
    ) {
        self.time = time
        self.interval = interval
        self.limit = limit
    }

    /// How many were left out since the last line; nil while this one is to be left out, too.
    package func take(_ key: Key) -> Int? {
        let now = time.monotonic
        return state.withLock { state in
            if state.entries[key] == nil, state.entries.count >= limit {
                state.entries = state.entries.filter { now.duration(since: $0.value.said) < interval }
            }
            if state.entries[key] == nil, state.entries.count >= limit { return turn(&state.others, now) }
            return turn(&state.entries[key], now)
        }
    }

    private func turn(_ entry: inout Entry?, _ now: MonotonicTime) -> Int? {
        guard let last = entry, now.duration(since: last.said) < interval else {
            defer { entry = Entry(said: now) }
            return entry?.silent ?? 0
        }
        entry?.silent += 1
        return nil
    }
}

package enum LogTurnLimits {
    /// How often the same trouble is told.
    package static let interval = Duration.seconds(60)
    /// So many lines in an interval at most, and one.
    package static let keys = 256
}

/// What a stranger's troubles are told by: where it calls from, whatever its port, and why it was turned away.
package struct StrangerTrouble: Hashable, Sendable {
    private let host: Substring
    private let reason: String

    /// `address`: `HOST:PORT`.
    package init(address: String, reason: String) {
        host = address[..<(address.lastIndex(of: ":") ?? address.endIndex)]
        self.reason = reason
    }
}
