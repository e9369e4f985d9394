internal import BlobStorage
internal import Checksums
internal import FrameCoding
internal import Metadata
internal import ObjectModel
internal import SystemInterface

/// One frame of a blob, read: what is stored of it, and what it decodes to.
struct VerifiedFrame: Sendable {
    var number: Int
    var stored: BufferSlice
    /// The same memory as `stored` when the frame is plain.
    var logical: BufferSlice
}

/// Reads whole blobs, frame by frame, and proves them equal to what was ingested.
struct VerifiedFrames {
    let store: BlobStore
    let decoder: FrameDecoder

    /// Hands out all frames in order, each as soon as it is read: every leaf verified, but the blob as a whole proved
    /// only when this returns. Throws `.digestMismatch` when the bytes are not those that were ingested. Memory: one
    /// stripe and one frame.
    func read(
        _ record: BlobRecord,
        _ body: (VerifiedFrame) async throws(BlobError) -> Void = { _ in }
    ) async throws(BlobError) {
        let location = try store.locate(
            record.id,
            length: record.length,
            group: record.group,
            missing: record.missing,
            moving: record.moving
        )
        let digest = XXH3Digest()
        var stream = StoredStream(store: store, location: location)
        for (number, frame) in record.frames.all(storedLength: record.length).enumerated() {
            let stored = try await stream.next(frame.storedLength)
            let logical = try frame.isPlain ? stored : decode(stored, as: frame, of: record.id)
            logical.withBytes { digest.update($0) }
            try await body(VerifiedFrame(number: number, stored: stored, logical: logical))
        }
        guard ContentDigest(digest.finalize()) == record.ingestDigest else { throw .digestMismatch(record.id) }
    }

    private func decode(_ stored: BufferSlice, as frame: Frame, of blob: BlobID) throws(BlobError) -> BufferSlice {
        guard frame.logicalLength <= Limits.frameLength else { throw .digestMismatch(blob) }
        let output = store.pool.take(max(frame.logicalLength, 1))
        let target = UnsafeMutableRawBufferPointer(start: output.pointer, count: frame.logicalLength)
        do {
            try stored.withBytes { bytes throws(FrameCodingError) in
                try decoder.decode(bytes, as: frame, into: target)
            }
        } catch {
            throw .digestMismatch(blob)
        }
        return output.slice(0..<frame.logicalLength)
    }
}

/// The stored bytes of a blob from the beginning on, read a stripe at a time.
private struct StoredStream {
    let store: BlobStore
    let location: BlobLocation
    private var position = 0
    private var ready: [BufferSlice] = []

    init(store: BlobStore, location: BlobLocation) {
        self.store = store
        self.location = location
    }

    /// The next `count` bytes in one piece; copied only where they cross cells.
    mutating func next(_ count: Int) async throws(BlobError) -> BufferSlice {
        let first = try await nextPiece(count)
        if first.count == count { return first }
        let buffer = store.pool.take(max(count, 1))
        var filled = 0
        var piece = first
        while true {
            piece.withBytes { bytes in
                UnsafeMutableRawBufferPointer(start: buffer.pointer + filled, count: bytes.count)
                    .copyMemory(from: bytes)
            }
            filled += piece.count
            if filled == count { return buffer.slice(0..<count) }
            piece = try await nextPiece(count - filled)
        }
    }

    /// From 1 to `count` bytes; none when none are asked for.
    private mutating func nextPiece(_ count: Int) async throws(BlobError) -> BufferSlice {
        while ready.first?.isEmpty ?? true {
            if !ready.isEmpty { ready.removeFirst() } else { try await readStripe() }
        }
        let piece = ready[0].slice(0..<min(count, ready[0].count))
        ready[0] = ready[0].slice(piece.count..<ready[0].count)
        return piece
    }

    private mutating func readStripe() async throws(BlobError) {
        guard position < location.geometry.blobLength else { throw .digestMismatch(location.blob) }
        let stripe = store.stripeRange(location, containing: position)
        ready = try await store.read(location, range: stripe)
        position = stripe.upperBound
    }
}
