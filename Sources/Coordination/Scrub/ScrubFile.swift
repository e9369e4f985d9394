internal import ObjectModel
package import SystemInterface

/// Where the scrub's record is kept.
package struct ScrubFile: Sendable {
    package static let name = "scrub-position"
    /// A store of ten thousand disks stays below.
    private static let sizeLimit = 64 << 20

    private let file: StateFile

    package init(folder: any FileSystem) {
        file = StateFile(name: Self.name, limit: Self.sizeLimit, folder: folder)
    }

    /// What was kept; nil when there is nothing, and an error's text when it cannot be used.
    func load() async -> (record: ScrubRecord?, problem: String) {
        let (bytes, problem) = await file.load()
        guard let bytes else { return (nil, problem) }
        guard let record = ScrubRecord(encoded: bytes) else { return (nil, "its file was damaged") }
        return (record, "")
    }

    /// Whole and durable when it returns, or as it was before.
    func save(_ record: ScrubRecord) async throws(FileError) { try await file.save(record.encoded) }
}
