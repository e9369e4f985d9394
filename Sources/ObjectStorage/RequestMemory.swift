internal import DiskFormat
internal import ObjectInterface
internal import ObjectModel
internal import Synchronization

/// What all requests together may hold in memory: that of each is bounded (DESIGN §4), and slow clients make many of
/// them.
///
/// A request takes what it may come to hold before it holds anything, and gives it back when its share is dropped. One
/// that finds too little left is refused with `.busy` (503 SlowDown), upon which clients wait and try again.
package final class RequestMemory: Sendable {
    /// Bytes; `.max` for no limit.
    package let limit: Int
    private let taken = Atomic(0)

    package init(limit: Int) { self.limit = limit }

    /// Bytes that requests have taken.
    package var inUse: Int { taken.load(ordering: .relaxed) }

    /// A request that needs more than the whole limit is let in while it is alone.
    func take(_ bytes: Int) throws(StorageError) -> RequestShare {
        let before = taken.add(bytes, ordering: .relaxed).oldValue
        guard before > 0, before > limit - bytes else { return RequestShare(bytes, of: self) }
        taken.subtract(bytes, ordering: .relaxed)
        throw StorageError(.busy, "Too many requests are in progress for this server's memory; slow down.")
    }

    fileprivate func giveBack(_ bytes: Int) { taken.subtract(bytes, ordering: .relaxed) }
}

/// What one request may hold, until it is dropped.
final class RequestShare: Sendable {
    private let bytes: Int
    private let memory: RequestMemory

    fileprivate init(_ bytes: Int, of memory: RequestMemory) {
        self.bytes = bytes
        self.memory = memory
    }

    deinit { memory.giveBack(bytes) }
}

extension Scheme {
    /// Stripes of an upload in memory: one is filled while the one before is on its way.
    private static let uploadStripes = 2

    /// Bytes that an upload of `length` bytes holds at most: cells of data and parity, and no more than it has of them.
    func uploadMemory(_ length: Int) -> Int {
        let cells = min(Self.uploadStripes * dataCount * cellSize, length)
        return cells / dataCount * shardCount + shardCount * Block.size
    }

    /// Bytes that a download of `length` bytes holds at most.
    func downloadMemory(_ length: Int) -> Int { min((ObjectReader.readAhead + 1) * dataCount * cellSize, length) }
}
