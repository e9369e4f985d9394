import LinuxSystem
import Synchronization
import SystemInterface

/// Room set aside for the database's log, so that a change never fails for want of it once the journal has it, and a
/// DELETE goes on at 100 %.
///
/// SQLite overwrites the log from its beginning and passes over zeros behind it
/// (https://www.sqlite.org/walformat.html). Kept until the database is closed: closing a file ends all locks that the
/// process has on it (fcntl(2)), SQLite's too.
final class LogReserve: Sendable {
    /// Four times what a checkpoint leaves of the log.
    private static let logLength = 64 << 20
    /// Of the log's index, in which a page of the log takes 8 bytes.
    private static let indexLength = 256 << 10

    private let kept = Mutex<[any File]>([])

    /// For the database that has been opened in `folder`. Without room for all of it the store does without.
    func fill(_ folder: DataFolder, in files: LinuxFileSystem) async {
        for (path, length) in [(folder.log, Self.logLength), (folder.logIndex, Self.indexLength)] {
            guard let file = try? await files.open(path, .write) else { continue }
            kept.withLock { $0.append(file) }
            try? await file.allocate(0..<length)
        }
    }
}
