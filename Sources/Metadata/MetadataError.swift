package import DiskFormat
package import ObjectInterface

/// Why the metadata could not do what it was asked.
package enum MetadataError: Error, Sendable, CustomStringConvertible {
    /// A condition of the change was not met, or what it names is not there: nothing was changed.
    case refused(StorageError)
    /// Rows, records or the database file are not what they must be.
    case corrupt(String)
    /// The database as a whole is not what SQLite wrote: the file is none, or its log is cut off.
    case broken(String)
    /// Written by a later version, with something this one must not overlook.
    case unsupported(String)
    /// The file system has no room for the database.
    case full
    /// The database could not be read or written.
    case failed(String)
    /// A journal record is missing between the last one applied and the next one given.
    case gap(expected: UInt64, found: UInt64)
    /// The database and the journal hold different records at one position.
    case diverged(JournalPosition)
    /// A checkpoint import was begun and not finished.
    case importing

    package var description: String {
        switch self {
        case .refused(let error): error.description
        case .corrupt(let what), .broken(let what):
            "the metadata is damaged (\(what)): stop, move the database aside and run `cairn metadata rebuild`; a "
                + "coordinator reads it from the nodes when it is started then"
        case .unsupported(let what): "the metadata needs a later version of Cairn: \(what)"
        case .full: "no room for the metadata database: free space on its file system"
        case .failed(let what): "the metadata database failed: \(what)"
        case .gap(let expected, let found):
            "the journal has no record \(expected) before \(found): run `cairn metadata rebuild`"
        case .diverged(let position):
            "the journal has another record at \(position) than the database: run `cairn metadata rebuild`"
        case .importing: "a metadata import was not finished: run `cairn metadata rebuild` again"
        }
    }

    /// The same as the callers of operations meet it.
    package var storageError: StorageError {
        switch self {
        case .refused(let error): error
        case .full: StorageError(.full, description)
        case .failed, .broken: StorageError(.unavailable, description)
        case .corrupt, .unsupported, .gap, .diverged, .importing: StorageError(.internalFailure, description)
        }
    }

    static func refused(_ code: StorageError.Code, _ message: String) -> Self {
        .refused(StorageError(code, message))
    }
}
