internal import ObjectModel
internal import SystemInterface

/// `manifest.jsonl`: one line per object, appended as each is finished; the last line of an object counts.
///
/// A line is written only when the object's file is durable. One user at a time. Keeps about a hundred bytes per object
/// of this run and of earlier ones.
struct SalvageManifest {
    static let name = "manifest.jsonl"
    /// Bytes of lines gathered before they are written and made durable.
    private static let batch = 64 << 10
    /// Bytes read at a time, and of a line at most: a key, its metadata and its tags, escaped, are far below.
    private static let piece = 1 << 20

    /// The last line of an object.
    private struct Line {
        /// Where in the file it begins.
        var start: Int
        /// Of what the object was written out as: its path and bytes; nil when it was not.
        var written: ContentDigest?
        var isOfThisRun: Bool
    }

    private let file: any File
    private var end: Int
    private var pending: [UInt8] = []
    private var lines: [ContentDigest: Line] = [:]
    /// Digests of the paths that this run has written or found right.
    private var paths: Set<ContentDigest> = []
    /// Whether an earlier run had begun one.
    let isOfEarlierRun: Bool

    /// Opens the manifest of an output, or makes it. A line that a crash cut off is passed over.
    init(_ output: any FileSystem) async throws(FileError) {
        isOfEarlierRun = try await output.status(Self.name) != nil
        file = try await output.open(Self.name, .create)
        end = try await file.length()
        var reader = LineReader(file: file, end: end, limit: Self.piece)
        while let (start, line) = try await reader.next() { note(line, start: start) }
        if reader.isCutOff { pending = [UInt8(ascii: "\n")] }
    }

    private mutating func note(_ line: [UInt8], start: Int) {
        guard let json = JSONValue(parsing: line), let entry = SalvageEntry(json: json) else { return }
        lines[entry.fingerprint] = Line(start: start, written: Self.written(entry), isOfThisRun: false)
    }

    private static func written(_ entry: SalvageEntry) -> ContentDigest? {
        guard entry.state != .lost, let file = entry.file, let sha256 = entry.sha256 else { return nil }
        return written(sha256, as: file)
    }

    /// Stands for a file of bytes with that SHA-256, under that name.
    static func written(_ sha256: String, as path: String) -> ContentDigest {
        ContentDigest(of: sha256 + "\u{0}" + path)
    }

    // MARK: This run

    /// The file that it was written out as, as `written(_:as:)` gives it; nil when it was not.
    func written(_ fingerprint: ContentDigest) -> ContentDigest? { lines[fingerprint]?.written }

    /// Its file is there and right: its line stays.
    mutating func keep(_ fingerprint: ContentDigest, at path: String) {
        lines[fingerprint]?.isOfThisRun = true
        paths.insert(ContentDigest(of: path))
    }

    mutating func append(_ entry: SalvageEntry) async throws(FileError) {
        let start = end + pending.count
        lines[entry.fingerprint] = Line(start: start, written: Self.written(entry), isOfThisRun: true)
        if let path = entry.file { paths.insert(ContentDigest(of: path)) }
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

    /// Whether this run has a file there.
    func names(_ path: String) -> Bool { paths.contains(ContentDigest(of: path)) }

    // MARK: The end of a run that saw everything

    /// Leaves only the lines of this run, written beside and renamed. Nothing can be appended afterwards.
    mutating func leaveThisRun(in output: SalvageOutput, pool: BufferPool) async throws(FileError) {
        try await flush()
        let kept = Set(lines.values.lazy.filter(\.isOfThisRun).map(\.start))
        let fresh = try await output.begin(pool: pool)
        var reader = LineReader(file: file, end: end, limit: Self.piece)
        while let (start, line) = try await reader.next() {
            guard kept.contains(start) else { continue }
            try await fresh.append(BufferSlice(copying: line + [UInt8(ascii: "\n")]))
        }
        try await output.finish(fresh, as: Self.name)
        try await output.files.syncDirectory(RelativePath.root)
    }
}

/// The lines of a file one after another, each with where it begins. One longer than the limit comes out cut.
private struct LineReader {
    private let file: any File
    private let end: Int
    private let limit: Int
    private let buffer: AlignedBuffer
    private var line: [UInt8] = []
    private var lineStart = 0
    /// Of the file: where the bytes in the buffer end, and where the next one of them lies.
    private var filled = 0
    private var position = 0
    private var bufferStart = 0

    init(file: any File, end: Int, limit: Int) {
        self.file = file
        self.end = end
        self.limit = limit
        buffer = AlignedBuffer(capacity: limit)
    }

    /// At the end: whether the last line has no end.
    var isCutOff: Bool { !line.isEmpty }

    mutating func next() async throws(FileError) -> (start: Int, line: [UInt8])? {
        while true {
            guard position < filled else {
                guard try await fill() else { return nil }
                continue
            }
            let byte = buffer.mutableBytes[position - bufferStart]
            position += 1
            guard byte == UInt8(ascii: "\n") else {
                if line.count < limit { line.append(byte) }
                continue
            }
            let found = (lineStart, line)
            line.removeAll(keepingCapacity: true)
            lineStart = position
            return found
        }
    }

    private mutating func fill() async throws(FileError) -> Bool {
        guard position < end else { return false }
        bufferStart = position
        let count = try await file.read(into: buffer, at: 0, count: min(limit, end - position), from: position)
        filled = position + count
        return count > 0
    }
}
