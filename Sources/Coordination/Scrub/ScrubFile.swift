internal import Checksums
internal import ObjectModel
package import SystemInterface

/// Where the scrub's record is kept: one small file that is replaced as a whole.
package struct ScrubFile: Sendable {
    package static let name = "scrub-position"
    /// A store of ten thousand disks stays below; a longer file is not ours.
    private static let sizeLimit = 64 << 20

    private let folder: any FileSystem

    package init(folder: any FileSystem) { self.folder = folder }

    /// What was kept; nil when there is nothing, and an error's text when it cannot be used.
    func load() async -> (record: ScrubRecord?, problem: String) {
        do throws(FileError) {
            guard let status = try await folder.status(Self.name) else { return (nil, "") }
            guard status.length <= Self.sizeLimit else { return (nil, "its file is too long to be one") }
            let file = try await folder.open(Self.name, .read)
            let buffer = AlignedBuffer(capacity: max(1, status.length))
            let count = try await file.read(into: buffer, at: 0, count: status.length, from: 0)
            guard let record = ScrubRecord(encoded: buffer.slice(0..<count).copied()) else {
                return (nil, "its file was damaged")
            }
            return (record, "")
        } catch {
            return (nil, error.description)
        }
    }

    /// Whole and durable when it returns, or as it was before.
    func save(_ record: ScrubRecord) async throws(FileError) {
        let temporary = Self.name + ".new"
        let file = try await folder.open(temporary, .create)
        try await file.truncate(to: 0)
        try await file.write([BufferSlice(copying: record.encoded)], at: 0)
        try await file.sync()
        try await folder.rename(temporary, to: Self.name)
        try await folder.syncDirectory(".")
    }
}
