internal import DiskFormat
internal import SystemInterface

/// The file that keeps a keeper's promise.
struct PromiseFile: Sendable {
    static let path = LogFile.folder + "/promise"
    private static let newPath = LogFile.folder + "/promise.new"

    private let file: any File
    private(set) var promise: JournalPromise

    /// Opens the file; nil when there is none.
    static func open(_ files: any FileSystem) async throws(LogFileError) -> PromiseFile? {
        let file: any File
        do throws(FileError) {
            guard try await files.status(path) != nil else { return nil }
            file = try await files.open(path, .write)
            // A promise that a killed process wrote and had not synced is one from here on.
            try await file.sync()
        } catch {
            throw .file(error)
        }
        var best: JournalPromise?
        var failure = JournalFormatError.notFound
        for slot in 0..<2 {
            let bytes = try await LogFile.read(
                file,
                offset: slot * JournalFormat.promiseSlot,
                count: JournalFormat.promiseSlot
            )
            do throws(JournalFormatError) {
                let promise = try bytes.withBytes { bytes throws(JournalFormatError) in
                    try JournalPromise(decoding: bytes)
                }
                if promise.generation >= best?.generation ?? 0 { best = promise }
            } catch {
                failure = error
            }
        }
        // Without it nobody knows what this keeper has promised: it must not answer at all.
        guard let best else { throw .format(failure, path: path) }
        return PromiseFile(file: file, promise: best)
    }

    /// Makes the file, whole or not at all.
    static func create(_ files: any FileSystem) async throws(FileError) -> PromiseFile {
        let file = try await files.open(newPath, .create)
        let promise = JournalPromise(generation: 1, incarnation: 0, holder: 0)
        try await file.allocate(0..<2 * JournalFormat.promiseSlot)
        for slot in 0..<2 {
            try await file.write([slice(promise)], at: slot * JournalFormat.promiseSlot)
        }
        try await file.sync()
        try await files.rename(newPath, to: path)
        try await files.syncDirectory(LogFile.folder)
        return PromiseFile(file: file, promise: promise)
    }

    /// Promises, durably.
    mutating func raise(to incarnation: UInt32, holder: UInt64) async throws(FileError) {
        let next = JournalPromise(generation: promise.generation + 1, incarnation: incarnation, holder: holder)
        for slot in 0..<2 {
            try await file.write([Self.slice(next)], at: slot * JournalFormat.promiseSlot)
            try await file.sync()
        }
        promise = next
    }

    /// A whole slot, so that nothing of the one before stays behind.
    private static func slice(_ promise: JournalPromise) -> BufferSlice {
        var bytes = promise.encoded
        bytes.append(contentsOf: repeatElement(0, count: JournalFormat.promiseSlot - bytes.count))
        return BufferSlice(copying: bytes)
    }
}
