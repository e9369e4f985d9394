import AdminGateway
import Foundation
import LinuxSystem
import Metadata
import ObjectModel
import SystemInterface

/// The layout of `--data DIR`: what lies beside the disks.
///
///     DIR/lock                                      one process at a time
///     DIR/credentials                               root keys, when they were generated (mode 0600)
///     DIR/master.key                                the master key, when it was generated (mode 0600)
///     DIR/recovery-kit-taken                        when the operator took the recovery kit
///     DIR/founded                                   once there was a store: it is not made anew by mistake
///     DIR/forced                                    a start was forced, and the metadata may not say so yet
///     DIR/metadata/metadata.sqlite                  the metadata database
///     DIR/metadata/metadata.reserve                 room that it is given when there is no other
///     DIR/scrub-position                            how far the scrub has come; only advice
///     DIR/move-settings                             the operator's pause and rate of moves
///     DIR/repair-pause                              the operator's pause of repair
///     DIR/admin.sock                                the admin socket
///     DIR/sites/SITE/nodes/NODE/disks/DISK          disks that are folders
struct DataFolder: Sendable {
    let path: String

    var metadata: String { path + "/metadata/metadata.sqlite" }
    /// SQLite's log and its index, below the folder.
    var log: String { "metadata/metadata.sqlite-wal" }
    var logIndex: String { "metadata/metadata.sqlite-shm" }
    /// What sees to the room of the database: of its own folder, which may be on a file system of its own.
    func databaseReserve() async throws(FileError) -> DatabaseReserve {
        DatabaseReserve(
            files: try await LinuxFileSystem.open(root: path + "/metadata", name: "metadata"),
            names: DatabaseReserve.Names(
                database: "metadata.sqlite",
                log: "metadata.sqlite-wal",
                reserve: "metadata.reserve"
            )
        )
    }
    var credentials: String { path + "/credentials" }
    var masterKey: String { path + "/master.key" }
    private static let kitMark = "recovery-kit-taken"
    var recoveryKitMark: String { path + "/" + Self.kitMark }
    var isRecoveryKitTaken: Bool { FileManager.default.fileExists(atPath: recoveryKitMark) }
    /// There as long as the generated root keys have not been shown.
    var unseenMark: String { path + "/" + Self.unseenMarkName }
    static let unseenMarkName = "credentials.unseen"

    private static let foundedMark = "founded"
    /// Whether a store has been here.
    var wasFounded: Bool { FileManager.default.fileExists(atPath: path + "/" + Self.foundedMark) }

    /// Notes that a store is here; durable on return.
    func markFounded(in files: LinuxFileSystem) async throws {
        guard !wasFounded else { return }
        try await using(Self.foundedMark) { try await Self.makeEmpty(Self.foundedMark, in: files) }
    }

    private static let forcedMark = "forced"
    /// Whether a start may have been forced without the metadata saying so.
    var mayBeForced: Bool { FileManager.default.fileExists(atPath: path + "/" + Self.forcedMark) }

    /// To be called before a start that may go on with too few journal keepers: should it be cut off once they are the
    /// new set, the next start needs no such word. Durable on return.
    func markForced(in files: LinuxFileSystem) async throws {
        guard !mayBeForced else { return }
        try await using(Self.forcedMark) { try await Self.makeEmpty(Self.forcedMark, in: files) }
    }

    /// The metadata says by now what there is to say.
    func unmarkForced(in files: LinuxFileSystem) async throws {
        guard mayBeForced else { return }
        try await using(Self.forcedMark) {
            try await files.remove(Self.forcedMark)
            try await files.syncDirectory(".")
        }
    }

    private static func makeEmpty(_ name: String, in files: LinuxFileSystem) async throws {
        let file = try await files.open(name, .create)
        try await file.sync()
        try await files.syncDirectory(".")
    }

    func disk(site: SiteName, node: NodeName, name: String) -> String {
        "\(path)/sites/\(site)/nodes/\(node)/disks/\(name)"
    }

