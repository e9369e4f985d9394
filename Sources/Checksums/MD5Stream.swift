import Synchronization

/// The MD5 of one upload, computed by an `MD5Engine`.
///
/// One task uses a stream, one call after the other; what it hands in is hashed in that order.
package final class MD5Stream: @unchecked Sendable {
    // SAFETY: `state` belongs to the engine's run while `Pending.isQueued` is set and to the stream's one user while it
    // is not; the lock around `pending` orders the two.

    /// Bytes that may wait in one stream before `update` suspends: enough that the engine never waits for the next
    /// piece, little against the stripes that an upload holds anyway.
    package static let pendingLimit = 2 << 20
    /// Pieces up to this length are hashed at once on the calling thread when nothing is waiting before them: some
    /// 25 µs, about what waking another thread costs.
    package static let immediateLength = 16 << 10

    /// Memory that is hashed later, and what keeps it alive until then.
    struct Piece: @unchecked Sendable {
        // SAFETY: the bytes are only read, and whoever handed them in no longer writes to them.
        let start: UnsafeRawPointer
        let count: Int
        let owner: any Sendable

        var bytes: UnsafeRawBufferPointer { UnsafeRawBufferPointer(start: start, count: count) }
    }

    private struct Pending {
        var pieces: [Piece] = []
        /// Bytes of `pieces` and of the piece that is being hashed.
        var byteCount = 0
        var isQueued = false
        var waiter: (limit: Int, continuation: CheckedContinuation<Void, Never>)?
    }

    var state = MD5State()
    private let pending = Mutex(Pending())
    private let engine: MD5Engine

    init(engine: MD5Engine) { self.engine = engine }

    /// Hands in the next bytes; `owner` keeps them alive, and nobody writes to them, until they are hashed.
    ///
    /// Returns at once, before they are hashed, unless more than `pendingLimit` bytes wait already.
    package func update(_ bytes: UnsafeRawBufferPointer, keeping owner: some Sendable) async {
        guard let start = bytes.baseAddress, !bytes.isEmpty else { return }
        let isIdle = pending.withLock { !$0.isQueued }
        if engine.isInline || isIdle && bytes.count <= Self.immediateLength {
            state.update(bytes)
            return withExtendedLifetime(owner) {}
        }
        let piece = Piece(start: start, count: bytes.count, owner: owner)
        let (mustQueue, isFull) = pending.withLock { pending in
            defer { pending.isQueued = true }
            pending.pieces.append(piece)
            pending.byteCount += bytes.count
            return (!pending.isQueued, pending.byteCount > Self.pendingLimit)
        }
        if mustQueue { engine.enqueue(self) }
        if isFull { await wait(untilAtMost: Self.pendingLimit) }
    }

    /// Returns when everything handed in has been hashed, and its memory let go.
    package func drain() async { await wait(untilAtMost: 0) }

    /// The 16 bytes of the digest of everything handed in. More may follow.
    package func finalize() async -> [UInt8] {
        await drain()
        return state.finalize()
    }

    private func wait(untilAtMost limit: Int) async {
        guard !engine.isInline else { return }
        await withCheckedContinuation { continuation in
            let isThere = pending.withLock { pending in
                precondition(pending.waiter == nil, "a stream has one user")
                guard pending.byteCount > limit else { return true }
                pending.waiter = (limit, continuation)
                return false
            }
            if isThere { continuation.resume() }
        }
    }

    // MARK: - For the engine

    /// The next piece. The stream is queued, so there is one.
    func takePiece() -> Piece? {
        pending.withLock { $0.pieces.isEmpty ? nil : $0.pieces.removeFirst() }
    }

    /// Notes that a piece of so many bytes is hashed and resumes who waited for it; whether there are more pieces.
    ///
    /// When there are none the stream belongs to its user again.
    func finishPiece(ofLength count: Int) -> Bool {
        let (hasMore, continuation) = pending.withLock { pending in
            pending.byteCount -= count
            pending.isQueued = !pending.pieces.isEmpty
            guard let waiter = pending.waiter, pending.byteCount <= waiter.limit else {
                return (pending.isQueued, nil as CheckedContinuation<Void, Never>?)
            }
            pending.waiter = nil
            return (pending.isQueued, waiter.continuation)
        }
        continuation?.resume()
        return hasMore
    }
}
