import Foundation

/// Whole files, as tests damage and copy them.
enum Files {
    static func write(_ bytes: [UInt8], to path: String) async throws {
        try Data(bytes).write(to: URL(fileURLWithPath: path))
    }

    /// A database as it lies on disk, its log included.
    static func copyDatabase(_ path: String, to target: String) throws {
        for suffix in ["", "-wal"] where FileManager.default.fileExists(atPath: path + suffix) {
            try Data(contentsOf: URL(fileURLWithPath: path + suffix)).write(to: URL(fileURLWithPath: target + suffix))
        }
    }
}
