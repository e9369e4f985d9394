internal import SystemInterface

/// What a run has moved aside.
struct Superseded: Sendable {
    var count = 0
    /// Each run has its own, so that no file takes another's place; nil while nothing was moved.
    var folder: String?
}

extension SalvageOutput {
    /// Moves the files below a folder that `isNamed` does not know into this run's own folder below `superseded/`,
    /// under their paths, and makes that durable. Nothing is removed but folders that have become empty.
    func supersede(below folder: String, unless isNamed: @Sendable (String) -> Bool) async throws(FileError) {
        guard try await files.status(folder)?.isDirectory == true else { return }
        var isChanged = false
        for name in try await files.list(folder) {
            let path = folder + "/" + name
            // A name that is no text has none to be asked for by, and is left alone.
            guard let status = try await files.status(path) else { continue }
            if status.isDirectory {
                try await supersede(below: path, unless: isNamed)
            } else if !isNamed(path) {
                try await moveAside(path)
                isChanged = true
            }
        }
        if isChanged { try await files.syncDirectory(folder) }
        // Fails while something is in it.
        try? await files.remove(folder)
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
        let target = try await runFolder() + "/" + path
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
