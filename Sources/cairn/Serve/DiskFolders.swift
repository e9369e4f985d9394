import Foundation
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

    /// Refuses what cannot become a disk, for a first start, at which no disk has died yet.
    static func checkUsable(_ paths: [String]) throws {
        for path in paths {
            var isFolder: ObjCBool = false
            guard FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) else {
                throw ServeError("--disk \(path): there is no such folder; mount the disk first")
            }
            guard isFolder.boolValue else { throw ServeError("--disk \(path): this is no folder") }
            guard FileManager.default.isWritableFile(atPath: path) else {
                throw ServeError("--disk \(path): the folder cannot be written; give it to the user of the service")
            }
        }
    }
}
