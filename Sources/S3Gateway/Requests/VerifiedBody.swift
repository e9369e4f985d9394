import Crypto
import Hummingbird
internal import NIOCore
import ObjectInterface
import ObjectModel
import S3Protocol
internal import SystemInterface

/// The only way a handler reads a request's body: unframed, and verified as the authenticated payload mode demands.
///
/// Copies the network's bytes into the engine's buffers, once. The last bytes come out, and `read` returns 0 behind
/// them, only when the payload's hash, every chunk signature, the trailer and the declared length have been proved.
final class VerifiedBody: BodyReader, @unchecked Sendable {
    // SAFETY: one task reads a request's body, one call after another, as `BodyReader` demands ("read once from start
    // to end"); nothing else touches the state until that task is done.

    private var source: RequestBody.AsyncIterator?
    private let body: RequestBody
    private var current = ByteBuffer()
    /// Payload already found in `current`, as offsets from its reader index at the time; copied before anything else.
    private var pending = 0
    private var decoder: AWSChunkedDecoder?
    private var hash: SHA256?
    /// In hexadecimal, as the client wrote it.
    private let expectedHash: String?
    private let trailingAlgorithm: ObjectChecksum.Algorithm?
    private var received = 0
    private var isAtEnd = false
    private var trailing: DeclaredChecksum?
    private var invitation: (@Sendable () async throws -> Void)?

    /// Bytes of the decoded body, as declared.
    let length: Int
    /// Why reading failed: the client's answer, more exact than what the engine can say.
    private(set) var failure: S3Error?
    /// Whether the body was read to its verified end.
    var isConsumed: Bool { isAtEnd && failure == nil }

    init(
        _ body: RequestBody,
        length: Int,
        mode: PayloadMode,
        seed: SignatureSeed,
        announced: [String],
        trailingAlgorithm: ObjectChecksum.Algorithm?
    ) {
        self.body = body
        self.length = length
        self.trailingAlgorithm = trailingAlgorithm
        var expected: String?
        switch mode {
        case .unsigned: break
        case .signed(let digest):
            expected = digest
            hash = SHA256()
        case .chunked(let isSigned, let hasTrailer):
            decoder = AWSChunkedDecoder(
                decodedLength: length,
                seed: isSigned ? seed : nil,
                hasTrailer: hasTrailer,
                announced: announced
            )
        }
        expectedHash = expected
    }

    func trailingChecksum() -> DeclaredChecksum? { trailing }

    /// The client sends its body once it is told to: it is, when the body is first wanted, and so not before everything
    /// that the head alone says has been looked at.
    func invite(by invitation: @escaping @Sendable () async throws -> Void) { self.invitation = invitation }

    /// Whether the client sends its body, unless it has none.
    var isInvited: Bool { invitation == nil }

    func read(into buffer: AlignedBuffer, at offset: Int, count: Int) async throws -> Int {
        do {
            return try await take(count) { bytes, filled in
                let target = UnsafeMutableRawBufferPointer(rebasing: buffer.mutableBytes[(offset + filled)...])
                target.copyMemory(from: bytes)
            }
        } catch {
            let failure = self.failure ?? (error as? S3Error) ?? S3Error(.incompleteBody)
            self.failure = failure
            let code: StorageError.Code = failure.code == .contentSHA256Mismatch ? .badDigest : .incompleteBody
            throw StorageError(code, failure.message)
        }
    }

    /// The whole body of a small document.
    func collect(limit: Int) async throws(S3Error) -> [UInt8] {
        guard length <= limit else { throw S3Error(.maxMessageLengthExceeded) }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(length)
        do {
            while try await take(limit, { piece, _ in bytes.append(contentsOf: piece) }) > 0 {}
            return bytes
        } catch {
            let failure = (error as? S3Error) ?? S3Error(.incompleteBody)
            self.failure = failure
            throw failure
        }
    }

    /// Reads and drops what is left, up to `limit` bytes; true when the request's end was reached.
    func drain(limit: Int) async -> Bool {
        if isAtEnd, failure == nil { return true }
        var dropped = current.readableBytes
        current = ByteBuffer()
        do {
            while dropped <= limit {
                guard let piece = try await nextPiece() else { return true }
                dropped += piece.readableBytes
            }
        } catch {
            return false
        }
        return false
    }

