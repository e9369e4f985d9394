internal import Metadata
package import ObjectInterface
internal import ObjectModel
internal import SystemInterface

extension ObjectStore {
    /// A copy names the source's blobs: no byte moves (DESIGN §4).
    package func copy(_ request: CopyRequest) async throws(StorageError) -> WriteResult {
        _ = try await bucket(request.bucket)
        let (detail, hold) = try await lookUp(
            bucket: request.sourceBucket, key: request.sourceKey, version: request.sourceVersion)
        try checkSource(detail.version, request.sourceConditions)
        var version = detail.version
        version.bucket = request.bucket
        version.key = request.key
        version.owner = request.owner
        version.modified = time.wall
        if let attributes = request.attributes { version.attributes = attributes }
        version.attributes.storageClass = request.storageClass
        if let tags = request.tags { version.tags = tags }
        if let algorithm = request.checksum, version.checksum?.algorithm != algorithm {
            version.checksum = try await digests(detail, range: 0..<version.length, hold: hold, algorithm).checksum
        }
        let results = try await metadata.commit(
            WriteTransaction(lease: nil, blobs: [], writes: [.version(version, request.condition)]))
        _ = try results.first?.get()
        return writeResult(version, isDegraded: false)
    }

    /// A part that names bytes of another object; they are read once for the part's ETag.
    package func copyPart(_ request: CopyPartRequest) async throws(StorageError) -> PartResult {
        let upload = try await openUpload(bucket: request.bucket, key: request.key, id: request.upload)
        let (detail, hold) = try await lookUp(
            bucket: request.sourceBucket, key: request.sourceKey, version: request.sourceVersion)
        try checkSource(detail.version, request.sourceConditions)
        let range = try copiedRange(request.sourceRange, length: detail.version.length)
        let digests = try await digests(detail, range: range, hold: hold, upload.upload.checksum)
        let summary = PartSummary(
            number: request.partNumber, eTag: digests.eTag, length: range.count, modified: time.wall,
            checksum: digests.checksum)
        let part = PartRecord(
            upload: request.upload, summary: summary, extents: Self.extents(detail.version.extents, range: range))
        let results = try await metadata.commit(
            WriteTransaction(lease: nil, blobs: [], writes: [.part(part, bucket: request.bucket, key: request.key)]))
        _ = try results.first?.get()
        return PartResult(eTag: summary.eTag, checksum: summary.checksum, modified: summary.modified)
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
        _ detail: VersionDetail, range: Range<Int>, hold: BlobHold, _ algorithm: ObjectChecksum.Algorithm?
    ) async throws(StorageError) -> ContentDigests {
        let hasher = ContentHasher(algorithm.map { .computed($0) } ?? .none, engine: md5)
        let body = try content(detail, range: range, hold: hold)
        while let slice = try await body.next() { await hasher.update(slice) }
        return await hasher.finish()
    }
}
