import SystemInterface

/// The files of one disk as one simulated process sees them: they stop answering when it dies.
struct ProcessFiles: FileSystem {
    let life: ProcessLife
    let files: any FileSystem

    func open(_ path: String, _ mode: OpenMode) async throws(FileError) -> any File {
        ProcessFile(
            life: life,
            file: try await life.guarding { () throws(FileError) in try await files.open(path, mode) }
        )
    }

    func createDirectory(_ path: String) async throws(FileError) {
        try await life.guarding { () throws(FileError) in try await files.createDirectory(path) }
    }

    func list(_ path: String) async throws(FileError) -> [String] {
        try await life.guarding { () throws(FileError) in try await files.list(path) }
    }

    func status(_ path: String) async throws(FileError) -> FileStatus? {
        try await life.guarding { () throws(FileError) in try await files.status(path) }
    }

    func remove(_ path: String) async throws(FileError) {
        try await life.guarding { () throws(FileError) in try await files.remove(path) }
    }

    func rename(_ from: String, to: String) async throws(FileError) {
        try await life.guarding { () throws(FileError) in try await files.rename(from, to: to) }
    }

    func syncDirectory(_ path: String) async throws(FileError) {
        try await life.guarding { () throws(FileError) in try await files.syncDirectory(path) }
    }

    func space() async throws(FileError) -> FileSystemSpace {
        try await life.guarding { () throws(FileError) in try await files.space() }
    }

    func isAtItsPlace() async -> Bool {
        await life.gate()
        return await files.isAtItsPlace()
    }

    func forgetCached(_ path: String) async throws(FileError) {
        try await life.guarding { () throws(FileError) in try await files.forgetCached(path) }
    }

    func lock(_ path: String) async throws(FileError) -> Bool {
        try await life.guarding { () throws(FileError) in try await files.lock(path) }
    }
}

/// An open file of a simulated process.
final class ProcessFile: File {
    private let life: ProcessLife
    private let file: any File

    init(life: ProcessLife, file: any File) {
        self.life = life
        self.file = file
    }

    func read(
        into buffer: AlignedBuffer,
        at bufferOffset: Int,
        count: Int,
        from offset: Int
    ) async throws(FileError) -> Int {
        try await life.guarding { () throws(FileError) in
            try await file.read(into: buffer, at: bufferOffset, count: count, from: offset)
        }
    }

    func readIfCached(
        into buffer: AlignedBuffer,
        at bufferOffset: Int,
        count: Int,
        from offset: Int
    ) throws(FileError) -> Int? {
        try file.readIfCached(into: buffer, at: bufferOffset, count: count, from: offset)
    }

    func write(_ pieces: [BufferSlice], at offset: Int) async throws(FileError) {
        try await life.guarding { () throws(FileError) in try await file.write(pieces, at: offset) }
    }

    func sync() async throws(FileError) {
        try await life.guarding { () throws(FileError) in try await file.sync() }
    }

    func allocate(_ range: Range<Int>) async throws(FileError) {
        try await life.guarding { () throws(FileError) in try await file.allocate(range) }
    }

    func punch(_ range: Range<Int>) async throws(FileError) {
        try await life.guarding { () throws(FileError) in try await file.punch(range) }
    }

    func truncate(to length: Int) async throws(FileError) {
        try await life.guarding { () throws(FileError) in try await file.truncate(to: length) }
    }

    func length() async throws(FileError) -> Int {
        try await life.guarding { () throws(FileError) in try await file.length() }
    }
}

/// Time for one simulated process: a dead one does not wake.
struct ProcessTime: TimeSource {
    let life: ProcessLife
    let time: SimulatedTime

    var monotonic: MonotonicTime { time.monotonic }
    var wall: WallTime { time.wall }

    func sleep(for duration: Duration) async throws {
        await life.gate()
        let result = await Result.of { try await time.sleep(for: duration) }
        guard await life.gate() else { throw CancellationError() }
        try result.get()
    }
}

/// The network for one simulated process: a dead one gets no answers.
struct ProcessTransport: Transport {
    let life: ProcessLife
    let network: SimulatedNetwork
    let name: String

    func call(
        _ node: String,
        _ message: TransportMessage,
        timeout: Duration
    ) async throws(TransportError) -> TransportMessage {
        guard await life.gate() else { throw .unreachable(node: node) }
        let result: Result<TransportMessage, TransportError> = await network.call(
            node,
            from: name,
            message,
            timeout: timeout
        )
        await life.gate()
        return try result.get()
    }
}

extension ProcessLife {
    /// A file operation that a dead process neither begins nor sees the end of.
    fileprivate func guarding<Value>(
        _ body: () async throws(FileError) -> Value
    ) async throws(FileError) -> Value {
        await gate()
        let result: Result<Value, FileError>
        do throws(FileError) {
            result = .success(try await body())
        } catch {
            result = .failure(error)
        }
        await gate()
        return try result.get()
    }
}

extension Result where Failure == any Error {
    /// What an asynchronous call returns or throws, as a value.
    static func of(_ body: () async throws -> Success) async -> Self {
        do {
            return .success(try await body())
        } catch {
            return .failure(error)
        }
    }
}
