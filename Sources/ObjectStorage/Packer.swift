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
    /// The write to commit, given where the bytes lie. Throws when the bytes are not what the client said: then nothing
    /// names them.
    var write: @Sendable ([Extent]) async throws(StorageError) -> WriteTransaction.Write
}

/// What came of a packed write.
struct PackResult: Sendable {
    var write: WriteTransaction.Write
    var isDegraded: Bool
}

/// Gathers small objects that arrive together into one blob, one commit and one flush (DESIGN §4).
///
/// Nobody waits for company: a pack leaves as soon as the disks are done with the one before, with whatever has come by
/// then. The metadata of several may commit meanwhile; a pack that is full goes at once.
///
/// A pack is one blob, so there is a packer for each scheme.
final class Packer: Sendable {
    /// Packs under way at a time: bounds their memory.
    static let packsInFlight = 4
    /// Objects of a pack at most: bounds the identity block and the transaction.
    static let itemLimit = 64
    /// Bytes of an object that goes into a pack at most.
    static let itemLengthLimit = 1 << 20
    /// The same, where a stripe of the scheme holds less than that: a pack is one stripe.
    var itemLength: Int { min(Self.itemLengthLimit, capacity) }
    /// Bytes of a pack at most.
    private var capacity: Int { scheme.dataCount * scheme.cellSize }
    /// Items waiting at most; more get `.busy`.
    static let queueLimit = 4_096

    private struct Waiting {
        var item: PackItem
        var continuation: CheckedContinuation<Result<PackResult, StorageError>, Never>
    }

    private struct State {
        var queue: [Waiting] = []
        /// Bytes of the queue's items.
        var queueLength = 0
        /// Packs that are on their way to the disks, and those that are under way in all.
        var writing = 0
        var inFlight = 0

        /// Takes the next pack if it may leave.
        mutating func takePack(capacity: Int, most: Int) -> [Waiting] {
            let isFull = queueLength >= capacity || queue.count >= Packer.itemLimit
            guard !queue.isEmpty, inFlight < Packer.packsInFlight, writing == 0 || isFull else { return [] }
            var length = 0
            let count = queue.prefix(most).prefix { waiting in
                length += waiting.item.bytes.count
                return length <= capacity
            }.count
            let pack = Array(queue.prefix(max(1, count)))
            queue.removeFirst(pack.count)
            queueLength -= pack.reduce(0) { $0 + $1.item.bytes.count }
            writing += 1
            inFlight += 1
            return pack
        }
    }

    private let state = Mutex(State())
    private let scheme: Scheme
    private let blobs: BlobStore
    private let metadata: any MetadataStore
    private let leases: WriteLeases
    private let codec: FrameEncoder
    private let time: any TimeSource

