internal import BlobStorage
internal import Checksums
internal import DiskFormat
internal import FrameCoding
internal import Metadata
internal import ObjectInterface
internal import ObjectModel
internal import SystemInterface

/// A blob that is on its disks and not yet in the metadata.
struct WrittenBlob: Sendable {
    var record: BlobRecord
    var receipt: BlobReceipt
    var logicalLength: Int

    var extent: Extent { Extent(blob: record.id, firstFrame: 0, offset: 0, length: logicalLength) }
}

/// Turns the next bytes of a body into one blob: frames, compressed where that pays, into stripes, onto disks.
///
/// One user at a time. Memory is bounded: two stripes and one frame, whatever the blob's length.
struct BlobAssembler {
    private let store: BlobStore
    private let scheme: Scheme
    private let codec: FrameEncoder
    private var frames: [Frame] = []
    private let digest = XXH3Digest()
    /// Bytes of the stripe in the making.
    private var fill = 0
    private var logicalLength = 0
    /// Whether the frame before shrank: only then is the next one read apart from its stripe.
    private var expectsCompression: Bool
    /// On full disks a blob of one stripe is written from their reserve.
    private let usesReserve: Bool

    init(store: BlobStore, scheme: Scheme, codec: FrameEncoder, expectsCompression: Bool, usesReserve: Bool = false) {
        self.usesReserve = usesReserve
        self.store = store
        self.scheme = scheme
        self.codec = codec
        self.expectsCompression = expectsCompression
    }

    var isCompressing: Bool { expectsCompression }

    /// Reads `length` bytes of the body and returns once a quorum of the blob's shards is durable.
    mutating func assemble(
        _ blob: BlobID,
        from source: inout BodySource,
        length: Int,
        hasher: ContentHasher,
        identity: IdentityBlock
    ) async throws(StorageError) -> WrittenBlob {
        let receipt: BlobReceipt
        let stored: Int
        if length <= scheme.dataCount * scheme.cellSize {
            let stripe = store.stripeBuffer(for: scheme, blobLength: length)
            try await readFrames(length, from: &source, into: stripe, hasher: hasher)
            stored = fill
            let description = description(identity)
            receipt = try await storageErrors { () async throws(BlobError) in
                try await store.write(
                    blob,
                    scheme: scheme,
                    stripe: stripe,
                    length: stored,
                    description: description,
                    isRewrite: usesReserve
                )
            }
        } else {
            (receipt, stored) = try await stream(
                blob,
                from: &source,
                length: length,
                hasher: hasher,
                identity: identity
            )
        }
        let record = BlobRecord(
            id: blob,
            group: receipt.group,
            length: stored,
            frames: FrameIndex.simplest(frames),
            ingestDigest: ContentDigest(digest.finalize()),
            missing: receipt.missing,
            groupEpoch: receipt.groupEpoch
        )
        return WrittenBlob(record: record, receipt: receipt, logicalLength: length)
    }

    private func description(_ identity: IdentityBlock) -> BlobDescription {
        BlobDescription(
            frames: FrameIndex.simplest(frames),
            ingestDigest: ContentDigest(digest.finalize()),
            identity: identity
        )
    }

    /// A blob of at most one stripe: all its frames into one buffer.
    private mutating func readFrames(
        _ length: Int,
        from source: inout BodySource,
        into stripe: AlignedBuffer,
        hasher: ContentHasher
    ) async throws(StorageError) {
        var left = length
        while left > 0 {
            let count = min(left, Limits.frameLength)
            if expectsCompression {
                let frame = try await readApart(count, from: &source, hasher: hasher)
                copy(frame, into: stripe)
            } else {
                try await readInPlace(count, from: &source, stripe: stripe, hasher: hasher)
            }
            left -= count
        }
    }

