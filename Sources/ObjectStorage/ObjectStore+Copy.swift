internal import Metadata
package import ObjectInterface
internal import ObjectModel
internal import SystemInterface

extension ObjectStore {
    /// A copy names the source's blobs: no byte moves (DESIGN §4). Only one into another scheme is written anew.
    package func copy(_ request: CopyRequest) async throws(StorageError) -> WriteResult {
        let target = try await bucket(request.bucket)
        return try await withSource(
            bucket: request.sourceBucket,
            key: request.sourceKey,
            version: request.sourceVersion
        ) { detail, hold throws(StorageError) in try await copy(request, into: target, detail, hold) }
    }

    private func copy(
        _ request: CopyRequest,
        into target: Bucket,
        _ detail: VersionDetail,
        _ hold: BlobHold
    ) async throws(StorageError) -> WriteResult {
        try checkSource(detail.version, request.sourceConditions)
        var version = detail.version
        version.bucket = request.bucket
        version.key = request.key
        version.owner = request.owner
        version.modified = time.wall
        version.madeBy = nil
        if let attributes = request.attributes { version.attributes = attributes }
        version.attributes.storageClass = label(request.storageClass, in: target)
        if let tags = request.tags { version.tags = tags }
        if version.length > 0 {
            let scheme = try scheme(label: version.attributes.storageClass, in: target)
            guard lies(version.extents, of: detail, in: scheme) else {
                return try await copyAnew(version, request, detail, hold, scheme)
            }
        }
        if let algorithm = missingChecksum(version, request) {
            version.checksum = try await digests(detail, range: 0..<version.length, hold: hold, algorithm).checksum
        }
        let results = try await metadata.commit(
            WriteTransaction(lease: nil, blobs: [], writes: [.version(version, request.condition)])
        )
        _ = try results.first?.get()
        return writeResult(version, isDegraded: false)
    }

    /// The algorithm that was asked for, unless the source has its checksum of all bytes: one of its parts' checksums,
    /// by whatever algorithm, is none of the copy's bytes (AWS).
    private func missingChecksum(_ source: VersionRecord, _ request: CopyRequest) -> ObjectChecksum.Algorithm? {
        guard let algorithm = request.checksum else { return nil }
        let has = source.checksum?.algorithm == algorithm && source.checksum?.kind == .fullObject
        return has ? nil : algorithm
    }

    /// The copy's bytes in another scheme; its parts, ETag and checksum stay.
    private func copyAnew(
        _ version: VersionRecord,
        _ request: CopyRequest,
        _ detail: VersionDetail,
        _ hold: BlobHold,
        _ scheme: Scheme
    ) async throws(StorageError) -> WriteResult {
        let algorithm = missingChecksum(version, request)
        let condition = request.condition
        let written = try await rewrite(
            Rewriting(
                detail: detail,
                range: 0..<version.length,
                hold: hold,
                scheme: scheme,
                identity: ContentIdentity(
                    bucket: version.bucket,
                    key: version.key,
                    contentType: version.attributes.contentType
                ),
                checksum: algorithm.map { .computed($0) } ?? .none,
                md5: version.parts.isEmpty ? ContentDigests.md5(ofETag: version.eTag) : nil
            ) { digests, extents in
                var version = version
                version.extents = extents
                if algorithm != nil { version.checksum = digests.checksum }
                return .version(version, condition)
            }
        )
        guard case .version(let version, _) = written.write else {
            throw StorageError(.internalFailure, "A copy's answer was another write's.")
        }
        return writeResult(version, isDegraded: written.isDegraded)
    }

    /// A part that names bytes of another object; they are read once for the part's ETag.
    package func copyPart(_ request: CopyPartRequest) async throws(StorageError) -> PartResult {
        let upload = try await openUpload(bucket: request.bucket, key: request.key, id: request.upload)
        return try await withSource(
            bucket: request.sourceBucket,
            key: request.sourceKey,
            version: request.sourceVersion
        ) { detail, hold throws(StorageError) in try await copyPart(request, upload.upload, detail, hold) }
    }

    private func copyPart(
        _ request: CopyPartRequest,
        _ upload: Upload,
        _ detail: VersionDetail,
        _ hold: BlobHold
    ) async throws(StorageError) -> PartResult {
        try checkSource(detail.version, request.sourceConditions)
        let range = try copiedRange(request.sourceRange, length: detail.version.length)
        let extents = Self.extents(detail.version.extents, range: range)
        let scheme = try await scheme(of: upload)
        guard lies(extents, of: detail, in: scheme) else {
            return try await copyPartAnew(request, upload, detail, range: range, hold, scheme)
        }
        let digests = try await digests(detail, range: range, hold: hold, upload.checksum)
        let summary = PartSummary(
            number: request.partNumber,
            eTag: digests.eTag,
            length: range.count,
            modified: time.wall,
            checksum: digests.checksum
        )
        let part = PartRecord(upload: request.upload, summary: summary, extents: extents)
        let results = try await metadata.commit(
            WriteTransaction(lease: nil, blobs: [], writes: [.part(part, bucket: request.bucket, key: request.key)])
        )
        _ = try results.first?.get()
        return PartResult(eTag: summary.eTag, checksum: summary.checksum, modified: summary.modified)
    }

