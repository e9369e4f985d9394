import Foundation
import LinuxSystem
import StorageNode
import SystemInterface

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

    /// What stands in the folders, in their order. Refuses two that hold one disk: which of them is out of date cannot
    /// be told here, and to serve that one would be to lose what the other has. A disk that hangs keeps no node from
    /// starting with the others.
    static func look(_ paths: [String]) async throws -> [GivenDisk] {
        let disks = await withTaskGroup(of: (Int, GivenDisk).self) { group in
            for (index, path) in paths.enumerated() {
                group.addTask {
                    let disk = await GivenDisk.lookPatiently(path, time: LinuxTime()) { () async throws(FileError) in
                        try await LinuxFileSystem.open(root: path, name: "look")
                    }
                    return (index, disk)
                }
            }
            return await group.reduce(into: []) { $0.append($1) }
        }.sorted { $0.0 < $1.0 }.map(\.1)
        if let copies = SlotNaming.copies(among: disks) {
            throw ServeError(
                "--disk \(copies.first) and --disk \(copies.second) hold the same disk: one is a copy. Give only the "
                    + "one that was in use last"
            )
        }
        return disks
    }
}
