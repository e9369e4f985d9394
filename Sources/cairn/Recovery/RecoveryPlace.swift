import Foundation
import Glibc
import LinuxSystem
import Recovery

/// Keeps what a recovery command writes off the disks that it says it only reads.
enum RecoveryPlace {
    /// Refuses to write to `path` when it is one of the disks' folders or lies in one, by whatever name or link; and
    /// when a disk's folder lies in one of `folders` below it, which are those that are written to.
    static func check(_ path: String, option: String, folders: [String] = [], disks: [DiskSource]) throws {
        let above = Set(chain(path))
        let written = folders.compactMap { name in
            (try? FolderIdentity(of: path + "/" + name)).map { (name: name, folder: $0) }
        }
        for disk in disks {
            guard let folder = try? FolderIdentity(of: disk.path) else { continue }
            guard !above.contains(folder) else {
                throw ServeError(
                    "\(option) \(path) lies in the disk's folder \(disk.path), which is only read: give a folder "
                        + "outside of all disks"
                )
            }
            let aboveDisk = Set(chain(disk.path))
            if let inside = written.first(where: { aboveDisk.contains($0.folder) }) {
                throw ServeError(
                    "the disk's folder \(disk.path) lies in \(path)/\(inside.name), which would be written to: give "
                        + "another \(option)"
                )
            }
        }
    }

    /// What `path` leads to and the folders above it, as far as they are there.
    private static func chain(_ path: String) -> [FolderIdentity] {
        var place = resolved(path)
        var found: [FolderIdentity] = []
        while true {
            if let folder = try? FolderIdentity(of: place) { found.append(folder) }
            guard place != "/" else { return found }
            place = parent(place)
        }
    }

    /// Without links and `..`, also where some of it is not there yet: that will be made as it is named.
    private static func resolved(_ path: String) -> String {
        let start = path.hasPrefix("/") ? "/" : FileManager.default.currentDirectoryPath
        var place = real(start) ?? start
        for name in path.split(separator: "/") where name != "." {
            guard name != ".." else {
                place = parent(place)
                continue
            }
            let next = place == "/" ? "/\(name)" : "\(place)/\(name)"
            place = real(next) ?? next
        }
        return place
    }

    private static func real(_ path: String) -> String? {
        guard let text = realpath(path, nil) else { return nil }
        defer { free(text) }
        return String(cString: text)
    }

    private static func parent(_ path: String) -> String {
        guard let slash = path.utf8.lastIndex(of: UInt8(ascii: "/")), slash != path.startIndex else { return "/" }
        return String(path[..<slash])
    }
}
