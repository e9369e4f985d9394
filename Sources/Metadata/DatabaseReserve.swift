package import ObjectInterface
import Synchronization
package import SystemInterface

/// Room for the database on its file system, so that one that is full stops neither reads, nor deletes, nor a start.
///
/// SQLite appends to its log and carries that over into the database file by and by (a checkpoint), which must grow for
/// pages that are new. When it cannot, the log grows until it has no room either, and a change fails that the journal
/// has already. So rows are added only while there is room for all that; and a file beside the database holds some,
/// which is given up piece by piece for what is in the log already, for deletes and for a start.
package final class DatabaseReserve: Sendable {
    /// Names in the folder of the database.
    package struct Names: Sendable {
        package var database: String
        package var log: String
        package var reserve: String

        package init(database: String, log: String, reserve: String) {
            self.database = database
            self.log = log
            self.reserve = reserve
        }
    }

    /// Bytes of the file, at most an eighth of the file system.
    package static let length = 64 << 20
    /// Bytes that must be free for rows to be added, at most a sixteenth of the file system: more than is written
    /// between two looks.
    package static let margin = 32 << 20
    /// By so much the database file grows at once, and so much beyond what is needed is given up.
    package static let step = 4 << 20
    /// Of the log at a start: twice what a checkpoint leaves of it.
    private static let leastLog = 32 << 20

    /// What there is, in bytes.
    private struct Room {
        var wanted: Int
        var margin: Int
        var available: Int
        var database: Int
        var log: Int
        var reserve: Int
    }

    private let files: any FileSystem
    private let names: Names
    private let isShort = Atomic(false)

    /// `files`: the folder of the database.
    package init(files: any FileSystem, names: Names) {
        self.files = files
        self.names = names
    }

    /// Why no rows are added, as far as was seen last.
    package var shortage: StorageError? {
        guard isShort.load(ordering: .relaxed) else { return nil }
        return StorageError(
            .full,
            "The file system of the metadata database (the folder `metadata` in the data folder of the store) is full. "
                + "Free space there, or delete objects; reads and deletes go on."
        )
    }

    /// Before the database is opened: gives up what its log needs, which a clean stop removes.
    package func prepare() async {
        guard let room = await look() else { return }
        let log = max(0, min(Self.leastLog, room.reserve / 2) - room.log)
        await giveUp(log + Self.step - room.available, of: room)
    }

    /// Sees to it that the database file has room to grow to `pages`, and its log to `log`, in bytes, as far as it can;
    /// with room to spare it takes back what was given up. `unused`: bytes of pages that rows were deleted from; the
    /// file never shrinks, and new rows go there first. One call at a time.
    package func settle(pages: Int, unused: Int = 0, log: Int) async {
        guard let room = await look() else { return }
        let growth = max(0, pages - room.database) + (log > 0 ? max(0, log + Self.step - room.log) : 0)
        if growth > 0, room.available < growth + Self.step {
            await giveUp(growth + 2 * Self.step - room.available, of: room)
        } else {
            await takeBack(room.available - growth - 2 * Self.step, in: room)
        }
        guard let now = await look() else { return }
        let there = now.available + now.reserve + unused
        isShort.store(there < growth + now.wanted + now.margin, ordering: .relaxed)
    }

    /// nil when the file system does not say: what is not known refuses nothing.
    private func look() async -> Room? {
        guard let space = try? await files.space(),
            let database = try? await length(names.database),
            let log = try? await length(names.log),
            let reserve = try? await length(names.reserve)
        else { return nil }
        return Room(
            wanted: min(Self.length, space.total / 8) / Self.step * Self.step,
            margin: min(Self.margin, space.total / 16),
            available: space.available,
            database: database,
            log: log,
            reserve: reserve
        )
    }

    /// Of a file that a crash left without its blocks, only what it has.
    private func length(_ name: String) async throws(FileError) -> Int {
        guard let status = try await files.status(name) else { return 0 }
        return min(status.length, status.allocated)
    }

    private func giveUp(_ count: Int, of room: Room) async {
        guard count > 0, room.reserve > 0 else { return }
        try? await cut(to: max(0, room.reserve - count))
    }

    /// The sync makes the blocks free for others: some file systems keep them until then.
    private func cut(to length: Int) async throws(FileError) {
        let file = try await files.open(names.reserve, .write)
        try await file.truncate(to: length)
        try await file.sync()
    }

    /// Not for less than a step, unless it is the last: each costs a sync.
    private func takeBack(_ spare: Int, in room: Room) async {
        let missing = room.wanted - room.reserve
        let count = min(missing, spare)
        guard count > 0, count >= min(missing, Self.step) else { return }
        do throws(FileError) {
            let file = try await files.open(names.reserve, .create)
            try await file.allocate(room.reserve..<(room.reserve + count))
            try await file.sync()
            try await files.syncDirectory(".")
        } catch {
            // Part of it may have been made, and it may be what others need now.
            try? await cut(to: room.reserve)
        }
    }
}
