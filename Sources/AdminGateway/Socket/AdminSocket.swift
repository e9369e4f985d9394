import Glibc

/// The Unix socket of a data folder: `DIR/admin.sock`, mode 0600.
package enum AdminSocket {
    package static let name = "admin.sock"
    /// Connections that may wait to be accepted: an operator and a monitor or two.
    private static let backlog: Int32 = 16

    /// A descriptor that listens on the socket of `directory`.
    ///
    /// A socket that nobody answers on, left by a process that was killed, is replaced; one that is answered on is
    /// `alreadyRunning`. The folder is locked meanwhile, so that of two that start together one wins.
    package static func listen(in directory: String) throws(AdminError) -> Int32 {
        let folder = try openFolder(directory)
        defer { close(folder) }
        guard flock(folder, LOCK_EX) == 0 else { throw failure("lock", directory) }
        let path = path(folder)
        var information = stat()
        if lstat(path, &information) == 0 {
            guard information.st_mode & S_IFMT == S_IFSOCK else {
                throw AdminError(
                    .conflict,
                    "\(directory)/\(name) is not a socket",
                    advice: "Move it away and start again."
                )
            }
            if let answering = try? connect(folder: folder) {
                close(answering)
                throw AdminError(
                    .alreadyRunning,
                    "a store is running on \(directory) already",
                    advice: "Use it, or stop it before another is started on the same folder."
                )
            }
            guard unlink(path) == 0 else { throw failure("remove the stale", directory) }
        }
        return try bind(path, directory)
    }

    private static func bind(_ path: String, _ directory: String) throws(AdminError) -> Int32 {
        let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { throw failure("make", directory) }
        // The socket's file takes its mode from the descriptor at bind (Linux), so there is no moment at which others
        // could connect; the second call is for file systems that do not.
        guard fchmod(descriptor, 0o600) == 0, withAddress(path, { Glibc.bind(descriptor, $0, $1) }) == 0,
            chmod(path, 0o600) == 0, Glibc.listen(descriptor, backlog) == 0
        else {
            let error = failure("make", directory)
            close(descriptor)
            throw error
        }
        return descriptor
    }

    /// A blocking connection to the store that runs on `directory`.
    static func connect(in directory: String) throws(AdminError) -> Int32 {
        let folder: Int32
        do throws(AdminError) { folder = try openFolder(directory) } catch {
            throw notRunning(directory, error.message)
        }
        defer { close(folder) }
        do throws(AdminError) { return try connect(folder: folder) } catch {
            let isForbidden = error.code == .unavailable
            throw isForbidden
                ? AdminError(
                    .unavailable,
                    "the admin socket of \(directory) belongs to another user",
                    advice: "Run the command as the user that runs the store, for example with sudo."
                )
                : notRunning(directory, nil)
        }
    }

    private static func connect(folder: Int32) throws(AdminError) -> Int32 {
        let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { throw AdminError(.failed, String(cString: strerror(errno))) }
        guard withAddress(path(folder), { Glibc.connect(descriptor, $0, $1) }) == 0 else {
            let number = errno
            close(descriptor)
            throw AdminError(number == EACCES ? .unavailable : .notRunning, String(cString: strerror(number)))
        }
        return descriptor
    }

    private static func notRunning(_ directory: String, _ reason: String?) -> AdminError {
        AdminError(
            .notRunning,
            "no store is running on \(directory)" + (reason.map { " (\($0))" } ?? ""),
            advice: FolderMarks(of: directory).adviceToStart(directory)
        )
    }

    /// Whether anything is at the socket's path.
    static func isThere(in directory: String) -> Bool {
        var information = stat()
        return lstat("\(directory)/\(name)", &information) == 0 || errno != ENOENT
    }

    /// Removes the socket's file, when the store stops.
    static func remove(in directory: String) { unlink("\(directory)/\(name)") }

    private static func openFolder(_ directory: String) throws(AdminError) -> Int32 {
        let folder = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard folder >= 0 else { throw AdminError(.notFound, "\(directory): \(String(cString: strerror(errno)))") }
        return folder
    }

    /// The socket's path by way of the open folder: an address holds 107 bytes at most, and data folders lie deep.
    private static func path(_ folder: Int32) -> String { "/proc/self/fd/\(folder)/\(name)" }

    private static func withAddress(
        _ path: String,
        _ body: (UnsafePointer<sockaddr>, socklen_t) -> Int32
    ) -> Int32 {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8.prefix($0.count - 1)) }
        return withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                body($0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
    }

    private static func failure(_ verb: String, _ directory: String) -> AdminError {
        AdminError(
            .failed,
            "cannot \(verb) the admin socket in \(directory): \(String(cString: strerror(errno)))",
            advice: "Check that the folder is writable for the user that runs the store."
        )
    }
}
