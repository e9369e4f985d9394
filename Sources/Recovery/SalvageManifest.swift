internal import ObjectModel
internal import SystemInterface

/// `manifest.jsonl`: one line per object, appended as each is finished; the last line of an object counts.
///
/// A line is written only when the object's file is durable. One user at a time. Keeps 16 bytes per object of earlier
/// runs.
struct SalvageManifest {
    static let name = "manifest.jsonl"
    /// Bytes of lines gathered before they are written and made durable.
    private static let batch = 64 << 10
    /// Bytes read at a time, and of a line at most: a key, its metadata and its tags, escaped, are far below.
    private static let piece = 1 << 20

    private let file: any File
    private var end: Int
    private var pending: [UInt8] = []
    /// What earlier runs wrote out whole.
    private(set) var finished: Set<ContentDigest> = []

    /// Opens the manifest of an output, or makes it. A line that a crash cut off is passed over.
    init(_ output: any FileSystem) async throws(FileError) {
        file = try await output.open(Self.name, .create)
        end = try await file.length()
        var line: [UInt8] = []
        let buffer = AlignedBuffer(capacity: Self.piece)
        var position = 0
        while position < end {
            let count = try await file.read(into: buffer, at: 0, count: min(Self.piece, end - position), from: position)
            guard count > 0 else { break }
            for byte in buffer.mutableBytes[..<count] {
                guard byte == UInt8(ascii: "\n") else {
                    if line.count < Self.piece { line.append(byte) }
                    continue
                }
                note(line)
                line.removeAll(keepingCapacity: true)
            }
            position += count
        }
        if !line.isEmpty { pending = [UInt8(ascii: "\n")] }
    }

    private mutating func note(_ line: [UInt8]) {
        guard let json = JSONValue(parsing: line), let entry = SalvageEntry(json: json) else { return }
        if entry.state == .lost || entry.file == nil {
            finished.remove(entry.fingerprint)
        } else {
            finished.insert(entry.fingerprint)
        }
    }

    mutating func append(_ entry: SalvageEntry) async throws(FileError) {
        pending += entry.json.encoded().utf8
        pending.append(UInt8(ascii: "\n"))
        if pending.count >= Self.batch { try await flush() }
    }

    mutating func flush() async throws(FileError) {
        guard !pending.isEmpty else { return }
        try await file.write([BufferSlice(copying: pending)], at: end)
        end += pending.count
        pending = []
        try await file.sync()
    }
}
