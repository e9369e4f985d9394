package import ObjectModel
internal import Synchronization
package import SystemInterface

/// The blobs written last, still in the memory they were coded in (DESIGN §5): what was written last is read first, by
/// quality control, an algorithm, the radiologist, and direct I/O has left nothing of it in the page cache.
///
/// Only blobs of one stripe, oldest out first, `limit` bytes at most. For clients' reads alone: whatever proves what
/// lies on the disks (repair, scrub, repack) reads the disks. Blobs are immutable and their ids never used again, so
/// nothing here is ever out of date.
package final class FreshBlobs: Sendable {
    /// Bytes of memory kept, parity cells included: some fifty CT slices.
    package static let limit = 24 << 20
    /// How long an idle store keeps them.
    package static let age = Duration.seconds(300)

    private struct Entry {
        var blob: BlobID
        var stored: BufferSlice
        var since: MonotonicTime
    }

    private struct State {
        /// By the order of their coming: `first` up to `next`.
        var entries: [UInt64: Entry] = [:]
        var byBlob: [BlobID: BufferSlice] = [:]
        var first: UInt64 = 0
        var next: UInt64 = 0
        var bytes = 0

        mutating func append(_ entry: Entry) {
            entries[next] = entry
            next += 1
            byBlob[entry.blob] = entry.stored
            bytes += entry.stored.buffer.capacity
        }

        mutating func dropFirst() -> BufferSlice? {
            guard let entry = entries.removeValue(forKey: first) else { return nil }
            first += 1
            byBlob[entry.blob] = nil
            bytes -= entry.stored.buffer.capacity
            return entry.stored
        }
    }

    private let state = Mutex(State())
    private let time: any TimeSource

    init(time: any TimeSource) { self.time = time }

    /// The bytes of a stored range; nil when they are not here.
    package func slice(_ blob: BlobID, _ range: Range<Int>) -> BufferSlice? {
        guard let stored = state.withLock({ $0.byBlob[blob] }), range.upperBound <= stored.count else { return nil }
        return stored.slice(range)
    }

    /// Keeps a blob whose stored bytes nobody writes to any more.
    func keep(_ blob: BlobID, _ stored: BufferSlice) {
        guard stored.buffer.capacity <= Self.limit else { return }
        let entry = Entry(blob: blob, stored: stored, since: time.monotonic)
        // The last reference gives memory back to its pool: outside the lock.
        let dropped = state.withLock { state -> [BufferSlice] in
            state.append(entry)
            var dropped: [BufferSlice] = []
            while state.bytes > Self.limit, let slice = state.dropFirst() { dropped.append(slice) }
            return dropped
        }
        withExtendedLifetime(dropped) {}
    }

    /// Lets go of what has been here for `age`.
    func trim() {
        let now = time.monotonic
        let dropped = state.withLock { state -> [BufferSlice] in
            var dropped: [BufferSlice] = []
            while let entry = state.entries[state.first], now.duration(since: entry.since) >= Self.age,
                let slice = state.dropFirst()
            {
                dropped.append(slice)
            }
            return dropped
        }
        withExtendedLifetime(dropped) {}
    }
}
