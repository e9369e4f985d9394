import CLinux
import Synchronization
import SystemInterface

/// A descriptor that is closed with its last reference. Closing does not flush: durability comes from `sync` alone.
final class Descriptor: Sendable {
    let number: Int32

    init(_ number: Int32) { self.number = number }

    deinit { cairn_close(number) }
}

/// What a `LinuxFileSystem` and its open files share: the root, the queues, the locks.
final class LinuxDisk: Sendable {
    /// Threads that read; two keep a disk busy while one of them wakes its caller.
    static let readThreadCount = 2

    let root: Descriptor
    let rootPath: String
    /// Everything that changes the disk, one call after another.
    let writes: DiskQueue
    /// Everything that only looks.
    let reads: DiskQueue
    /// Locks held, by path; they end when the last reference to the disk goes, or with the process.
    let locks = Mutex<[String: Descriptor]>([:])

    init(root: Descriptor, rootPath: String, name: String) {
        self.root = root
        self.rootPath = rootPath
        writes = DiskQueue(name: "\(name) write", threadCount: 1)
        reads = DiskQueue(name: "\(name) read", threadCount: Self.readThreadCount)
    }

    deinit {
        writes.close()
        reads.close()
    }

    /// The value of a call on names below the root; its error says `.gone` when the root itself was removed.
    @discardableResult
    func value<Value: SignedInteger>(
        _ operation: String,
        _ path: String,
        _ call: () -> Value
    ) throws(FileError) -> Int {
        do throws(FileError) {
            return try SystemCall.value(operation, path, call)
        } catch {
            throw error.number == ErrorNumber.notFound && isRemoved ? gone(error) : error
        }
    }

    /// Opens what lies below the root; `path` has been checked.
    func open(_ path: String, options: Int, operation: String = "openat") throws(FileError) -> Descriptor {
        Descriptor(
            Int32(try value(operation, path) { cairn_open_at(root.number, path, Int32(options)) })
        )
    }

    func openDirectory(_ path: String, operation: String = "openat") throws(FileError) -> Descriptor {
        let path = path.isEmpty ? RelativePath.root : path
        return try open(path, options: CAIRN_OPEN_DIRECTORY, operation: operation)
    }

    /// False when `rootPath` leads nowhere or to another directory. What says neither, such as a lack of descriptors,
    /// is no reason to give a disk up.
    var isAtItsPlace: Bool {
        let number = cairn_open_root(rootPath)
        guard number >= 0 else { return number != -ErrorNumber.notFound && number != -ErrorNumber.notDirectory }
        let found = Descriptor(number)
        var (there, here) = (cairn_status(), cairn_status())
        guard cairn_status_of(found.number, &there) == 0, cairn_status_of(root.number, &here) == 0 else { return true }
        return there.inode == here.inode && there.device == here.device
    }

    /// True when the root directory has been unlinked: every name below it is then missing for that reason.
    private var isRemoved: Bool {
        var status = cairn_status()
        return cairn_status_of(root.number, &status) == 0 && status.links == 0
    }

    private func gone(_ error: FileError) -> FileError {
        FileError(.gone, operation: error.operation, path: error.path, number: error.number)
    }
}
