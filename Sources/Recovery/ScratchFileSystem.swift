internal import Synchronization
package import SystemInterface

/// A view of a disk that never writes to it: what the engine changes is kept in memory, and gone with the view.
///
/// So that salvage and inspection run the same recovery as a server does, on disks that nobody may touch and also while
/// a server has them open. No lock is taken on the disk below; there is never room for anything new (`allocate` and
/// `space` say full). A range that the medium cannot read reads as zeros: the checksums above tell it from data.
package final class ScratchFileSystem: FileSystem {
    private struct State {
        /// Files that were made or changed here.
        var files: [String: ScratchFile] = [:]
        var directories: Set<String> = []
        /// Names of the disk below that were removed or renamed here.
        var removed: Set<String> = []
    }

    private let base: any FileSystem
    private let state = Mutex(State())

    /// Bytes that one file may have changed at most: a segment's footer, or a promise.
    static let changeLimit = 64 << 20

    package init(over base: any FileSystem) { self.base = base }

    package func open(_ path: String, _ mode: OpenMode) async throws(FileError) -> any File {
        _ = try RelativePath.components(path, operation: "open")
        if let known = state.withLock({ $0.files[path] }) {
            if mode.mustCreate { throw FileError(.exists, operation: "open", path: path) }
            return known
        }
        if let found = try await openBase(path) {
            if mode.mustCreate { throw FileError(.exists, operation: "open", path: path) }
            return ScratchFile(path: path, base: found) { [weak self] in self?.keep($0) }
        }
        guard mode.createsIfMissing || mode.mustCreate else {
            throw FileError(.notFound, operation: "open", path: path)
        }
        let made = ScratchFile(path: path, base: nil) { _ in }
        keep(made)
        return made
    }

    package func createDirectory(_ path: String) async throws(FileError) {
        let names = try RelativePath.components(path, operation: "mkdir")
        state.withLock { state in
            for end in names.indices { state.directories.insert(names[...end].joined(separator: "/")) }
        }
    }

    package func list(_ path: String) async throws(FileError) -> [String] {
        let (made, removed, isKnown) = state.withLock { state in
            (
                state.files.keys.filter { RelativePath.parent(of: $0) == path }, state.removed,
                state.directories.contains(path)
            )
        }
        var names: Set<String> = []
        do throws(FileError) {
            names = Set(try await base.list(path))
        } catch {
            guard error.code == .notFound, isKnown else { throw error }
        }
        let prefix = path == RelativePath.root ? "" : path + "/"
        names = names.filter { !removed.contains(prefix + $0) }
        names.formUnion(made.map { String($0.dropFirst(prefix.count)) })
        return names.sorted()
    }

    package func status(_ path: String) async throws(FileError) -> FileStatus? {
        let (file, isRemoved, isDirectory) = state.withLock { state in
            (state.files[path], state.removed.contains(path), state.directories.contains(path))
        }
        if let file {
            let length = try await file.length()
            return FileStatus(isDirectory: false, length: length, allocated: length)
        }
        if !isRemoved, let found = try await base.status(path) { return found }
        return isDirectory ? FileStatus(isDirectory: true, length: 0, allocated: 0) : nil
    }

    package func remove(_ path: String) async throws(FileError) {
        state.withLock { state in
            state.files[path] = nil
            state.removed.insert(path)
        }
    }

    package func rename(_ from: String, to: String) async throws(FileError) {
        guard let file = try await open(from, .read) as? ScratchFile else {
            throw FileError(.invalid, operation: "rename", path: from)
        }
        state.withLock { state in
            state.files[from] = nil
            state.removed.insert(from)
            state.removed.remove(to)
            state.files[to] = file
        }
    }

    package func syncDirectory(_ path: String) async throws(FileError) {}

    /// No room: what would take some (reserves, spares) is left undone.
    package func space() async throws(FileError) -> FileSystemSpace {
        var space = try await base.space()
        space.available = 0
        return space
    }

    /// Always granted: nothing is written.
    package func lock(_ path: String) async throws(FileError) -> Bool { true }

    private func keep(_ file: ScratchFile) {
        state.withLock { state in
            state.files[file.path] = file
            state.removed.remove(file.path)
        }
    }

    private func openBase(_ path: String) async throws(FileError) -> (any File)? {
        guard !state.withLock({ $0.removed.contains(path) }) else { return nil }
        do throws(FileError) {
            return try await base.open(path, .read)
        } catch  where error.code == .notFound {
            return nil
        }
    }
}
