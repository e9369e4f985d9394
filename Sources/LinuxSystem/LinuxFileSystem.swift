import CLinux
import Synchronization
import SystemInterface

/// The files below one directory, by Linux system calls: one disk.
///
/// Calls run on threads of this disk alone: one for everything that changes it, in order of arrival, and two that read.
/// The root is opened once and everything else is looked up from that descriptor, so a disk that is unmounted and
/// mounted elsewhere, or whose path is reused, is never mistaken for another. A root that was removed gives `.gone`.
/// Symbolic links are followed on the way to the root, never as the last name below it. What is neither a file nor a
/// directory, such as a FIFO, is `.invalid`. New files get mode 0600, new directories 0700.
package final class LinuxFileSystem: FileSystem {
    /// The directory that is the root, as given.
    package let root: String
    private let disk: LinuxDisk

    /// Opens the directory `root`; `.gone` when it is not there. Blocks its thread: `open` does not.
    ///
    /// `name` (its first 9 letters) names the threads in ps, top and perf. With `createsRoot` a missing root and its
    /// missing parents are made first, and their names made durable: never for a folder that a mount should provide.
    package init(root: String, name: String, createsRoot: Bool = false) throws(FileError) {
        if createsRoot { try Self.createRoot(root) }
        self.root = root
        do throws(FileError) {
            let descriptor = try SystemCall.value("open", root) { cairn_open_root(root) }
            disk = LinuxDisk(root: Descriptor(Int32(descriptor)), rootPath: root, name: String(name.prefix(9)))
        } catch  where error.code == .notFound {
            throw FileError(.gone, operation: error.operation, path: error.path, number: error.number)
        }
    }

    /// The same on a thread of its own: what is mounted there may hang, and the cooperative pool must not.
    package static func open(
        root: String,
        name: String,
        createsRoot: Bool = false
    ) async throws(FileError) -> LinuxFileSystem {
        let queue = DiskQueue(name: "\(name.prefix(9)) open", threadCount: 1)
        defer { queue.close() }
        return try await queue.run { () throws(FileError) in
            try LinuxFileSystem(root: root, name: name, createsRoot: createsRoot)
        }
    }

    package var changeUnderWay: UInt64? { disk.writes.callUnderWay }

    package func isAtItsPlace() async -> Bool {
        let isThere = try? await disk.reads.run { [disk] () throws(FileError) in disk.isAtItsPlace }
        return isThere ?? true
    }

    package func forgetCached(_ path: String) async throws(FileError) {
        try checkName(path, "openat")
        try await disk.reads.run { [disk] () throws(FileError) in
            let file = try disk.open(path, options: 0)
            _ = try SystemCall.value("posix_fadvise", path) { cairn_forget_cached(file.number) }
        }
    }

    package func open(_ path: String, _ mode: OpenMode) async throws(FileError) -> any File {
        try checkName(path, "openat")
        let queue = mode.isWritable ? disk.writes : disk.reads
        return try await queue.run { [disk] () throws(FileError) in
            try LinuxFile(disk: disk, path: path, mode: mode)
        }
    }

    package func createDirectory(_ path: String) async throws(FileError) {
        let names = try RelativePath.components(path, operation: "mkdirat")
        try await disk.writes.run { [disk] () throws(FileError) in
            var parent = RelativePath.root
            for index in names.indices {
                let current = names[...index].joined(separator: "/")
                try Self.makeDirectory(current, in: parent, of: disk)
                parent = current
            }
        }
    }

    package func list(_ path: String) async throws(FileError) -> [String] {
        _ = try RelativePath.components(path, operation: "readdir")
        return try await disk.reads.run { [disk] () throws(FileError) in
            let directory = try disk.openDirectory(path)
            let names = NameList()
            try disk.value("readdir", path) {
                cairn_list(directory.number, Unmanaged.passUnretained(names).toOpaque()) { context, name in
                    guard let context, let name else { return }
                    Unmanaged<NameList>.fromOpaque(context).takeUnretainedValue().append(String(cString: name))
                }
            }
            return names.names.sorted()
        }
    }

    package func status(_ path: String) async throws(FileError) -> FileStatus? {
        _ = try RelativePath.components(path, operation: "fstatat")
        return try await disk.reads.run { [disk] () throws(FileError) in
            var status = cairn_status()
            let name = path.isEmpty ? RelativePath.root : path
            do throws(FileError) {
                try disk.value("fstatat", path) { cairn_status_at(disk.root.number, name, &status) }
            } catch  where error.code == .notFound || error.number == ErrorNumber.notDirectory {
                return nil
            }
            return FileStatus(
                isDirectory: status.is_directory,
                length: Int(status.length),
                allocated: Int(status.allocated)
            )
        }
    }

    package func remove(_ path: String) async throws(FileError) {
        try checkName(path, "unlinkat")
        try await disk.writes.run { [disk] () throws(FileError) in
            do throws(FileError) {
                try disk.value("unlinkat", path) { cairn_remove_at(disk.root.number, path, false) }
            } catch  where error.number == ErrorNumber.isDirectory {
                try disk.value("unlinkat", path) { cairn_remove_at(disk.root.number, path, true) }
            }
        }
    }

    package func rename(_ from: String, to: String) async throws(FileError) {
        try checkName(from, "renameat")
        try checkName(to, "renameat")
        try await disk.writes.run { [disk] () throws(FileError) in
            _ = try disk.value("renameat", from) { cairn_rename_at(disk.root.number, from, to) }
        }
    }

    package func syncDirectory(_ path: String) async throws(FileError) {
        _ = try RelativePath.components(path, operation: "fsync")
        try await disk.writes.run { [disk] () throws(FileError) in try Self.syncDirectory(path, of: disk) }
    }

    package func space() async throws(FileError) -> FileSystemSpace {
        try await disk.reads.run { [disk] () throws(FileError) in
            var space = cairn_space()
            var status = cairn_status()
            try disk.value("fstatvfs", disk.rootPath) { cairn_space_of(disk.root.number, &space) }
            try disk.value("fstat", disk.rootPath) { cairn_status_of(disk.root.number, &status) }
            return FileSystemSpace(
                total: Int(space.total),
                available: Int(space.available),
                device: status.device
            )
        }
    }

    /// The lock is an open-file-description lock (fcntl(2)): it also excludes other instances in this process. It ends
    /// with the process, or when this instance and all files opened through it are gone. True when already held here.
    package func lock(_ path: String) async throws(FileError) -> Bool {
        try checkName(path, "fcntl")
        return try await disk.writes.run { [disk] () throws(FileError) in
            if disk.locks.withLock({ $0[path] != nil }) { return true }
            let descriptor = try disk.open(path, options: CAIRN_OPEN_WRITE | CAIRN_OPEN_CREATE)
            let result = SystemCall.retrying { cairn_lock(descriptor.number) }
            if result == -ErrorNumber.wouldBlock || result == -ErrorNumber.accessDenied { return false }
            try disk.value("fcntl", path) { result }
            disk.locks.withLock { $0[path] = descriptor }
            return true
        }
    }

    /// A path that names something below the root.
    private func checkName(_ path: String, _ operation: String) throws(FileError) {
        guard try !RelativePath.components(path, operation: operation).isEmpty else {
            throw FileError(.invalid, operation: operation, path: path)
        }
    }

    /// Makes one directory unless it is there, and makes its name durable, since whoever made it may have died before.
    private static func makeDirectory(_ path: String, in parent: String, of disk: LinuxDisk) throws(FileError) {
        do throws(FileError) {
            try disk.value("mkdirat", path) { cairn_make_directory_at(disk.root.number, path) }
        } catch  where error.code == .exists {
            var status = cairn_status()
            try disk.value("fstatat", path) { cairn_status_at(disk.root.number, path, &status) }
            guard status.is_directory else { throw error }
        }
        try syncDirectory(parent, of: disk)
    }

    private static func syncDirectory(_ path: String, of disk: LinuxDisk) throws(FileError) {
        let directory = try disk.openDirectory(path)
        try disk.value("fsync", path) { cairn_sync(directory.number) }
    }

    private static func createRoot(_ path: String) throws(FileError) {
        let start = path.hasPrefix("/") ? "/" : "."
        let root = try SystemCall.value("open", start) { cairn_open_root(start) }
        let disk = LinuxDisk(root: Descriptor(Int32(root)), rootPath: start, name: "")
        var parent = RelativePath.root
        for name in path.split(separator: "/") where name != "." {
            let current = parent == RelativePath.root ? String(name) : "\(parent)/\(name)"
            try makeRootDirectory(current, in: parent, of: disk)
            parent = current
        }
    }

    /// Like `makeDirectory`, but leaves what exists alone: a parent may belong to somebody else, or be a link.
    private static func makeRootDirectory(_ path: String, in parent: String, of disk: LinuxDisk) throws(FileError) {
        do throws(FileError) {
            try disk.value("mkdirat", path) { cairn_make_directory_at(disk.root.number, path) }
        } catch  where error.code == .exists {
            return
        }
        // Not `openDirectory`, which refuses a parent that is a symbolic link.
        let above = "\(path)/.."
        let directory = try disk.open(above, options: CAIRN_OPEN_DIRECTORY)
        try disk.value("fsync", parent) { cairn_sync(directory.number) }
    }
}

/// Names gathered by the C callback of `cairn_list`.
private final class NameList {
    private(set) var names: [String] = []

    func append(_ name: String) {
        if name != "." && name != ".." { names.append(name) }
    }
}
