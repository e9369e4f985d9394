internal import BlobStorage
internal import Checksums
internal import DiskFormat
internal import ObjectModel
internal import SystemInterface

/// Puts stored frames one after another into a new blob, and takes the digest of their logical bytes on the way.
///
/// One user at a time. Memory: two stripes.
struct RepackWriter {
    private enum Target {
        /// A blob of at most one stripe, written whole at the end.
        case stripe(AlignedBuffer)
        case stream(BlobWriter)
    }

    private let store: BlobStore
    private let blob: BlobID
    private let scheme: Scheme
    private let target: Target
    private let usesReserve: Bool
    private let digest = XXH3Digest()
    /// Bytes of the stripe in the making.
    private var fill = 0

    /// For `length` bytes in all. `usesReserve`: on full disks a small blob is written from their reserve, for what
    /// wins room back.
    init(
        store: BlobStore,
        blob: BlobID,
        scheme: Scheme,
        length: Int,
        usesReserve: Bool
    ) async throws(BlobError) {
        self.usesReserve = usesReserve
        self.store = store
        self.scheme = scheme
        self.blob = blob
        if length <= scheme.dataCount * scheme.cellSize {
            target = .stripe(store.stripeBuffer(for: scheme, blobLength: length))
        } else {
            target = .stream(try await BlobWriter(store, blob: blob, scheme: scheme, capacity: length))
        }
    }

    /// Bytes of an identity block that the new blob's trailers have room for: a stream's room is set aside at its
    /// beginning.
    var identityLimit: Int {
        switch target {
        case .stripe: 64 << 10
        case .stream: 4 << 10
        }
    }

    mutating func append(_ frame: VerifiedFrame) async throws(BlobError) {
        frame.logical.withBytes { digest.update($0) }
        switch target {
        case .stripe(let stripe): copy(frame.stored, into: stripe)
        case .stream(let writer):
            var taken = 0
            while taken < frame.stored.count {
                let count = min(frame.stored.count - taken, writer.stripeCapacity - fill)
                copy(frame.stored.slice(taken..<taken + count), into: writer.stripe)
                taken += count
                guard fill == writer.stripeCapacity else { continue }
                try await writer.flush()
                fill = 0
            }
        }
    }

    private mutating func copy(_ bytes: BufferSlice, into stripe: AlignedBuffer) {
        bytes.withBytes { source in
            UnsafeMutableRawBufferPointer(start: stripe.pointer + fill, count: source.count).copyMemory(from: source)
        }
        fill += bytes.count
    }

    /// Returns once a quorum of the blob's shards is durable.
    func finish(
        frames: FrameIndex,
        identity: IdentityBlock
    ) async throws(BlobError) -> (receipt: BlobReceipt, digest: ContentDigest) {
        let description = BlobDescription(
            frames: frames,
            ingestDigest: ContentDigest(digest.finalize()),
            identity: identity
        )
        let receipt =
            switch target {
            case .stripe(let stripe):
                try await store.write(
                    blob,
                    scheme: scheme,
                    stripe: stripe,
                    length: fill,
                    description: description,
                    isRewrite: usesReserve
                )
            case .stream(let writer): try await writer.finish(rest: fill, description: description)
            }
        return (receipt, description.ingestDigest)
    }

    /// Gives up before `finish`.
    func abort() async {
        if case .stream(let writer) = target { await writer.abort() }
    }
}
