import LinuxSystem

/// The folders that `--disk` names, looked at before anything is done with them.
enum DiskFolders {
    /// Refuses two paths to one folder, also by a link or a second mount: what stands in two slots is one disk.
    static func checkDistinct(_ paths: [String]) throws {
        var given: Set<String> = []
        var known: [FolderIdentity: String] = [:]
        for path in paths {
            guard given.insert(path).inserted else { throw ServeError("--disk \(path) is given twice") }
            // One that is not there is a dead disk's, with which a start goes on.
            guard let folder = try? FolderIdentity(of: path) else { continue }
            if let other = known.updateValue(path, forKey: folder) {
                throw ServeError("--disk \(other) and --disk \(path) are the same folder: give each disk once")
            }
        }
    }
}
