internal import BlobStorage
internal import Checksums
internal import DiskFormat
internal import FrameCoding
internal import Metadata
internal import ObjectInterface
internal import ObjectModel
internal import Placement
internal import Synchronization
internal import SystemInterface

/// A small object or part that waits for its pack: its bytes, and how its record is made once they have a place.
struct PackItem: Sendable {
    var bytes: BufferSlice
    var identity: IdentityDocument.Object
    /// The write to commit, given where the bytes lie.
    var write: @Sendable ([Extent]) -> WriteTransaction.Write
}

/// What came of a packed write.
struct PackResult: Sendable {
    var outcome: CommitOutcome
    var isDegraded: Bool
}

/// Gathers small objects that arrive together into one blob, one commit and one flush (DESIGN §4).
///
/// Nobody waits for company: a pack leaves as soon as fewer than `packsInFlight` are under way, with whatever has come
/// by then.
final class Packer: Sendable {
    /// Packs under way at a time: one on its disks while the next one's metadata commits.
    static let packsInFlight = 2
    /// Objects of a pack at most: bounds the identity block and the transaction.
    static let itemLimit = 64
    /// Bytes of an object that goes into a pack at most.
    static let itemLengthLimit = 1 << 20
    /// The same, where a stripe of the scheme in use holds less than that: a pack is one stripe.
    var currentItemLength: Int {
        blobs.currentScheme.map { min(Self.itemLengthLimit, $0.dataCount * $0.cellSize) } ?? Self.itemLengthLimit
    }
    /// Items waiting at most; more get `.busy`.
    static let queueLimit = 4_096

    private struct Waiting {
        var item: PackItem
        var continuation: CheckedContinuation<Result<PackResult, StorageError>, Never>
    }

    private struct State {
        var queue: [Waiting] = []
        var inFlight = 0
    }

    private let state = Mutex(State())
    private let blobs: BlobStore
    private let metadata: any MetadataStore
    private let leases: WriteLeases
    private let codec: FrameEncoder

    init(blobs: BlobStore, metadata: any MetadataStore, leases: WriteLeases, codec: FrameEncoder) {
        self.blobs = blobs
        self.metadata = metadata
        self.leases = leases
        self.codec = codec
    }

    /// Returns once the object's bytes and its record are durable.
    func add(_ item: PackItem) async throws(StorageError) -> PackResult {
        let result = await withCheckedContinuation { continuation in
            let isTaken = state.withLock { state in
                guard state.queue.count < Self.queueLimit else { return false }
                state.queue.append(Waiting(item: item, continuation: continuation))
                return true
            }
            guard isTaken else {
                return continuation.resume(
                    returning: .failure(StorageError(.busy, "Too many writes are waiting; slow down."))
                )
            }
            startPack()
        }
        return try result.get()
    }

    private func startPack() {
        let capacity = blobs.currentScheme.map { $0.dataCount * $0.cellSize } ?? Self.itemLengthLimit
        let pack = state.withLock { state -> [Waiting] in
            guard state.inFlight < Self.packsInFlight, !state.queue.isEmpty else { return [] }
            var length = 0
            let count = state.queue.prefix(Self.itemLimit).prefix { waiting in
                length += waiting.item.bytes.count
                return length <= capacity
            }.count
            let pack = Array(state.queue.prefix(max(1, count)))
            state.queue.removeFirst(pack.count)
            state.inFlight += 1
            return pack
        }
        guard !pack.isEmpty else { return }
        // Owned by `inFlight`: at most `packsInFlight`, each ends with its pack.
        Task {
            await self.write(pack)
            self.state.withLock { $0.inFlight -= 1 }
            self.startPack()
        }
    }

    private func write(_ pack: [Waiting]) async {
        do {
            let session = try await leases.begin()
            defer { session.end() }
            let written = try await store(pack.map(\.item), session: session)
            let results = try await metadata.commit(
                WriteTransaction(lease: session.lease, blobs: [written.record], writes: written.writes)
            )
            if results.allSatisfy({ !$0.isSuccess }) {
                await eraseUncommitted(written.record)
            }
            for (waiting, result) in zip(pack, results) {
                let isDegraded = written.isDegraded
                waiting.continuation.resume(returning: result.map { PackResult(outcome: $0, isDegraded: isDegraded) })
            }
        } catch {
            for waiting in pack { waiting.continuation.resume(returning: .failure(error)) }
        }
    }

    private func eraseUncommitted(_ blob: BlobRecord) async {
        guard let group = blobs.view.group(blob.group) else { return }
        await blobs.erase(blob.id, members: group.members)
    }

    // MARK: The blob

    private struct StoredPack {
        var record: BlobRecord
        var writes: [WriteTransaction.Write]
        var isDegraded: Bool
    }

    private func store(_ items: [PackItem], session: WriteSession) async throws(StorageError) -> StoredPack {
        guard let scheme = blobs.currentScheme else {
            throw StorageError(.unavailable, "No placement group is known yet; try again.")
        }
        let blob = session.nextBlob()
        let length = items.reduce(0) { $0 + $1.bytes.count }
        let stripe = blobs.stripeBuffer(for: scheme, blobLength: length)
        var layout = PackLayout(blob: blob, stripe: stripe, codec: codec)
        for item in items { layout.append(item) }
        let description = layout.description
        let stored = layout.storedLength
        let receipt = try await storageErrors { () async throws(BlobError) in
            try await blobs.write(blob, stripe: stripe, length: stored, description: description)
        }
        let record = BlobRecord(
            id: blob,
            group: receipt.group,
            length: stored,
            frames: description.frames,
            ingestDigest: description.ingestDigest,
            missing: receipt.missing
        )
        let writes = zip(items, layout.extents).map { item, extent in item.write([extent]) }
        return StoredPack(record: record, writes: writes, isDegraded: receipt.isDegraded)
    }
}

/// The bytes of a pack in the making: each object's frames one after another.
struct PackLayout {
    private let blob: BlobID
    private let stripe: AlignedBuffer
    private let codec: FrameEncoder
    private let digest = XXH3Digest()
    private var frames: [Frame] = []
    private var objects: [IdentityDocument.Object] = []
    private var logicalLength = 0
    private(set) var storedLength = 0
    /// One per object, in order.
    private(set) var extents: [Extent] = []

    /// `stripe` has room for all the objects' bytes.
    init(blob: BlobID, stripe: AlignedBuffer, codec: FrameEncoder) {
        self.blob = blob
        self.stripe = stripe
        self.codec = codec
    }

    mutating func append(_ item: PackItem) {
        var identity = item.identity
        identity.start = logicalLength
        objects.append(identity)
        extents.append(Extent(blob: blob, firstFrame: frames.count, offset: 0, length: item.bytes.count))
        item.bytes.withBytes { bytes in
            digest.update(bytes)
            for start in stride(from: 0, to: bytes.count, by: Limits.frameLength) {
                let end = min(start + Limits.frameLength, bytes.count)
                let logical = UnsafeRawBufferPointer(rebasing: bytes[start..<end])
                let room = UnsafeMutableRawBufferPointer(start: stripe.pointer + storedLength, count: logical.count)
                let frame = codec.encode(logical, into: room)
                frames.append(frame)
                storedLength += frame.storedLength
            }
        }
        logicalLength += item.bytes.count
    }

    var description: BlobDescription {
        BlobDescription(
            frames: FrameIndex.simplest(frames),
            ingestDigest: ContentDigest(digest.finalize()),
            identity: IdentityDocument(objects: objects).encoded()
        )
    }
}

extension Result {
    var isSuccess: Bool { if case .success = self { true } else { false } }
}
