internal import BlobStorage
internal import Checksums
internal import FrameCoding
internal import ObjectModel
internal import Synchronization
internal import SystemInterface

/// Why a blob's bytes cannot be given.
enum BlobContentsError: Error, Hashable, CustomStringConvertible {
    case tooFewShards(BlobID, good: Int, needed: Int)
    /// The decoded bytes are not those that the client sent.
    case digestMismatch(BlobID)
    case encrypted(BlobID)
    case outOfRange(BlobID)
    case unsupported(BlobID, String)

    var description: String {
        switch self {
        case .tooFewShards(let blob, let good, let needed): "blob \(blob): \(good) good shards, \(needed) needed"
        case .digestMismatch(let blob): "blob \(blob): its bytes are not those that were stored"
        case .encrypted(let blob): "blob \(blob) is encrypted with a key that this program does not have"
        case .outOfRange(let blob): "blob \(blob) is shorter than the object says"
        case .unsupported(let blob, let what): "blob \(blob): \(what)"
        }
    }
}

/// Reads the logical bytes of blobs, verified: every leaf by its CRC, and the whole blob once by the digest that was
/// taken when it came in.
///
/// Safe to share. Memory of one read: two stripes and a frame.
final class BlobContents: Sendable {
    /// Blobs remembered as verified, so that the objects of one pack do not each read all of it.
    private static let memory = 1 << 16

    private struct Verified {
        var blobs: Set<BlobID> = []
        var order: [BlobID] = []
    }

    private let store: BlobStore
    private let decoder = FrameDecoder()
    private let verified = Mutex(Verified())

    init(store: BlobStore) { self.store = store }

    /// Hands over the bytes of `range`, in order. The first time a blob is asked for, all of it is read and compared
    /// with its digest: before, or at the end where all of it is wanted. What was handed over when this throws must
    /// not be used. `isProvedByAsker`: whoever asks compares the bytes with a digest of their own, so what can be read
    /// is given although other parts of the blob are lost.
    func read(
        _ blob: FoundBlob,
        range: Range<Int>,
        isProvedByAsker: Bool = false,
        _ body: (UnsafeRawBufferPointer) async throws -> Void
    ) async throws {
        guard range.lowerBound >= 0, range.upperBound <= blob.logicalLength else {
            throw BlobContentsError.outOfRange(blob.id)
        }
        if blob.readings == 1, range == 0..<blob.logicalLength {
            let digest = XXH3Digest()
            try await decode(blob, reading: 0, range: range) { bytes in
                digest.update(bytes)
                try await body(bytes)
            }
            guard ContentDigest(digest.finalize()) == blob.ingestDigest else {
                throw BlobContentsError.digestMismatch(blob.id)
            }
            return remember(blob.id)
        }
        let reading: Int
        do {
            reading = try await verifiedReading(of: blob)
        } catch BlobContentsError.tooFewShards where isProvedByAsker {
            reading = 0
        }
        try await decode(blob, reading: reading, range: range, body)
    }

    /// Which way to read the blob gives what was stored.
    private func verifiedReading(of blob: FoundBlob) async throws -> Int {
        if blob.readings == 1, verified.withLock({ $0.blobs.contains(blob.id) }) { return 0 }
        var failure: any Error = BlobContentsError.digestMismatch(blob.id)
        for reading in 0..<blob.readings {
            do {
                let digest = XXH3Digest()
                try await decode(blob, reading: reading, range: 0..<blob.logicalLength) { digest.update($0) }
                guard ContentDigest(digest.finalize()) == blob.ingestDigest else { continue }
                remember(blob.id)
                return reading
            } catch {
                failure = error
            }
        }
        throw failure
    }

    private func remember(_ blob: BlobID) {
        verified.withLock { verified in
            guard verified.blobs.insert(blob).inserted else { return }
            verified.order.append(blob)
            guard verified.order.count > 2 * Self.memory else { return }
            for old in verified.order.prefix(Self.memory) { verified.blobs.remove(old) }
            verified.order.removeFirst(Self.memory)
        }
    }

