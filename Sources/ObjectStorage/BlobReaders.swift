package import ObjectModel
internal import Synchronization
package import SystemInterface

/// Who reads what: a dead blob's shards are erased only when no reader can still want them (DESIGN §4, §8).
///
/// A read is `entered` before it looks the version up and holds the blobs it found from then on. The collector takes
/// the dead blobs first and asks afterwards: whoever entered later can no longer find them in the metadata.
package final class BlobReaders: Sendable {
    private struct State {
        var turn: UInt64 = 0
        /// Reads that are looking something up, by the turn in which they entered.
        var lookingUp: [UInt64: Int] = [:]
        var holds: [BlobID: Int] = [:]
    }

    private let state = Mutex(State())

    package init() {}

    /// A read begins; to be ended by `hold`.
    func enter() -> UInt64 {
        state.withLock { state in
            state.lookingUp[state.turn, default: 0] += 1
            return state.turn
        }
    }

    /// The look-up is over and found these blobs.
    func hold(_ blobs: [BlobID], entered turn: UInt64) -> BlobHold {
        state.withLock { state in
            for blob in blobs { state.holds[blob, default: 0] += 1 }
            let left = (state.lookingUp[turn] ?? 1) - 1
            state.lookingUp[turn] = left > 0 ? left : nil
        }
        return BlobHold(blobs: blobs, readers: self)
    }

    fileprivate func release(_ blobs: [BlobID]) {
        state.withLock { state in
            for blob in blobs {
                let left = (state.holds[blob] ?? 1) - 1
                state.holds[blob] = left > 0 ? left : nil
            }
        }
    }

    /// A mark between reads that entered before and after it.
    package func mark() -> UInt64 {
        state.withLock { state in
            state.turn += 1
            return state.turn
        }
    }

    /// Whether no read that entered before the mark is still looking up.
    package func haveAllEntered(since mark: UInt64) -> Bool {
        state.withLock { state in state.lookingUp.keys.allSatisfy { $0 >= mark } }
    }

    /// How often a reader's look-up is waited for.
    private static let poll = Duration.milliseconds(5)

    /// The blobs among these dead ones that a reader may still want. Whoever looks up from here on cannot find them any
    /// more; those before are waited for.
    package func held(among dead: [BlobID], time: any TimeSource) async -> Set<BlobID> {
        let mark = mark()
        while !haveAllEntered(since: mark) {
            guard (try? await time.sleep(for: Self.poll)) != nil else { return Set(dead) }
        }
        return Set(dead.filter { isHeld($0) })
    }

    /// Whether some reader holds the blob.
    package func isHeld(_ blob: BlobID) -> Bool { state.withLock { $0.holds[blob] != nil } }
}

/// Keeps blobs from being erased as long as it lives.
final class BlobHold: Sendable {
    private let blobs: [BlobID]
    private let readers: BlobReaders

    fileprivate init(blobs: [BlobID], readers: BlobReaders) {
        self.blobs = blobs
        self.readers = readers
    }

    deinit { readers.release(blobs) }
}
