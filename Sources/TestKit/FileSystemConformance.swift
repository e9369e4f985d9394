import SystemInterface

/// What every `FileSystem` must do: one list of checks, run against each implementation.
package enum FileSystemConformance {
    /// One promise, checked on an empty file system. Throws `ConformanceFailure` when it is broken.
    package struct Check: Sendable, CustomStringConvertible {
        package let name: String
        package let run: @Sendable (any FileSystem) async throws -> Void

        package init(_ name: String, _ run: @escaping @Sendable (any FileSystem) async throws -> Void) {
            self.name = name
            self.run = run
        }

        package var description: String { name }
    }

    package static let checks: [Check] = nameChecks + dataChecks + gatherChecks
}

/// A promise that an implementation does not keep.
package struct ConformanceFailure: Error, CustomStringConvertible {
    package let description: String
}

func expect(
    _ condition: Bool,
    _ message: @autoclosure () -> String,
    line: Int = #line
) throws(ConformanceFailure) {
    if !condition { throw ConformanceFailure(description: "\(message()) (line \(line))") }
}

func expectError<Value>(
    _ code: FileError.Code,
    _ message: String,
    line: Int = #line,
    _ body: () async throws(FileError) -> Value
) async throws(ConformanceFailure) {
    do throws(FileError) {
        _ = try await body()
    } catch {
        try expect(error.code == code, "\(message): expected \(code), got \(error)", line: line)
        return
    }
    throw ConformanceFailure(description: "\(message): expected \(code), but it worked (line \(line))")
}

extension File {
    /// Up to `count` bytes from `offset`, copied.
    package func bytes(_ count: Int, from offset: Int = 0) async throws(FileError) -> [UInt8] {
        let buffer = AlignedBuffer(capacity: max(count, 1))
        let got = try await read(into: buffer, at: 0, count: count, from: offset)
        return buffer.slice(0..<got).copied()
    }

    /// Writes a copy of `bytes` at `offset`.
    package func write(bytes: some Collection<UInt8>, at offset: Int = 0) async throws(FileError) {
        try await write([BufferSlice(copying: bytes)], at: offset)
    }
}

extension FileSystem {
    /// A new file with these contents, synced, its name not.
    @discardableResult
    package func make(_ path: String, _ bytes: some Collection<UInt8>) async throws(FileError) -> any File {
        let file = try await open(path, .createNew)
        try await file.write(bytes: bytes)
        try await file.sync()
        return file
    }
}
