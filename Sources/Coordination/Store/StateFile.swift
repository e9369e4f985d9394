internal import Checksums
internal import ObjectModel
internal import SystemInterface

/// A small file of a store's data folder that is replaced as a whole: what is to outlive a restart and is no metadata.
struct StateFile: Sendable {
    let name: String
    /// Bytes; a longer file is not ours.
    let limit: Int
    let folder: any FileSystem

    /// What was kept; nil when there is nothing, and words when it cannot be read.
    func load() async -> (bytes: [UInt8]?, problem: String) {
        do throws(FileError) {
            guard let status = try await folder.status(name) else { return (nil, "") }
            guard status.length <= limit else { return (nil, "its file is too long to be one") }
            let file = try await folder.open(name, .read)
            let buffer = AlignedBuffer(capacity: max(1, status.length))
            let count = try await file.read(into: buffer, at: 0, count: status.length, from: 0)
            return (buffer.slice(0..<count).copied(), "")
        } catch {
            return (nil, error.description)
        }
    }

    /// Whole and durable when it returns, or as it was before.
    func save(_ bytes: [UInt8]) async throws(FileError) {
        let temporary = name + ".new"
        let file = try await folder.open(temporary, .create)
        try await file.truncate(to: 0)
        try await file.write([BufferSlice(copying: bytes)], at: 0)
        try await file.sync()
        try await folder.rename(temporary, to: name)
        try await folder.syncDirectory(".")
    }
}

/// Lines of text, the last of which holds the CRC-32C of those before: `crc32c HEX`.
enum SealedLines {
    static func encode(_ lines: [String]) -> [UInt8] {
        let text = Array((lines.joined(separator: "\n") + "\n").utf8)
        return text + Array("crc32c \(String(CRC32C.checksum(text), radix: 16))\n".utf8)
    }

    /// The lines without the last; nil for anything that is not whole.
    static func decode(_ bytes: [UInt8]) -> [Substring]? {
        guard bytes.last == UInt8(ascii: "\n"),
            let end = bytes.dropLast().lastIndex(of: UInt8(ascii: "\n"))
        else { return nil }
        let text = Array(bytes[...end])
        let last = String(decoding: bytes[(end + 1)...].dropLast(), as: UTF8.self)
        guard last == "crc32c \(String(CRC32C.checksum(text), radix: 16))" else { return nil }
        return String(decoding: text, as: UTF8.self).split(separator: "\n")
    }
}
