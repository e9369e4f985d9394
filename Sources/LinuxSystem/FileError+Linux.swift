import CLinux
import SystemInterface

/// Error numbers that the calls in this module decide by; every other one only means what `FileError.linux` says.
enum ErrorNumber {
    static let interrupted = EINTR
    static let wouldBlock = EAGAIN
    static let invalid = EINVAL
    static let notFound = ENOENT
    static let exists = EEXIST
    static let isDirectory = EISDIR
    static let notDirectory = ENOTDIR
    static let notSupported = EOPNOTSUPP
    static let noSuchCall = ENOSYS
    static let accessDenied = EACCES
    static let inputOutput = EIO
}

extension FileError {
    /// What an error number means to the engine: the only place that knows.
    ///
    /// Sources: the ERRORS sections of open(2), pread(2), pwrite(2), fsync(2), fallocate(2), rename(2), unlink(2); the
    /// block layer's own numbers from `blk_errors` in the kernel's block/blk-core.c.
    package static func linux(_ number: Int32, _ operation: String, _ path: String) -> FileError {
        FileError(code(number), operation: operation, path: path, number: number)
    }

    private static func code(_ number: Int32) -> Code {
        switch number {
        case ENOENT:
            .notFound
        case EEXIST:
            .exists
        case ENOSPC, EDQUOT:
            .full
        // A bad sector, a failed checksum of the file system or of the link, a lost or late answer of the device.
        case EIO, EUCLEAN, EBADMSG, ENODATA, EILSEQ, EREMOTEIO, EBADE, ETIMEDOUT:
            .medium
        // The device was pulled, the path to it is cut, or the mount behind the descriptor no longer exists.
        case ENODEV, ENXIO, ENOTCONN, ESTALE, ESHUTDOWN, ENOLINK, EHOSTDOWN, ENOMEDIUM:
            .gone
        case EACCES, EPERM, ETXTBSY, EBADF:
            .notPermitted
        // Also what a file system answers after it met damage and went read-only.
        case EROFS:
            .readOnly
        case EINVAL, ENAMETOOLONG, ELOOP, ENOTDIR, EISDIR:
            .invalid
        default:
            .other
        }
    }
}
