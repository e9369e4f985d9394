internal import ObjectModel
package import SystemInterface

/// What operators have said of moves, which holds over restarts. As `SealedLines`:
///
///     cairn-moves 1
///     paused
///     rate BYTES
///
/// The last two are there where they hold.
package struct MoveSettings: Hashable, Sendable {
    private static let head = "cairn-moves 1"

    package var isPaused = false
    /// Bytes a second of the moves under way; nil unless an operator said so.
    package var rate: Int?

    package init() {}

    package var encoded: [UInt8] {
        SealedLines.encode([Self.head] + (isPaused ? ["paused"] : []) + (rate.map { ["rate \($0)"] } ?? []))
    }

    /// Nil for anything that is not whole.
    package init?(encoded bytes: [UInt8]) {
        guard let lines = SealedLines.decode(bytes), lines.first == Self.head[...] else { return nil }
        for line in lines.dropFirst() {
            let words = line.split(separator: " ")
            switch (words.first, words.count) {
            case ("paused", 1): isPaused = true
            case ("rate", 2):
                guard let rate = Int(words[1]), rate > 0 else { return nil }
                self.rate = rate
            default: return nil
            }
        }
    }
}

/// Where they are kept.
package struct MoveSettingsFile: Sendable {
    package static let name = "move-settings"
    private static let sizeLimit = 4_096

    private let file: StateFile

    package init(folder: any FileSystem) {
        file = StateFile(name: Self.name, limit: Self.sizeLimit, folder: folder)
    }

    /// What was kept; nil when there is nothing, and an error's text when it cannot be used.
    func load() async -> (settings: MoveSettings?, problem: String) {
        let (bytes, problem) = await file.load()
        guard let bytes else { return (nil, problem) }
        guard let settings = MoveSettings(encoded: bytes) else { return (nil, "its file was damaged") }
        return (settings, "")
    }

    /// Whole and durable when it returns, or as they were before.
    func save(_ settings: MoveSettings) async throws(FileError) { try await file.save(settings.encoded) }
}
