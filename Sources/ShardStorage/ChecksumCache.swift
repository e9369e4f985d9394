internal import Synchronization

/// Leaf tables of records read or written lately, so that a warm range read touches nothing but the range.
///
/// Bounded by the number of checksums; when full the tables that came first go first.
final class ChecksumCache: Sendable {
    private struct Key: Hashable {
        var segment: UInt64
        var offset: Int
    }

    private struct State {
        var tables: [Key: [UInt32]] = [:]
        /// Keys in order of arrival; those before `head` are gone.
        var order: [Key] = []
        var head = 0
        var count = 0
    }

    private let state = Mutex(State())
    private let limit: Int

    init(limit: Int) { self.limit = limit }

    func table(segment: UInt64, offset: Int) -> [UInt32]? {
        state.withLock { $0.tables[Key(segment: segment, offset: offset)] }
    }

    func insert(_ table: [UInt32], segment: UInt64, offset: Int) {
        guard table.count <= limit / 4 else { return }
        let key = Key(segment: segment, offset: offset)
        state.withLock { state in
            guard state.tables.updateValue(table, forKey: key) == nil else { return }
            state.order.append(key)
            // An entry costs more than its checksums: the key, the array, the place in the table.
            state.count += table.count + Self.entryCost
            while state.count > limit, state.head < state.order.count {
                let oldest = state.order[state.head]
                state.head += 1
                if let gone = state.tables.removeValue(forKey: oldest) { state.count -= gone.count + Self.entryCost }
            }
            if state.head > state.order.count / 2 {
                state.order.removeFirst(state.head)
                state.head = 0
            }
        }
    }

    func remove(segment: UInt64, offset: Int) {
        state.withLock { state in
            let key = Key(segment: segment, offset: offset)
            // Its place in the order stays: a key without a table is passed over when its turn comes.
            if let table = state.tables.removeValue(forKey: key) { state.count -= table.count + Self.entryCost }
        }
    }

    private static let entryCost = 32
}
