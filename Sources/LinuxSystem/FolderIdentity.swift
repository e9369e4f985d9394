import CLinux
import SystemInterface

/// Which directory a path leads to: equal for two paths when one is a symbolic link or a second mount of the other.
package struct FolderIdentity: Hashable, Sendable {
    private let device: UInt64
    private let inode: UInt64

    /// Throws when there is no directory at `path`, or it cannot be opened.
    package init(of path: String) throws(FileError) {
        let number = try SystemCall.value("open", path) { cairn_open_root(path) }
        let folder = Descriptor(Int32(number))
        var status = cairn_status()
        try SystemCall.value("fstat", path) { cairn_status_of(folder.number, &status) }
        device = status.device
        inode = status.inode
    }
}