    // MARK: Steps

    /// Hands up to `count` payload bytes to `sink`, with how many came before them in this call. Waits for the
    /// network only while it has nothing.
    private func take(_ count: Int, _ sink: (UnsafeRawBufferPointer, Int) -> Void) async throws -> Int {
        guard !isAtEnd, count > 0 else { return 0 }
        var filled = 0
        while filled < count {
            if current.readableBytes == 0 {
                if filled > 0 { return filled }
                guard let piece = try await nextPiece() else {
                    try finish()
                    return 0
                }
                current = piece
                continue
            }
            filled += try takeCurrent(count - filled, filled, sink)
            // The last bytes are given out only when the whole body is proved: nobody can hold, and so store, all of a
            // body that fails its verification.
            if received == length, filled > 0 {
                try await proveEnd()
                return filled
            }
        }
        return filled
    }

    /// Behind the last payload byte: only framing, trailer and the end may follow.
    private func proveEnd() async throws {
        while true {
            if current.readableBytes > 0 {
                guard decoder != nil, pending == 0 else { throw S3Error(.incompleteBody) }
                try findPayload()
            } else if let piece = try await nextPiece() {
                current = piece
            } else {
                return try finish()
            }
        }
    }

    private func takeCurrent(
        _ count: Int,
        _ filled: Int,
        _ sink: (UnsafeRawBufferPointer, Int) -> Void
    ) throws -> Int {
        if decoder != nil, pending == 0 {
            try findPayload()
            if pending == 0 { return 0 }
        }
        let available = decoder == nil ? current.readableBytes : pending
        let part = min(count, available)
        guard received + part <= length else { throw S3Error(.incompleteBody) }
        current.withUnsafeReadableBytes { bytes in
            let piece = UnsafeRawBufferPointer(rebasing: bytes[..<part])
            hash?.update(bufferPointer: piece)
            sink(piece, filled)
        }
        current.moveReaderIndex(forwardBy: part)
        received += part
        if decoder != nil { pending -= part }
        return part
    }

    /// Lets the decoder go over `current` up to the next payload, or to its end.
    private func findPayload() throws {
        var position = 0
        let step = try current.withUnsafeReadableBytes { bytes in
            try decoder?.next(bytes, position: &position) ?? .needsInput
        }
        switch step {
        case .payload(let range):
            current.moveReaderIndex(forwardBy: range.lowerBound)
            pending = range.count
        case .needsInput, .finished:
            current.moveReaderIndex(forwardBy: position)
        }
    }

    private func nextPiece() async throws -> ByteBuffer? {
        if let invitation {
            self.invitation = nil
            try await invitation()
        }
        var iterator = source ?? body.makeAsyncIterator()
        let piece = try await iterator.next()
        source = iterator
        return piece
    }

    /// The network has no more: is the body all it claimed to be?
    private func finish() throws {
        try decoder?.endOfInput()
        // A connection that breaks looks like an end: only the length tells.
        guard received == length else { throw S3Error(.incompleteBody) }
        if let expectedHash, let computed = hash?.finalize(),
            !computed.elementsEqual(Hexadecimal.bytes(expectedHash) ?? [])
        {
            throw S3Error(
                .contentSHA256Mismatch,
                details: [
                    ("ClientComputedContentSHA256", expectedHash),
                    ("S3ComputedContentSHA256", Hexadecimal.text(computed)),
                ]
            )
        }
        if let trailingAlgorithm {
            let name = ChecksumHeaders.headerName(trailingAlgorithm)
            guard let text = decoder?.trailers.first(where: { $0.name == name })?.value,
                let value = ChecksumHeaders.Value(algorithm: trailingAlgorithm, text: text)
            else { throw S3Error(.invalidRequest, "Value for \(name) trailing header is invalid.") }
            trailing = DeclaredChecksum(algorithm: value.algorithm, value: value.digest)
        }
        isAtEnd = true
    }
}
