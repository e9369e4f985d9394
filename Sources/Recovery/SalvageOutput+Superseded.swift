internal import SystemInterface

/// What a run has moved aside.
struct Superseded: Sendable {
    var count = 0
    /// Files that should have been and could not.
    var left = 0
    /// Each run has its own, so that no file takes another's place; nil while nothing was moved.
    var folder: String?
}

extension SalvageOutput {
    /// Bytes of a path that something is moved to.
    private static let pathLimit = 3_500

    /// Moves the files below a folder that `isNamed` does not know into this run's own folder below `superseded/`,
    /// under their paths, and makes that durable. Nothing is removed but folders that have become empty. What cannot be
    /// moved stays, and is counted.
    func supersede(below folder: String, unless isNamed: @Sendable (String) -> Bool) async throws(FileError) {
        guard try await files.status(folder)?.isDirectory == true else { return }
        var isChanged = false
        for name in try await files.list(folder) {
            do throws(FileError) {
                if try await supersede(folder + "/" + name, unless: isNamed) { isChanged = true }
            } catch  where error.concernsOneFile {
                if error.code != .notFound { noteLeft() }
            }
        }
        if isChanged { try await files.syncDirectory(folder) }
        // Fails while something is in it.
        try? await files.remove(folder)
    }

    /// Whether it was a file and has been moved.
    private func supersede(
        _ path: String,
        unless isNamed: @Sendable (String) -> Bool
    ) async throws(FileError) -> Bool {
        // A name that is no text has none to be asked for by, and is left alone.
        guard let status = try await files.status(path) else { return false }
        if status.isDirectory {
            try await supersede(below: path, unless: isNamed)
            return false
        }
        guard !isNamed(path) else { return false }
        try await moveAside(path)
        return true
    }

    /// An earlier run may have written a file where a folder has to be by now, or the other way round: moves aside what
    /// is in the way. Whoever comes first does it: objects that need the same folder are written at the same time.
    func clearWay(to path: String) async throws(FileError) {
        if try await files.status(path)?.isDirectory == true {
            try await supersede(below: path) { _ in false }
            forgetMade()
        }
        var folder = RelativePath.parent(of: path)
        while folder != RelativePath.root {
            // Another may have moved it since: then this fails, and where a folder was made of it, too, since the file
            // has the name that the folder would get.
            if let status = try await files.status(folder), !status.isDirectory { try? await moveAside(folder) }
            folder = RelativePath.parent(of: folder)
        }
    }

    private func moveAside(_ path: String) async throws(FileError) {
        let folder = try await runFolder()
        var target = folder + "/" + path
        // Versions before this one wrote paths as long as they go.
        if target.utf8.count > Self.pathLimit { target = folder + "/" + SafeName.short(path) }
        try await files.createDirectory(RelativePath.parent(of: target))
        try await files.rename(path, to: target)
        try await files.syncDirectory(RelativePath.parent(of: target))
        noteMoved()
    }

    /// `superseded/N`, N being the first number that no earlier run has taken.
    private func runFolder() async throws(FileError) -> String {
        if let folder = superseded.folder { return folder }
        var number = 1
        while try await files.status("\(Self.supersededFolder)/\(number)") != nil { number += 1 }
        return claim("\(Self.supersededFolder)/\(number)")
    }
}
