package import Metadata
package import ObjectModel
import Synchronization

/// The blobs that lack shards, in the order in which they are to be repaired (DESIGN §8): those without spares, those
/// that clients were just seen to read, then those with the fewest spares; those below k last, for they wait for a disk
/// to come back. Safe to share; a blob is given to one worker at a time.
package final class RepairQueue: Sendable {
    /// Blobs read of late that are remembered.
    package static let askedLimit = 4_096
    /// Blobs that could not be repaired which are remembered, so as not to be tried again in the same pass.
    package static let failedLimit = 65_536

    private struct State {
        /// In order of spares, like `line`: those found since the walk through the list passed where they stand.
        var ahead: ArraySlice<MissingBlob> = []
        /// In the order in which they were read.
        var asked: ArraySlice<BlobID> = []
        var remembered: Set<BlobID> = []
        var line: ArraySlice<MissingBlob> = []
        /// Under way, until what was made of them counts.
        var taken: Set<BlobID> = []
        var failed: Set<BlobID> = []
        var failures = 0

        func isOpen(_ blob: BlobID) -> Bool { !taken.contains(blob) && !failed.contains(blob) }
    }

    private let state = Mutex(State())

    package init() {}

    /// Forgets what failed and what waits, except for what clients asked for.
    package func begin() {
        state.withLock { state in
            (state.ahead, state.line, state.failed, state.failures) = ([], [], [], 0)
        }
    }

    // MARK: What is to be done

    /// A client has read what lacks a shard: it goes before others. Dropped beyond a limit.
    package func ask(for blob: BlobID) {
        state.withLock { state in
            guard state.asked.count < Self.askedLimit, state.remembered.insert(blob).inserted else { return }
            state.asked.append(blob)
        }
    }

    /// Whether a look should bring more.
    package func isShort(of count: Int) -> Bool { state.withLock { $0.line.count < count } }

    /// What the walk through the list came to next.
    package func append(_ blobs: [MissingBlob]) { state.withLock { $0.line += blobs } }

    /// What now stands before the place that the walk has come to.
    package func setAhead(_ blobs: [MissingBlob]) {
        state.withLock { state in state.ahead = blobs.filter { state.isOpen($0.blob) }[...] }
    }

    package var isEmpty: Bool {
        state.withLock { state in
            state.asked.isEmpty && !state.ahead.contains { state.isOpen($0.blob) }
                && !state.line.contains { state.isOpen($0.blob) }
        }
    }

    /// Whether a blob without spares waits.
    package var hasUrgent: Bool {
        state.withLock { state in
            state.ahead.contains { $0.spares == 0 && state.isOpen($0.blob) }
                || state.line.first.map { $0.spares == 0 && state.isOpen($0.blob) } ?? false
        }
    }

    // MARK: Work

    /// The next; its worker says how it ended.
    package func next() -> BlobID? {
        state.withLock { state in
            state.ahead = state.ahead.drop { !state.isOpen($0.blob) }
            state.line = state.line.drop { !state.isOpen($0.blob) }
            let blob = Self.draw(&state)
            if let blob { state.taken.insert(blob) }
            return blob
        }
    }

    private static func draw(_ state: inout State) -> BlobID? {
        if state.ahead.first?.spares == 0 { return state.ahead.popFirst()?.blob }
        if state.line.first?.spares == 0 { return state.line.popFirst()?.blob }
        while let blob = state.asked.popFirst() {
            state.remembered.remove(blob)
            if state.isOpen(blob) { return blob }
        }
        guard let first = state.ahead.first, rank(first) <= state.line.first.map(rank) ?? .max else {
            return state.line.popFirst()?.blob
        }
        return state.ahead.popFirst()?.blob
    }

    private static func rank(_ blob: MissingBlob) -> Int { blob.spares < 0 ? .max : blob.spares }

    package enum Ending {
        /// Nothing of it is missing any more, or it is gone.
        case whole
        /// It is not tried again in this pass.
        case failed
        /// It makes way for another, and is next among those that were asked for.
        case postponed
        /// Repair is paused: a later pass finds it again.
        case held
    }

    package func end(_ blob: BlobID, _ ending: Ending) {
        state.withLock { state in
            state.taken.remove(blob)
            switch ending {
            case .whole, .held: break
            case .failed:
                state.failures += 1
                if state.failed.count < Self.failedLimit { state.failed.insert(blob) }
            case .postponed:
                state.remembered.insert(blob)
                state.asked = [blob] + state.asked
            }
        }
    }

    /// Blobs that could not be repaired since `begin`.
    package var failures: Int { state.withLock { $0.failures } }
}
