internal import Synchronization

/// Where reads of segments began lately, to 64 KiB: what is read a second time deserves a place in the page cache.
final class RecentReads: Sendable {
    private struct Place: Hashable {
        var segment: UInt64
        var leaf: Int
    }

    private struct State {
        /// Two generations: when the young one is full it becomes the old one, and what was old is forgotten.
        var young: Set<Place> = []
        var old: Set<Place> = []
    }

    private let state = Mutex(State())
    private let limit: Int

    init(limit: Int) { self.limit = limit }

    /// Whether a read of a place would be the first in a while; asking leaves no trace.
    func wouldBeFirst(segment: UInt64, offset: Int) -> Bool {
        let place = Place(segment: segment, leaf: offset >> 16)
        return state.withLock { !$0.old.contains(place) && !$0.young.contains(place) }
    }

    /// True for the first read of a place in a while.
    func isFirst(segment: UInt64, offset: Int) -> Bool {
        let place = Place(segment: segment, leaf: offset >> 16)
        return state.withLock { state in
            if state.old.contains(place) { return false }
            guard state.young.insert(place).inserted else { return false }
            if state.young.count * 2 >= limit {
                state.old = state.young
                state.young = []
            }
            return true
        }
    }
}
