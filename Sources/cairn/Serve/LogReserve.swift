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
    /// Four times what a checkpoint leaves of the log, or what there is room for.
    private static let logLengths = [64 << 20, 32 << 20, 16 << 20, 8 << 20, 4 << 20]
    /// Of the log's index, in which a page of the log takes 8 bytes.
    private static let indexLengths = [256 << 10]
    /// Bytes that are left to others, such as a database file that must grow.
    private static let headroom = 4 << 20

    private let kept = Mutex<[any File]>([])

    /// For the database that has been opened in `folder`. Without room for any of it the store does without.
    func fill(_ folder: DataFolder, in files: LinuxFileSystem) async {
        for (path, lengths) in [(folder.logIndex, Self.indexLengths), (folder.log, Self.logLengths)] {
            guard let file = try? await files.open(path, .write) else { continue }
            kept.withLock { $0.append(file) }
            let there = (try? await files.status(path))??.allocated ?? 0
            let room = (try? await files.space().available) ?? .max
            // Not tried where it cannot be: what fails half-way may have taken all there was.
            guard let length = lengths.first(where: { max(0, $0 - there) <= room - Self.headroom }) else { continue }
            try? await file.allocate(0..<length)
        }
    }
}
