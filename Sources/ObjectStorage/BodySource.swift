internal import ObjectInterface
internal import SystemInterface

/// Reads an upload's body in exact lengths and errors of the engine.
struct BodySource {
    private let body: any BodyReader
    /// Bytes still to come, as declared.
    private(set) var remaining: Int

    init(_ body: any BodyReader, length: Int) {
        self.body = body
        remaining = length
    }

    /// Fills `count` bytes of `buffer` from `offset` on; `.incompleteBody` when the body ends before.
    mutating func fill(_ buffer: AlignedBuffer, at offset: Int, count: Int) async throws(StorageError) {
        var filled = 0
        while filled < count {
            let read = try await read(buffer, at: offset + filled, count: count - filled)
            guard read > 0 else { throw Self.incomplete }
            filled += read
        }
        remaining -= count
    }

    /// Waits for the verified end: whoever has seen it may commit. More bytes than declared are an error.
    func finish() async throws(StorageError) {
        let probe = AlignedBuffer(capacity: AlignedBuffer.alignment)
        guard try await read(probe, at: 0, count: 1) == 0 else {
            throw StorageError(.incompleteBody, "The request body is longer than it declared.")
        }
    }

    private func read(_ buffer: AlignedBuffer, at offset: Int, count: Int) async throws(StorageError) -> Int {
        do {
            return try await body.read(into: buffer, at: offset, count: count)
        } catch let error as StorageError {
            throw error
        } catch {
            // The gateway's own error (a bad signature, a lost connection): it knows better what to answer.
            throw StorageError(.incompleteBody, "\(error)")
        }
    }

    private static let incomplete = StorageError(
        .incompleteBody,
        "You did not provide the number of bytes specified by the Content-Length HTTP header."
    )
}