    private func copyPartAnew(
        _ request: CopyPartRequest,
        _ upload: Upload,
        _ detail: VersionDetail,
        range: Range<Int>,
        _ hold: BlobHold,
        _ scheme: Scheme
    ) async throws(StorageError) -> PartResult {
        let modified = time.wall
        let written = try await rewrite(
            Rewriting(
                detail: detail,
                range: range,
                hold: hold,
                scheme: scheme,
                identity: ContentIdentity(
                    bucket: request.bucket,
                    key: request.key,
                    contentType: upload.attributes.contentType,
                    upload: request.upload,
                    part: request.partNumber
                ),
                checksum: upload.checksum.map { .computed($0) } ?? .none
            ) { digests, extents in
                let summary = PartSummary(
                    number: request.partNumber,
                    eTag: digests.eTag,
                    length: range.count,
                    modified: modified,
                    checksum: digests.checksum
                )
                let part = PartRecord(upload: request.upload, summary: summary, extents: extents)
                return .part(part, bucket: request.bucket, key: request.key)
            }
        )
        guard case .part(let part, _, _) = written.write else {
            throw StorageError(.internalFailure, "A copy's answer was another write's.")
        }
        let summary = part.summary
        return PartResult(
            eTag: summary.eTag,
            checksum: summary.checksum,
            modified: summary.modified,
            isDegraded: written.isDegraded
        )
    }

    /// How often a copy's source is looked up at most.
    private static let sourceAttempts = 4

    /// Runs `body` with a copy's source. A repack may move the source's bytes before the copy is committed, which then
    /// fails as if they were gone: the source is looked up again as long as it names other bytes than before.
    private func withSource<Value>(
        bucket: String,
        key: String,
        version: VersionSelector,
        _ body: (VersionDetail, BlobHold) async throws(StorageError) -> Value
    ) async throws(StorageError) -> Value {
        var failed: (extents: [Extent], error: StorageError)?
        for _ in 1..<Self.sourceAttempts {
            let (detail, hold) = try await lookUp(bucket: bucket, key: key, version: version)
            if let failed, failed.extents == detail.version.extents { throw failed.error }
            do throws(StorageError) {
                return try await body(detail, hold)
            } catch {
                guard error.code == .noSuchKey else { throw error }
                failed = (detail.version.extents, error)
            }
        }
        let (detail, hold) = try await lookUp(bucket: bucket, key: key, version: version)
        return try await body(detail, hold)
    }

    /// S3 answers every failed condition on a copy's source with 412.
    private func checkSource(_ version: VersionRecord, _ conditions: ReadConditions) throws(StorageError) {
        do {
            try conditions.check(eTag: version.eTag, modified: version.modified)
        } catch {
            throw StorageError(.preconditionFailed, "At least one of the pre-conditions you specified did not hold")
        }
    }

    private func copiedRange(_ range: ClosedRange<Int>?, length: Int) throws(StorageError) -> Range<Int> {
        guard let range else { return 0..<length }
        guard range.lowerBound >= 0, range.upperBound < length else {
            throw StorageError(.invalidArgument, "Range specified is not valid for source object of size: \(length)")
        }
        return range.lowerBound..<range.upperBound + 1
    }

    /// The parts of extents that hold a range of their object.
    static func extents(_ extents: [Extent], range: Range<Int>) -> [Extent] {
        var result: [Extent] = []
        var position = 0
        for extent in extents {
            let lower = max(range.lowerBound, position)
            let upper = min(range.upperBound, position + extent.length)
            if lower < upper {
                var part = extent
                part.offset += lower - position
                part.length = upper - lower
                result.append(part)
            }
            position += extent.length
        }
        return result
    }

    /// Reads bytes of a version for their digests.
    private func digests(
        _ detail: VersionDetail,
        range: Range<Int>,
        hold: BlobHold,
        _ algorithm: ObjectChecksum.Algorithm?
    ) async throws(StorageError) -> ContentDigests {
        let hasher = ContentHasher(algorithm.map { .computed($0) } ?? .none, engine: md5)
        let body = try content(detail, range: range, hold: hold)
        while let slice = try await body.next() { await hasher.update(slice) }
        return await hasher.finish()
    }
}