    private func decode(
        _ blob: FoundBlob,
        reading: Int,
        range: Range<Int>,
        _ body: (UnsafeRawBufferPointer) async throws -> Void
    ) async throws {
        let location = blob.location(reading: reading)
        switch blob.frames {
        case .uniform: try await plain(location, range: range, body)
        case .explicit(let frames): try await coded(frames, location, range: range, body)
        }
    }

    private func plain(
        _ location: BlobLocation,
        range: Range<Int>,
        _ body: (UnsafeRawBufferPointer) async throws -> Void
    ) async throws {
        var position = range.lowerBound
        while position < range.upperBound {
            let end = min(store.stripeRange(location, containing: position).upperBound, range.upperBound)
            for slice in try await read(location, position..<end) { try await Self.hand(over: slice, to: body) }
            position = end
        }
    }

    /// Frames are read about a stripe at a time.
    private func coded(
        _ frames: [Frame],
        _ location: BlobLocation,
        range: Range<Int>,
        _ body: (UnsafeRawBufferPointer) async throws -> Void
    ) async throws {
        let batchLength = max(Limits.frameLength, location.scheme.dataCount * location.scheme.cellSize)
        var logical = 0
        var stored = 0
        var batch: [(frame: Frame, logical: Int)] = []
        var start = 0
        for frame in frames {
            if logical < range.upperBound, logical + frame.logicalLength > range.lowerBound {
                if batch.isEmpty { start = stored }
                batch.append((frame, logical))
            }
            logical += frame.logicalLength
            stored += frame.storedLength
            if stored - start >= batchLength, !batch.isEmpty {
                try await decode(batch, location, start: start, range: range, body)
                batch = []
            }
        }
        if !batch.isEmpty { try await decode(batch, location, start: start, range: range, body) }
    }

    private func decode(
        _ batch: [(frame: Frame, logical: Int)],
        _ location: BlobLocation,
        start: Int,
        range: Range<Int>,
        _ body: (UnsafeRawBufferPointer) async throws -> Void
    ) async throws {
        let length = batch.reduce(0) { $0 + $1.frame.storedLength }
        guard start + length <= location.geometry.blobLength else { throw BlobContentsError.outOfRange(location.blob) }
        let whole = store.pool.take(max(length, 1))
        var filled = 0
        for slice in try await read(location, start..<start + length) {
            let target = UnsafeMutableRawBufferPointer(rebasing: whole.mutableBytes[filled..<filled + slice.count])
            slice.withBytes { target.copyMemory(from: $0) }
            filled += slice.count
        }
        var position = 0
        for (frame, logical) in batch {
            guard frame.keySlot == 0 else { throw BlobContentsError.encrypted(location.blob) }
            let output = store.pool.take(max(frame.logicalLength, 1))
            let target = UnsafeMutableRawBufferPointer(start: output.pointer, count: frame.logicalLength)
            do {
                try whole.slice(position..<position + frame.storedLength).withBytes { bytes throws(FrameCodingError) in
                    try decoder.decode(bytes, as: frame, into: target)
                }
            } catch {
                throw BlobContentsError.digestMismatch(location.blob)
            }
            position += frame.storedLength
            let wanted = max(range.lowerBound - logical, 0)..<min(range.upperBound - logical, frame.logicalLength)
            try await Self.hand(over: output.slice(wanted), to: body)
        }
    }

    private func read(_ location: BlobLocation, _ range: Range<Int>) async throws -> [BufferSlice] {
        do {
            return try await store.readAcrossStripes(location, range: range)
        } catch BlobError.unreadable(let blob, let good, let needed) {
            throw BlobContentsError.tooFewShards(blob, good: good, needed: needed)
        } catch {
            throw BlobContentsError.unsupported(location.blob, "\(error)")
        }
    }

    private static func hand(
        over slice: BufferSlice,
        to body: (UnsafeRawBufferPointer) async throws -> Void
    ) async throws {
        guard !slice.isEmpty else { return }
        try await body(slice.bytes)
        withExtendedLifetime(slice) {}
    }
}
