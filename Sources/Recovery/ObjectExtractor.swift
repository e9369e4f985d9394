internal import BlobStorage
internal import Checksums
internal import Metadata
internal import ObjectInterface
internal import ObjectModel
internal import Synchronization
internal import SystemInterface

/// Reads one object from the disks, verifies it, and writes it out.
///
/// Safe to share. Memory of one object: two stripes, a frame and a mebibyte, whatever its length.
final class ObjectExtractor: Sendable {
    let cluster: RecoveryCluster
    let contents: BlobContents
    /// nil: everything is read and verified, nothing written.
    let output: SalvageOutput?
    /// Only finds the shards, reads nothing.
    let isListing: Bool
    let schemes: [GroupID: Scheme]
    /// Blobs of which a shard was found bad while reading.
    private let bad = Mutex<Set<BlobID>>([])
    private static let badLimit = 1 << 20

    init(
        cluster: RecoveryCluster,
        contents: BlobContents,
        output: SalvageOutput?,
        isListing: Bool,
        schemes: [GroupID: Scheme]
    ) {
        self.cluster = cluster
        self.contents = contents
        self.output = output
        self.isListing = isListing
        self.schemes = schemes
        cluster.blobs.onBadShard { [weak self] shard in
            self?.bad.withLock { bad in
                if bad.count < Self.badLimit { bad.insert(shard.blob) }
            }
        }
    }

    /// A run of a blob's logical bytes.
    struct Piece: Sendable {
        var blob: FoundBlob
        var range: Range<Int>
    }

    // MARK: What the journal names

    func extract(_ detail: VersionDetail, to path: String) async throws(RecoveryError) -> SalvageEntry {
        let version = detail.version
        var entry = SalvageEntry(version)
        let pieces: [Piece]
        do throws(BlobContentsError) {
            pieces = try find(detail)
        } catch {
            return Self.lost(entry, error)
        }
        count(pieces, in: &entry)
        let check = ETagCheck(
            eTag: version.eTag,
            length: version.length,
            parts: version.parts.map { (length: $0.length, eTag: $0.eTag) }
        )
        return try await write(pieces, entry, to: path, check: check)
    }

    private func find(_ detail: VersionDetail) throws(BlobContentsError) -> [Piece] {
        var pieces: [Piece] = []
        for extent in detail.version.extents {
            guard let record = detail.blobs[extent.blob], let scheme = schemes[record.group] else {
                throw .unsupported(extent.blob, "the metadata does not say where it lies")
            }
            let blob = cluster.find(record, scheme: scheme)
            guard let start = blob.logicalOffset(ofFrame: extent.firstFrame),
                (0...Limits.blobLength * Limits.partCount).contains(extent.offset),
                (0...Limits.objectLength).contains(extent.length)
            else { throw .outOfRange(extent.blob) }
            let lower = start + extent.offset
            pieces.append(Piece(blob: blob, range: lower..<lower + extent.length))
        }
        return pieces
    }

    private func count(_ pieces: [Piece], in entry: inout SalvageEntry) {
        var seen: Set<BlobID> = []
        for piece in pieces where seen.insert(piece.blob.id).inserted {
            entry.missingShards += piece.blob.missing.count
        }
        if entry.missingShards > 0, entry.state == .complete { entry.state = .degraded }
    }

    // MARK: What only the shards know

    func extract(_ candidate: UnconfirmedObject, to path: String) async throws(RecoveryError) -> SalvageEntry {
        var entry = candidate.entry
        var pieces: [Piece] = []
        for piece in candidate.pieces {
            guard let blob = await cluster.find(piece.blob) else {
                return Self.lost(entry, BlobContentsError.tooFewShards(piece.blob, good: 0, needed: 1))
            }
            pieces.append(Piece(blob: blob, range: piece.range ?? 0..<blob.logicalLength))
        }
        entry.length = pieces.reduce(0) { $0 + $1.range.count }
        count(pieces, in: &entry)
        return try await write(pieces, entry, to: path, check: nil)
    }

    // MARK: Bytes

    private func write(
        _ pieces: [Piece],
        _ found: SalvageEntry,
        to path: String,
        check: ETagCheck?
    ) async throws(RecoveryError) -> SalvageEntry {
        var entry = found
        // With fewer than k shards left the bytes may still lie in those: that is known when they are read.
        if isListing, let short = pieces.first(where: { !$0.blob.isReadable }) {
            return Self.lost(
                entry,
                BlobContentsError.tooFewShards(
                    short.blob.id,
                    good: short.blob.presentCount,
                    needed: short.blob.scheme.dataCount
                )
            )
        }
        if isListing { return entry }
        do throws(FileError) {
            let file = try await output?.begin(pool: cluster.pool)
            do {
                let digest = try await copy(pieces, to: file, check: check)
                if let file, let output {
                    try await output.finish(file, as: path)
                    entry.file = path
                }
                entry.sha256 = Hexadecimal.text(digest)
            } catch let error as FileError where !error.concernsOneFile {
                throw error
            } catch {
                if let file { await output?.discard(file) }
                // One name must not keep all other objects from coming out.
                if let error = error as? FileError { return entry.unwritten(error.asProblem) }
                return Self.lost(entry, error)
            }
        } catch {
            throw .output(error.description)
        }
        let isBad = bad.withLock { bad in pieces.contains { bad.contains($0.blob.id) } }
        if isBad, entry.state == .complete { entry.state = .degraded }
        return entry
    }

    /// Returns the SHA-256 of what was copied.
    private func copy(_ pieces: [Piece], to file: SalvageFile?, check: ETagCheck?) async throws -> [UInt8] {
        let sha = StreamingDigest(.sha256)
        var check = check
        let isProved = check?.isProof ?? false
        for piece in pieces where !piece.range.isEmpty {
            try await contents.read(piece.blob, range: piece.range, isProvedByAsker: isProved) { bytes in
                sha.update(bytes)
                check?.update(bytes)
                try await file?.append(bytes)
            }
        }
        if check?.finish() == false { throw ETagMismatch() }
        return sha.finalize()
    }

    private static func lost(_ entry: SalvageEntry, _ error: any Error) -> SalvageEntry {
        var entry = entry
        entry.state = .lost
        entry.problem = "\(error)"
        return entry
    }
}

/// Bytes that are not those of which the ETag is the MD5.
struct ETagMismatch: Error, CustomStringConvertible {
    var description: String { "its bytes are not those of which the ETag is the MD5" }
}