    init(
        scheme: Scheme,
        blobs: BlobStore,
        metadata: any MetadataStore,
        leases: WriteLeases,
        codec: FrameEncoder,
        time: any TimeSource
    ) {
        self.scheme = scheme
        self.time = time
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
                state.queueLength += item.bytes.count
                return true
            }
            guard isTaken else {
                return continuation.resume(
                    returning: .failure(StorageError(.busy, "Too many writes are waiting; slow down."))
                )
            }
            startPack(isCaller: true)
        }
        return try result.get()
    }

    /// A caller's own pack begins on its thread. One that waited begins on a new task, so that a long queue of packs
    /// that fail at once never becomes a deep stack.
    private func startPack(isCaller: Bool) {
        let most = blobs.buggify.strikes(.packOfOne) ? 1 : Self.itemLimit
        let pack = state.withLock { $0.takePack(capacity: capacity, most: most) }
        guard !pack.isEmpty else { return }
        // Owned by `inFlight`: at most `packsInFlight`, each ends with its pack.
        if isCaller {
            Task.immediate(executorPreference: blobs.executor) { await self.carryOut(pack) }
        } else {
            Task {
                await withTaskExecutorPreference(self.blobs.executor) { await self.carryOut(pack) }
            }
        }
    }

    private func carryOut(_ pack: [Waiting]) async {
        await write(pack)
        state.withLock { $0.inFlight -= 1 }
        startPack(isCaller: false)
    }

    /// The disks are done with a pack: the next one may leave.
    private func endWriting() {
        state.withLock { $0.writing -= 1 }
        startPack(isCaller: false)
    }

    private func write(_ pack: [Waiting]) async {
        do {
            let session: WriteSession
            let written: StoredPack?
            do {
                defer { endWriting() }
                session = try await leases.begin()
                written = try await storeUnlessEnded(pack.map(\.item), session: session)
            }
            let rest = if let written { await commit(written, of: pack, session) } else { pack }
            session.end()
            if !rest.isEmpty { await writeAgain(rest) }
        } catch {
            for waiting in pack { waiting.continuation.resume(returning: .failure(error)) }
        }
    }

    /// nil when the lease has ended.
    private func storeUnlessEnded(
        _ items: [PackItem],
        session: WriteSession
    ) async throws(StorageError) -> StoredPack? {
        do throws(StorageError) {
            return try await store(items, session: session)
        } catch {
            guard error.code == .leaseEnded else { throw error }
            leases.noteEnded(session.lease)
            return nil
        }
    }

    /// Once more, under a new lease: the pack's bytes are still here.
    private func writeAgain(_ pack: [Waiting]) async {
        do throws(StorageError) {
            let session = try await leases.begin()
            defer { session.end() }
            let written = try await store(pack.map(\.item), session: session)
            for waiting in await commit(written, of: pack, session) {
                waiting.continuation.resume(returning: .failure(Self.leaseEndedTwice))
            }
        } catch {
            for waiting in pack { waiting.continuation.resume(returning: .failure(error)) }
        }
    }

    private static let leaseEndedTwice = StorageError(
        .leaseEnded,
        "The store's coordinator changed twice during the write: write the object again."
    )

    /// Commits those whose bytes are what was promised, together, and answers them; gives those back that the end of
    /// the lease refused.
    private func commit(_ written: StoredPack, of pack: [Waiting], _ session: WriteSession) async -> [Waiting] {
        var accepted: [(waiting: Waiting, write: WriteTransaction.Write)] = []
        for (waiting, extent) in zip(pack, written.extents) {
            do throws(StorageError) {
                accepted.append((waiting, try await waiting.item.write([extent])))
            } catch {
                waiting.continuation.resume(returning: .failure(error))
            }
        }
        await blobs.buggify.pause(.commitLate, time)
        do throws(StorageError) {
            var results: [Result<CommitOutcome, StorageError>] = []
            if !accepted.isEmpty {
                results = try await metadata.commit(
                    WriteTransaction(lease: session.lease, blobs: [written.record], writes: accepted.map(\.write))
                )
            }
            if results.allSatisfy({ !$0.isSuccess }) {
                await blobs.eraseUncommitted(written.record.id, of: written.record.group)
            }
            for ((waiting, write), result) in zip(accepted, results) {
                let isDegraded = written.isDegraded
                waiting.continuation.resume(
                    returning: result.map { _ in PackResult(write: write, isDegraded: isDegraded) }
                )
            }
        } catch {
            // An unknown outcome may have been committed: then the blob is live and stays.
            if error.code != .unknownOutcome {
                await blobs.eraseUncommitted(written.record.id, of: written.record.group)
            }
            if error.code == .leaseEnded {
                leases.noteEnded(session.lease)
                return accepted.map(\.waiting)
            }
            for (waiting, _) in accepted { waiting.continuation.resume(returning: .failure(error)) }
        }
        return []
    }

    // MARK: The blob

    private struct StoredPack {
        var record: BlobRecord
        /// One per object, in order.
        var extents: [Extent]
        var isDegraded: Bool
    }

    private func store(_ items: [PackItem], session: WriteSession) async throws(StorageError) -> StoredPack {
        let blob = session.nextBlob()
        let length = items.reduce(0) { $0 + $1.bytes.count }
        let stripe = blobs.stripeBuffer(for: scheme, blobLength: length)
        var layout = PackLayout(blob: blob, stripe: stripe, codec: codec)
        for item in items { layout.append(item) }
        let description = layout.description
        let stored = layout.storedLength
        let receipt = try await storageErrors { () async throws(BlobError) in
            try await blobs.write(
                blob,
                scheme: scheme,
                stripe: stripe,
                length: stored,
                description: description
            )
        }
        let record = BlobRecord(
            id: blob,
            group: receipt.group,
            length: stored,
            frames: description.frames,
            ingestDigest: description.ingestDigest,
            missing: receipt.missing,
            groupEpoch: receipt.groupEpoch
        )
        return StoredPack(record: record, extents: layout.extents, isDegraded: receipt.isDegraded)
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
            identity: IdentityDocument(objects: objects).block()
        )
    }
}

extension Result {
    var isSuccess: Bool { if case .success = self { true } else { false } }
}
