/// The files of one disk: the only way the engine reaches storage.
///
/// Each instance serves one disk on a bounded executor of its own, so that a blocking call never holds a thread of the
/// cooperative pool and a slow disk never holds another (DESIGN §6, §11). Paths are relative to the instance's root
/// and use `/`; `..` is refused. Calls of one caller that are awaited one after another happen in that order.
package protocol FileSystem: Sendable {
    /// Opens a file. The file stays valid until its last reference goes.
    func open(_ path: String, _ mode: OpenMode) async throws(FileError) -> any File
    /// Makes a directory and what is missing above it, and makes the names durable; no error when it exists.
    func createDirectory(_ path: String) async throws(FileError)
    /// Names in a directory, sorted, without `.` and `..`.
    func list(_ path: String) async throws(FileError) -> [String]
    /// Kind and length; nil when nothing has that name.
    func status(_ path: String) async throws(FileError) -> FileStatus?
    /// Removes a file or an empty directory. Durable after `syncDirectory`.
    func remove(_ path: String) async throws(FileError)
    /// Renames over an existing file, atomically. Durable after `syncDirectory` of both directories.
    func rename(_ from: String, to: String) async throws(FileError)
    /// Makes creations, removals and renames in a directory durable.
    func syncDirectory(_ path: String) async throws(FileError)
    /// Room on the file system that holds this disk.
    func space() async throws(FileError) -> FileSystemSpace
    /// Whether the place that the root was opened at still leads to it: false once it was moved away, unmounted or
    /// covered by another. Open files then go on, on a disk that nobody finds again.
    func isAtItsPlace() async -> Bool
    /// Lets what memory holds of a file go, so that it is read from the medium next: after a failed sync the two may
    /// differ (Rebello et al., ATC 2020).
    func forgetCached(_ path: String) async throws(FileError)
    /// Takes an exclusive lock on a file, made if missing, that ends with the process; false when another holds it.
    func lock(_ path: String) async throws(FileError) -> Bool
    /// The number of the change that the medium is at, another for each; nil when it is at none, or that is not known.
    /// Whoever finds the same one twice knows that it took all the time between. Waits for nothing.
    var changeUnderWay: UInt64? { get }
}

extension FileSystem {
    /// For roots that have no place.
    package func isAtItsPlace() async -> Bool { true }

    /// For files that no memory stands before.
    package func forgetCached(_ path: String) async throws(FileError) {}

    /// For those that do not know.
    package var changeUnderWay: UInt64? { nil }
}

/// How a file is opened.
package struct OpenMode: Hashable, Sendable {
    package var isWritable: Bool
    package var createsIfMissing: Bool
    /// Fails with `.exists` when the file is there.
    package var mustCreate: Bool
    /// Asks for writes past the page cache: buffers, offsets and lengths are then multiples of 4 KiB. A file system
    /// that cannot do it gives an ordinary file.
    package var isDirect: Bool

    package init(
        isWritable: Bool,
        createsIfMissing: Bool = false,
        mustCreate: Bool = false,
        isDirect: Bool = false
    ) {
        self.isWritable = isWritable
        self.createsIfMissing = createsIfMissing
        self.mustCreate = mustCreate
        self.isDirect = isDirect
    }

    package static let read = OpenMode(isWritable: false)
    package static let write = OpenMode(isWritable: true)
    package static let create = OpenMode(isWritable: true, createsIfMissing: true)
    package static let createNew = OpenMode(isWritable: true, createsIfMissing: true, mustCreate: true)

    package func direct() -> OpenMode {
        var mode = self
        mode.isDirect = true
        return mode
    }
}

/// An open file. Calls may run concurrently; overlapping writes have no order but the caller's awaits.
package protocol File: AnyObject, Sendable {
    /// Reads up to `count` bytes into `buffer` from `bufferOffset` on; fewer only at the end of the file.
    func read(into buffer: AlignedBuffer, at bufferOffset: Int, count: Int, from offset: Int)
        async throws(FileError) -> Int
    /// The same without waiting for the medium: nil when the bytes are not all in memory. May always answer nil.
    func readIfCached(into buffer: AlignedBuffer, at bufferOffset: Int, count: Int, from offset: Int)
        throws(FileError) -> Int?
    /// Writes all of `pieces` one after another from `offset` on, or throws; what part of it lies on the medium
    /// is then unknown. Not durable before `sync`.
    func write(_ pieces: [BufferSlice], at offset: Int) async throws(FileError)
    /// `fdatasync`: all writes awaited before this call are durable. An error is final: nothing written since the last
    /// successful sync may be trusted, and the descriptor is not used again (Rebello et al., ATC 2020).
    func sync() async throws(FileError)
    /// The writes in order, then a sync, in one turn at the disk: durable on return. Errors are those of `write` and of
    /// `sync`, told apart by their `operation`.
    func commit(_ writes: [FileWrite]) async throws(FileError)
    /// Reserves room for a range, which reads as zeros, and grows the file over it; `.full` when there is none.
    func allocate(_ range: Range<Int>) async throws(FileError)
    /// Frees the blocks wholly inside a range, which then reads as zeros; the length stays.
    func punch(_ range: Range<Int>) async throws(FileError)
    func truncate(to length: Int) async throws(FileError)
    func length() async throws(FileError) -> Int
}

extension File {
    package func commit(_ writes: [FileWrite]) async throws(FileError) {
        for each in writes { try await write(each.pieces, at: each.offset) }
        try await sync()
    }
}

/// Pieces to be written one after another from `offset` on.
package struct FileWrite: Sendable {
    package var pieces: [BufferSlice]
    package var offset: Int

    package init(_ pieces: [BufferSlice], at offset: Int) {
        self.pieces = pieces
        self.offset = offset
    }
}

package struct FileStatus: Hashable, Sendable {
    package var isDirectory: Bool
    package var length: Int
    /// Bytes of blocks in use, which holes do not count to.
    package var allocated: Int

    package init(isDirectory: Bool, length: Int, allocated: Int) {
        self.isDirectory = isDirectory
        self.length = length
        self.allocated = allocated
    }
}

package struct FileSystemSpace: Hashable, Sendable {
    /// Bytes in all.
    package var total: Int
    /// Bytes this process may still take.
    package var available: Int
    /// Equal for two disks that share one file system, and so its room.
    package var device: UInt64

    package init(total: Int, available: Int, device: UInt64) {
        self.total = total
        self.available = available
        self.device = device
    }
}

/// A failed file operation.
package struct FileError: Error, Hashable, Sendable, CustomStringConvertible {
    package enum Code: Hashable, Sendable {
        case notFound
        case exists
        /// No room, or a quota reached.
        case full
        /// The medium failed (EIO, or a sync that failed).
        case medium
        /// The disk is gone: its folder or mount cannot be reached.
        case gone
        case notPermitted
        /// The file system takes no writes: it is mounted so, or has met damage.
        case readOnly
        /// The path or an argument is not allowed.
        case invalid
        case other
    }

    package var code: Code
    /// The call that failed, e.g. `pwrite`.
    package var operation: String
    package var path: String
    /// The system's error number, 0 when there is none.
    package var number: Int32

    package init(_ code: Code, operation: String, path: String, number: Int32 = 0) {
        self.code = code
        self.operation = operation
        self.path = path
        self.number = number
    }

    package var description: String { "\(operation) \(path): \(reason)" + (number == 0 ? "" : " (errno \(number))") }

    private var reason: String {
        guard code == .readOnly else { return "\(code)" }
        return "its file system is mounted read-only: look at dmesg, check it (fsck) and mount it again"
    }
}