    /// A longer blob: stripes go out as they fill.
    private mutating func stream(
        _ blob: BlobID,
        from source: inout BodySource,
        length: Int,
        hasher: ContentHasher,
        identity: IdentityBlock
    ) async throws(StorageError) -> (BlobReceipt, Int) {
        let writer = try await storageErrors { () async throws(BlobError) in
            try await BlobWriter(store, blob: blob, scheme: scheme, capacity: length)
        }
        do {
            var left = length
            while left > 0 {
                let count = min(left, Limits.frameLength)
                if expectsCompression || fill + count > writer.stripeCapacity {
                    let frame = try await readApart(count, from: &source, hasher: hasher)
                    try await append(frame, to: writer)
                } else {
                    try await readInPlace(count, from: &source, stripe: writer.stripe, hasher: hasher)
                    try await flushIfFull(writer)
                }
                left -= count
            }
            let rest = fill
            let description = description(identity)
            let receipt = try await storageErrors { () async throws(BlobError) in
                try await writer.finish(rest: rest, description: description)
            }
            return (receipt, writer.flushedLength + rest)
        } catch {
            await writer.abort()
            throw error
        }
    }

    // MARK: Frames

    /// Reads a frame straight into its place in the stripe. A sample tells whether the next one is worth compressing.
    private mutating func readInPlace(
        _ count: Int,
        from source: inout BodySource,
        stripe: AlignedBuffer,
        hasher: ContentHasher
    ) async throws(StorageError) {
        try await source.fill(stripe, at: fill, count: count)
        let bytes = stripe.slice(fill..<fill + count)
        bytes.withBytes { digest.update($0) }
        await hasher.update(bytes)
        frames.append(Frame(logicalLength: count, storedLength: count))
        fill += count
        logicalLength += count
        if frames.count % Self.sampleInterval == 0 { expectsCompression = shrinks(bytes) }
    }

    /// In data that did not shrink, each so-manieth frame is tried again: files change within.
    private static let sampleInterval = 16

    private func shrinks(_ bytes: BufferSlice) -> Bool {
        let scratch = store.pool.take(bytes.count)
        return bytes.withBytes { codec.compress($0, into: scratch.mutableBytes) } != nil
    }

    private struct StoredFrame {
        var frame: Frame
        var bytes: BufferSlice
    }

    /// Reads a frame into memory of its own and compresses it if that pays.
    private mutating func readApart(
        _ count: Int,
        from source: inout BodySource,
        hasher: ContentHasher
    ) async throws(StorageError) -> StoredFrame {
        let buffer = store.pool.take(count)
        try await source.fill(buffer, at: 0, count: count)
        let bytes = buffer.slice(0..<count)
        bytes.withBytes { digest.update($0) }
        await hasher.update(bytes)
        logicalLength += count
        let output = store.pool.take(count)
        if let frame = bytes.withBytes({ codec.compress($0, into: output.mutableBytes) }) {
            frames.append(frame)
            expectsCompression = true
            return StoredFrame(frame: frame, bytes: output.slice(0..<frame.storedLength))
        }
        let frame = Frame(logicalLength: count, storedLength: count)
        frames.append(frame)
        expectsCompression = false
        return StoredFrame(frame: frame, bytes: bytes)
    }

    private mutating func copy(_ frame: StoredFrame, into stripe: AlignedBuffer) {
        frame.bytes.withBytes { bytes in
            UnsafeMutableRawBufferPointer(start: stripe.pointer + fill, count: bytes.count).copyMemory(from: bytes)
        }
        fill += frame.bytes.count
    }

    /// Copies a frame into the stripes, which it may cross.
    private mutating func append(_ frame: StoredFrame, to writer: BlobWriter) async throws(StorageError) {
        var taken = 0
        while taken < frame.bytes.count {
            let count = min(frame.bytes.count - taken, writer.stripeCapacity - fill)
            copy(StoredFrame(frame: frame.frame, bytes: frame.bytes.slice(taken..<taken + count)), into: writer.stripe)
            taken += count
            try await flushIfFull(writer)
        }
    }

    private mutating func flushIfFull(_ writer: BlobWriter) async throws(StorageError) {
        guard fill == writer.stripeCapacity else { return }
        try await storageErrors { () async throws(BlobError) in try await writer.flush() }
        fill = 0
    }
}