    /// Makes the folder and takes its lock, which ends with the process.
    func open() async throws -> LinuxFileSystem {
        do {
            try FileManager.default.createDirectory(
                atPath: path + "/metadata",
                withIntermediateDirectories: true,
                attributes: [.posixPermissions: 0o700]
            )
        } catch {
            throw ServeError("\(path) cannot be made or is no folder: give another --data, or the right to write there")
        }
        let files = try LinuxFileSystem(root: path, name: "data", createsRoot: true)
        guard try await using(Self.lockName, { try await Self.lock(files) }) else {
            let program = FolderMarks(of: path).program ?? "cairn"
            throw ServeError("another `\(program)` uses \(path): stop it first, or give another --data")
        }
        return files
    }

    /// How long a lock is waited for: a process that was killed is gone for others before the last of its threads has
    /// let go of its files, and whoever starts the next one then need not know.
    private static let lockPatience = Duration.seconds(2)
    private static let lockPoll = Duration.milliseconds(50)
    private static let lockName = "lock"

    /// Runs what needs the small file `name` of the folder; says where it lies and what to do when it cannot be had.
    private func using<Value>(_ name: String, _ body: () async throws -> Value) async throws -> Value {
        do {
            return try await body()
        } catch let error as FileError {
            let reason = error.number == 0 ? "\(error.code)" : String(cString: strerror(error.number))
            throw ServeError(
                "\(path)/\(name) cannot be used (\(reason)): it must be a plain file that the user who runs this may "
                    + "write, like its folder. Where it is something else and nothing uses the folder, move it away; "
                    + "then start again"
            )
        }
    }

    private static func lock(_ files: LinuxFileSystem) async throws -> Bool {
        let time = LinuxTime()
        let deadline = time.monotonic.advanced(by: lockPatience)
        while true {
            if try await files.lock(lockName) { return true }
            guard time.monotonic < deadline else { return false }
            try await time.sleep(for: lockPoll)
        }
    }

    /// The operator has the recovery kit.
    static func noteRecoveryKitTaken(in files: LinuxFileSystem) async throws {
        try await writeSecret("taken\n", name: kitMark, in: files)
    }

    /// Whether a file is there. A link that leads nowhere is refused by name: what it leads to may only not be mounted,
    /// and must not be made anew.
    private static func isThere(_ path: String) throws -> Bool {
        if FileManager.default.fileExists(atPath: path) { return true }
        guard let target = try? FileManager.default.destinationOfSymbolicLink(atPath: path) else { return false }
        throw ServeError(
            "\(path) is a link that leads nowhere (to \(target)): mount or put back what it leads to. Only if that is "
                + "lost, remove the link"
        )
    }

    /// Reads a small file; nil when it is not there. One that cannot be read, or is no text, is named.
    static func read(_ path: String) throws -> String? {
        guard try isThere(path) else { return nil }
        do {
            return try String(contentsOfFile: path, encoding: .utf8)
        } catch {
            throw ServeError("\(path) cannot be read, or is not what was written: see to its disk, put a copy back")
        }
    }

    /// Reads a small file of JSON; nil when it is not there. A damaged one never counts as none: `remedy` says what
    /// there is to do about it, and what is lost without it.
    static func read<Value: Decodable>(_ type: Value.Type, _ path: String, remedy: String) throws -> Value? {
        guard try isThere(path) else { return nil }
        do {
            return try JSONDecoder().decode(type, from: Data(contentsOf: URL(fileURLWithPath: path)))
        } catch {
            throw ServeError("\(path) cannot be read, or is damaged: \(remedy)")
        }
    }

    /// Writes a secret so that it is whole and durable, or not there: mode 0600, temporary name, sync, rename.
    static func writeSecret(_ text: String, name: String, in files: LinuxFileSystem) async throws {
        let temporary = name + ".new"
        if try await files.status(temporary) != nil { try await files.remove(temporary) }
        guard
            FileManager.default.createFile(
                atPath: files.root + "/" + temporary,
                contents: nil,
                attributes: [.posixPermissions: 0o600]
            )
        else { throw ServeError("cannot write \(files.root)/\(name): check the folder's permissions") }
        let file = try await files.open(temporary, .write)
        try await file.write([BufferSlice(copying: Array(text.utf8))], at: 0)
        try await file.sync()
        try await files.rename(temporary, to: name)
        try await files.syncDirectory(".")
    }
}

/// Why the program does not start, in words for its operator.
struct ServeError: Error, CustomStringConvertible {
    let description: String
    init(_ description: String) { self.description = description }
}
