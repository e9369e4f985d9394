import Synchronization
import SystemInterface

/// A `MemoryDisk` as one process sees it, from mounting to the next crash or restart.
package final class MemoryFileSystem: FileSystem {
    package let disk: MemoryDisk
    private let mount: Int

    init(disk: MemoryDisk, mount: Int) {
        self.disk = disk
        self.mount = mount
    }

    /// The view of a new disk.
    package convenience init(capacity: Int = 1 << 40) {
        let disk = MemoryDisk(capacity: capacity)
        self.init(disk: disk, mount: disk.newMount())
    }

    deinit { disk.state.withLock { state in state.locks = state.locks.filter { $0.value != mount } } }

    /// Loses power, and mounts what is left. This view and its files end.
    package func crash(using generator: inout SplitMix64) -> MemoryFileSystem {
        disk.crash(using: &generator)
        return disk.mount()
    }

    /// Ends the process, not the machine, and mounts again. This view and its files end.
    package func restart() -> MemoryFileSystem {
        disk.restart()
        return disk.mount()
    }

    package func open(_ path: String, _ mode: OpenMode) async throws(FileError) -> any File {
        let place = try Place(path, .open)
        let node = try await disk.perform(.open, path, mount: mount) { state throws(FileError) in
            let directory = try place.directory(in: state.tree)
            if let node = state.tree.node(directory)?.entries[place.name] {
                if mode.mustCreate { throw place.error(.exists) }
                if state.tree.node(node)?.isDirectory == true { throw place.error(.invalid) }
                state.tree.opened(node)
                return node
            }
            guard mode.createsIfMissing || mode.mustCreate else { throw place.error(.notFound) }
            let node = state.tree.create(place.name, in: directory, isDirectory: false)
            state.tree.opened(node)
            return node
        }
        return MemoryFile(fileSystem: self, node: node, mount: mount, path: path, isWritable: mode.isWritable)
    }

    /// Of several the one that began first.
    package var changeUnderWay: UInt64? {
        disk.state.withLock { state in state.changes.filter { $0.value == mount }.keys.min() }
    }

    package func forgetCached(_ path: String) async throws(FileError) {
        let names = try RelativePath.components(path, operation: DiskOperation.open.rawValue)
        try await disk.perform(.open, path, mount: mount) { state throws(FileError) in
            guard let node = state.tree.find(names[...]) else { return }
            state.tree.update(node) { $0.forgetCached() }
        }
    }

    package func createDirectory(_ path: String) async throws(FileError) {
        let names = try RelativePath.components(path, operation: DiskOperation.createDirectory.rawValue)
        try await disk.perform(.createDirectory, path, mount: mount) { state throws(FileError) in
            var directory = MemoryTree.root
            for name in names {
                let found = state.tree.node(directory)?.entries[String(name)]
                let next = found ?? state.tree.create(String(name), in: directory, isDirectory: true)
                guard state.tree.node(next)?.isDirectory == true else {
                    throw FileError(.exists, operation: DiskOperation.createDirectory.rawValue, path: path)
                }
                state.tree.syncDirectory(directory)
                directory = next
            }
        }
    }

    package func list(_ path: String) async throws(FileError) -> [String] {
        try await inDirectory(.list, path) { state, node in state.tree.node(node)?.entries.keys.sorted() ?? [] }
    }

    package func status(_ path: String) async throws(FileError) -> FileStatus? {
        let names = try RelativePath.components(path, operation: DiskOperation.status.rawValue)
        return try await disk.perform(.status, path, mount: mount) { state throws(FileError) in
            guard let number = state.tree.find(names[...]), let node = state.tree.node(number) else { return nil }
            let content = node.content.current
            return FileStatus(
                isDirectory: node.isDirectory,
                length: content.length,
                allocated: content.allocatedBytes
            )
        }
    }

    package func remove(_ path: String) async throws(FileError) {
        let place = try Place(path, .remove)
        try await disk.perform(.remove, path, mount: mount) { state throws(FileError) in
            let (directory, node) = try place.find(in: state.tree)
            if state.tree.node(node)?.entries.isEmpty == false { throw place.error(.other) }
            state.tree.remove(place.name, from: directory)
        }
    }

    package func rename(_ from: String, to: String) async throws(FileError) {
        let source = try Place(from, .rename)
        let target = try Place(to, .rename)
        try await disk.perform(.rename, from, mount: mount) { state throws(FileError) in
            let (directory, node) = try source.find(in: state.tree)
            let newDirectory = try target.directory(in: state.tree)
            if let old = state.tree.node(newDirectory)?.entries[target.name], old != node {
                try Self.checkReplacing(state.tree.node(old), with: state.tree.node(node), at: target)
            }
            state.tree.rename(source.name, in: directory, to: target.name, in: newDirectory)
        }
    }

    package func syncDirectory(_ path: String) async throws(FileError) {
        try await inDirectory(.syncDirectory, path) { state, node in
            if !state.liesAboutSync { state.tree.syncDirectory(node) }
        }
    }

    package func space() async throws(FileError) -> FileSystemSpace {
        let device = disk.device
        return try await disk.perform(.space, RelativePath.root, mount: mount) { state throws(FileError) in
            FileSystemSpace(
                total: state.capacity,
                available: max(0, state.capacity - state.tree.used),
                device: device
            )
        }
    }

    package func lock(_ path: String) async throws(FileError) -> Bool {
        let place = try Place(path, .lock)
        let mount = mount
        return try await disk.perform(.lock, path, mount: mount) { state throws(FileError) in
            let directory = try place.directory(in: state.tree)
            if state.tree.node(directory)?.entries[place.name] == nil {
                _ = state.tree.create(place.name, in: directory, isDirectory: false)
            }
            let holder = state.locks[path, default: mount]
            state.locks[path] = holder
            return holder == mount
        }
    }

    private func inDirectory<Value: Sendable>(
        _ operation: DiskOperation,
        _ path: String,
        _ body: (inout MemoryDisk.State, Int) -> Value
    ) async throws(FileError) -> Value {
        let names = try RelativePath.components(path, operation: operation.rawValue)
        return try await disk.perform(operation, path, mount: mount) { state throws(FileError) in
            guard let node = state.tree.find(names[...]) else {
                throw FileError(.notFound, operation: operation.rawValue, path: path)
            }
            guard state.tree.node(node)?.isDirectory == true else {
                throw FileError(.invalid, operation: operation.rawValue, path: path)
            }
            return body(&state, node)
        }
    }

    /// rename(2): a file replaces a file, a directory an empty directory.
    private static func checkReplacing(
        _ old: MemoryTree.Node?,
        with new: MemoryTree.Node?,
        at target: Place
    ) throws(FileError) {
        guard let old, let new else { return }
        if old.isDirectory != new.isDirectory { throw target.error(.invalid) }
        if !old.entries.isEmpty { throw target.error(.other) }
    }
}

/// A path that names something below the root, with the directory it lies in.
private struct Place: Sendable {
    let path: String
    let operation: DiskOperation
    let parents: [Substring]
    let name: String

    init(_ path: String, _ operation: DiskOperation) throws(FileError) {
        var names = try RelativePath.components(path, operation: operation.rawValue)
        guard let name = names.popLast() else { throw FileError(.invalid, operation: operation.rawValue, path: path) }
        self.path = path
        self.operation = operation
        self.name = String(name)
        parents = names
    }

    func error(_ code: FileError.Code) -> FileError { FileError(code, operation: operation.rawValue, path: path) }

    func directory(in tree: MemoryTree) throws(FileError) -> Int {
        guard let node = tree.find(parents[...]) else { throw error(.notFound) }
        guard tree.node(node)?.isDirectory == true else { throw error(.invalid) }
        return node
    }

    func find(in tree: MemoryTree) throws(FileError) -> (directory: Int, node: Int) {
        let directory = try directory(in: tree)
        guard let node = tree.node(directory)?.entries[name] else { throw error(.notFound) }
        return (directory, node)
    }
}
