internal import Checksums
internal import ObjectModel
internal import Synchronization
internal import SystemInterface

/// Where salvaged bytes go: files below one directory, each made aside and renamed when it is whole and durable.
final class SalvageOutput: Sendable {
    private static let partial = "partial"
    /// What the manifest names lies in these.
    static let folders = ["objects", "unconfirmed"]
    static let supersededFolder = "superseded"
    static let writtenFolders = folders + [partial, supersededFolder]
    /// Bytes read at a time.
    private static let piece = 1 << 20
    /// Directories remembered as made.
    private static let memory = 1 << 14

    let files: any FileSystem
    /// By bytes: two texts that Unicode calls equal are two directories.
    private let made = Mutex<Set<ContentDigest>>([])
    private let counter = Atomic<UInt64>(0)
    private let aside = Mutex(Superseded())
    /// Whether names that differ by case alone are one name there.
    let ignoresCase: Bool

    /// Removes what an interrupted run left unfinished.
    init(_ files: any FileSystem) async throws(FileError) {
        self.files = files
        try await files.createDirectory(Self.partial)
        for name in try await files.list(Self.partial) { try await files.remove(Self.partial + "/" + name) }
        ignoresCase = try await Self.ignoresCase(files)
    }

    private static func ignoresCase(_ files: any FileSystem) async throws(FileError) -> Bool {
        let name = partial + "/case"
        _ = try await files.open(name, .create)
        let isFound = try await files.status(partial + "/CASE") != nil
        try await files.remove(name)
        return isFound
    }

    func begin(pool: BufferPool) async throws(FileError) -> SalvageFile {
        let path = Self.partial + "/" + String(counter.add(1, ordering: .relaxed).newValue)
        return SalvageFile(path: path, file: try await files.open(path, .create), pool: pool)
    }

    func finish(_ file: SalvageFile, as path: String) async throws(FileError) {
        try await file.end()
        do throws(FileError) {
            try await place(file, as: path)
        } catch {
            try await clearWay(to: path)
            try await place(file, as: path)
        }
    }

    private func place(_ file: SalvageFile, as path: String) async throws(FileError) {
        try await makeParent(of: path)
        try await files.rename(file.path, to: path)
    }

    func discard(_ file: SalvageFile) async { try? await files.remove(file.path) }

    /// Of a file of that length; nil when there is none that can be read.
    func sha256(of path: String, length: Int) async -> String? {
        guard let status = (try? await files.status(path)) ?? nil, !status.isDirectory, status.length == length,
            let file = try? await files.open(path, .read)
        else { return nil }
        let digest = StreamingDigest(.sha256)
        let buffer = AlignedBuffer(capacity: Self.piece)
        var position = 0
        while position < length {
            let wanted = min(Self.piece, length - position)
            guard let count = try? await file.read(into: buffer, at: 0, count: wanted, from: position), count > 0
            else { return nil }
            digest.update(UnsafeRawBufferPointer(rebasing: buffer.mutableBytes[..<count]))
            position += count
        }
        return Hexadecimal.text(digest.finalize())
    }

    var superseded: Superseded { aside.withLock { $0 } }

    /// The folder for what this run moves aside: the first one asked for stays.
    func claim(_ folder: String) -> String {
        aside.withLock { aside in
            let folder = aside.folder ?? folder
            aside.folder = folder
            return folder
        }
    }

    func noteMoved() { aside.withLock { $0.count += 1 } }
    func noteLeft() { aside.withLock { $0.left += 1 } }

    /// Directories may be gone.
    func forgetMade() { made.withLock { $0 = [] } }

    func write(_ text: String, to path: String) async throws(FileError) {
        let file = try await begin(pool: BufferPool(limit: 0))
        try await Array(text.utf8).withSlice { slice throws(FileError) in try await file.append(slice) }
        try await finish(file, as: path)
    }

    private func makeParent(of path: String) async throws(FileError) {
        let parent = RelativePath.parent(of: path)
        let name = ContentDigest(of: parent)
        guard parent != RelativePath.root, !made.withLock({ $0.contains(name) }) else { return }
        try await files.createDirectory(parent)
        made.withLock { made in
            if made.count >= Self.memory { made = [] }
            made.insert(name)
        }
    }
}

extension Array<UInt8> {
    fileprivate func withSlice<Failure: Error>(
        _ body: (BufferSlice) async throws(Failure) -> Void
    ) async throws(Failure) {
        try await body(BufferSlice(copying: self))
    }
}

/// One file in the making. One user at a time.
final class SalvageFile {
    private static let bufferLength = 1 << 20

    let path: String
    private let file: any File
    private let buffer: AlignedBuffer
    private var filled = 0
    private(set) var length = 0

    init(path: String, file: any File, pool: BufferPool) {
        self.path = path
        self.file = file
        buffer = pool.take(Self.bufferLength)
    }

    func append(_ slice: BufferSlice) async throws(FileError) {
        try await append(slice.bytes)
        withExtendedLifetime(slice) {}
    }

    func append(_ bytes: UnsafeRawBufferPointer) async throws(FileError) {
        var rest = bytes
        while !rest.isEmpty {
            let count = min(rest.count, Self.bufferLength - filled)
            buffer.mutableBytes[filled..<filled + count].copyBytes(from: rest[..<(rest.startIndex + count)])
            filled += count
            rest = UnsafeRawBufferPointer(rebasing: rest[(rest.startIndex + count)...])
            if filled == Self.bufferLength { try await flush() }
        }
    }

    /// Makes all of it durable.
    func end() async throws(FileError) {
        try await flush()
        try await file.truncate(to: length)
        try await file.sync()
    }

    private func flush() async throws(FileError) {
        guard filled > 0 else { return }
        try await file.write([buffer.slice(0..<filled)], at: length)
        length += filled
        filled = 0
    }
}

/// Compares bytes with the MD5 that an ETag is, part by part; an ETag that is none is passed over.
struct ETagCheck {
    private var expected: ArraySlice<(length: Int, eTag: String)>
    private var digest = StreamingDigest(.md5)
    private var left: Int
    private(set) var isRight = true
    /// Every byte is compared with some MD5.
    let isProof: Bool

    /// `parts` are those of a multipart object, in order; none for a single PUT.
    init(eTag: String, length: Int, parts: [(length: Int, eTag: String)]) {
        let isWhole = parts.isEmpty || parts.reduce(0) { $0 + $1.length } != length
        let list = isWhole ? [(length: length, eTag: eTag)] : parts
        expected = list[...]
        isProof = list.allSatisfy { Hexadecimal.bytes($0.eTag)?.count == 16 }
        left = list.first?.length ?? 0
    }

    mutating func update(_ bytes: UnsafeRawBufferPointer) {
        var rest = bytes
        while !rest.isEmpty, !expected.isEmpty {
            let count = min(rest.count, left)
            digest.update(UnsafeRawBufferPointer(rebasing: rest[..<(rest.startIndex + count)]))
            rest = UnsafeRawBufferPointer(rebasing: rest[(rest.startIndex + count)...])
            left -= count
            if left == 0 { endPart() }
        }
    }

    /// Call at the end; false when some MD5 was another.
    mutating func finish() -> Bool {
        while left == 0, !expected.isEmpty { endPart() }
        return isRight && expected.isEmpty
    }

    private mutating func endPart() {
        guard let part = expected.popFirst() else { return }
        let found = Hexadecimal.text(digest.finalize())
        if Hexadecimal.bytes(part.eTag)?.count == 16, part.eTag.lowercased() != found { isRight = false }
        digest = StreamingDigest(.md5)
        left = expected.first?.length ?? 0
    }
}
