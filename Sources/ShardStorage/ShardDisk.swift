package import DiskFormat
internal import ObjectModel
internal import Synchronization
package import SystemInterface

/// One open disk: shards as records of append-only segments (DESIGN §6, `Docs/DiskFormat.md`).
///
/// **Durability.** `write`, `ShardWriter.seal` and `erase` return when what they did is on stable storage; concurrent
/// callers share the flushes. After a crash every acknowledged shard is there, byte-exact, none that was erased comes
/// back.
/// **Threads.** Every call may be made at any time from anywhere.
/// **Failure.** The first failed write or sync is final: the disk takes no more writes (`.diskFailed`), reads go on.
package final class ShardDisk: Sendable {
    package let fileSystem: any FileSystem
    package let configuration: ShardDiskConfiguration
    let time: any TimeSource
    let random: any RandomSource
    let pool: BufferPool
    let index: any ShardIndex
    let state: Mutex<DiskState>
    let checksums: ChecksumCache
    let coldReads: RecentReads
    /// Held while segments are made, grown or closed, and while the identity or the reserve changes.
    let structure = AsyncLock()
    let packedCommits: GroupCommit<PackedItem, [IndexEntry]>
    let sealCommits: GroupCommit<SealItem, Void>
    let compaction = AsyncLock()
    /// The change that the medium was at when that was looked at last, and since when it has been seen at it.
    let lastChange = Mutex<(number: UInt64, since: MonotonicTime)?>(nil)
    /// What recovery found when the disk was opened.
    package let recovery: RecoveryReport

    init(
        fileSystem: any FileSystem,
        time: any TimeSource,
        random: any RandomSource,
        pool: BufferPool,
        configuration: ShardDiskConfiguration,
        index: any ShardIndex,
        state: consuming DiskState,
        recovery: RecoveryReport
    ) {
        self.fileSystem = fileSystem
        self.time = time
        self.random = random
        self.pool = pool
        self.configuration = configuration
        self.index = index
        self.state = Mutex(state)
        self.recovery = recovery
        checksums = ChecksumCache(limit: configuration.cachedChecksumLimit)
        coldReads = RecentReads(limit: configuration.rememberedReads)
        packedCommits = GroupCommit(roundCost: configuration.roundLength)
        sealCommits = GroupCommit(roundCost: configuration.roundLength)
    }

    /// Whose disk this is.
    package var identity: DiskIdentity { state.withLock { $0.identity } }

    /// Why the disk takes no more writes; nil while it does.
    package var failure: String? { state.withLock { $0.failure } }

    /// How long the medium has been at one change, of shards or of the journal, when that is longer than it may take:
    /// reads may go on all the same. Counts from the first look at that change; asked now and then, not by each write.
    package var hang: Duration? {
        let (change, now) = (fileSystem.changeUnderWay, time.monotonic)
        return lastChange.withLock { last in
            guard let change else {
                last = nil
                return nil
            }
            guard let known = last, known.number == change else {
                last = (change, now)
                return nil
            }
            let age = now.duration(since: known.since)
            return age >= configuration.changePatience ? age : nil
        }
    }

    /// Notes that the medium failed, and gives the error for the caller.
    @discardableResult
    func fail(_ error: FileError) -> ShardStorageError {
        let reason = state.withLock { state in
            let reason = state.failure ?? error.description
            state.failure = reason
            return reason
        }
        return .diskFailed(reason)
    }

    /// The error for the caller of a failed file operation that changes the disk: `.full` is no failure of the disk.
    func changeError(_ error: FileError) -> ShardStorageError { error.code == .full ? .full : fail(error) }

    /// Gives back memory that has lain idle since the last call; returns how many bytes.
    package func trimMemory() -> Int { pool.trim() }

    /// Ends the use of the disk: waits for no writer, and refuses everything from here on. Footers of idle segments are
    /// written before, so that the next `open` is quick. The lock ends with the file system's instance.
    package func close() async throws(ShardStorageError) {
        let isUsable = state.withLock { $0.failure == nil && !$0.isClosed }
        if isUsable { try await closeOpenSegments() }
        state.withLock { state in
            state.isClosed = true
            state.readFiles = [:]
            state.directFiles = [:]
        }
    }
}

extension BufferPool {
    /// `bytes`, then zeros up to a multiple of `unit`.
    func slice(copying bytes: [UInt8], roundedTo unit: Int = 1) -> BufferSlice {
        let length = (bytes.count + unit - 1) / unit * unit
        let buffer = take(max(length, 1))
        let target = UnsafeMutableRawBufferPointer(rebasing: buffer.mutableBytes[..<length])
        target.copyBytes(from: bytes)
        if length > bytes.count {
            let rest = UnsafeMutableRawBufferPointer(rebasing: target[bytes.count...])
            rest.initializeMemory(as: UInt8.self, repeating: 0)
        }
        return buffer.slice(0..<length)
    }
}
