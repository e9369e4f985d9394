internal import BlobStorage
internal import Metadata
package import ObjectInterface
internal import ObjectModel
internal import Placement
internal import SystemInterface

extension ObjectStore {
    package func get(_ request: GetRequest) async throws(StorageError) -> GetResult {
        let (detail, hold) = try await lookUp(bucket: request.bucket, key: request.key, version: request.version)
        await blobs.buggify.pause(.readLate, time)
        let version = detail.version
        try request.conditions.check(eTag: version.eTag, modified: version.modified)
        let asked = request.range(ofVersion: version.eTag, modified: version.modified)
        let range = try resolvedRange(request, asked, version: version)
        let isPartial = asked != nil || (request.partNumber != nil && version.length > 0)
        let body: (any ObjectBody)? =
            request.isHead ? nil : try content(detail, range: range, hold: hold)
        return GetResult(object: version.summary, range: range, isPartial: isPartial, body: body)
    }

    /// Finds a version and keeps its blobs from being erased as long as the hold lives.
    func lookUp(
        bucket: String,
        key: String,
        version: VersionSelector
    ) async throws(StorageError) -> (VersionDetail, BlobHold) {
        let turn = readers.enter()
        do {
            let detail = try await detail(bucket: bucket, key: key)
            try checkVersion(version)
            return (detail, readers.hold(detail.blobs.keys.sorted(), entered: turn))
        } catch {
            _ = readers.hold([], entered: turn)
            throw error
        }
    }

    private func resolvedRange(
        _ request: GetRequest,
        _ asked: ByteRange?,
        version: VersionRecord
    ) throws(StorageError) -> Range<Int> {
        if let number = request.partNumber { return try partRange(number, version: version) }
        guard let range = asked else { return 0..<version.length }
        guard let resolved = range.resolved(length: version.length) else {
            throw StorageError(.invalidRange, "The requested range is not satisfiable")
        }
        return resolved
    }

    private func partRange(_ number: Int, version: VersionRecord) throws(StorageError) -> Range<Int> {
        // An object of a single PUT is its own part 1.
        if version.parts.isEmpty, number == 1 { return 0..<version.length }
        // S3 counts the parts of the object, whatever numbers they were uploaded under.
        guard number >= 1, number <= version.parts.count else {
            throw StorageError(.invalidRange, "The requested partnumber is not satisfiable")
        }
        let start = version.parts[..<(number - 1)].reduce(0) { $0 + $1.length }
        return start..<start + version.parts[number - 1].length
    }

    /// The bytes of a range of a version, read as they are asked for.
    func content(
        _ detail: VersionDetail,
        range: Range<Int>,
        hold: BlobHold
    ) throws(StorageError) -> ObjectReader {
        var plan: [ReadStep] = []
        var position = 0
        for extent in detail.version.extents {
            let part =
                max(
                    range.lowerBound,
                    position
                )..<max(range.lowerBound, position, min(range.upperBound, position + extent.length))
            if !part.isEmpty {
                let wanted = part.lowerBound - position..<part.upperBound - position
                plan += try steps(extent, wanted: wanted, detail: detail)
            }
            position += extent.length
        }
        return ObjectReader(
            steps: plan,
            length: range.count,
            blobs: blobs,
            decoder: decoder,
            hold: hold,
            share: try memory.take(downloadMemory(detail, range))
        )
    }

    private func downloadMemory(_ detail: VersionDetail, _ range: Range<Int>) -> Int {
        let first = detail.version.extents.first.flatMap { detail.blobs[$0.blob] }
        return first.flatMap { blobs.view.group($0.group) }?.scheme.downloadMemory(range.count) ?? 0
    }

    private func steps(
        _ extent: Extent,
        wanted: Range<Int>,
        detail: VersionDetail
    ) throws(StorageError) -> [ReadStep] {
        guard let record = detail.blobs[extent.blob] else {
            throw StorageError(.internalFailure, "Blob \(extent.blob) of this version is not in the metadata.")
        }
        do {
            let location = try blobs.locate(
                record.id,
                length: record.length,
                group: record.group,
                missing: record.missing,
                moving: record.moving
            )
            return try ReadPlanner(store: blobs, location: location, record: record)
                .steps(
                    firstFrame: extent.firstFrame,
                    logical: extent.offset + wanted.lowerBound..<extent.offset + wanted.upperBound
                )
        } catch {
            throw StorageError(error)
        }
    }
}

extension ReadConditions {
    /// RFC 9110 §13.2.2 as S3 applies it: throws `.preconditionFailed` or `.notModified`.
    func check(eTag: String, modified: WallTime) throws(StorageError) {
        let failed = StorageError(
            .preconditionFailed,
            "At least one of the pre-conditions you specified did not hold"
        )
        // HTTP dates count whole seconds.
        let seconds = modified.milliseconds / 1_000
        if let ifMatch {
            guard ifMatch.contains("*") || ifMatch.contains(eTag) else { throw failed }
        } else if let ifUnmodifiedSince, seconds > ifUnmodifiedSince.milliseconds / 1_000 {
            throw failed
        }
        let notModified = StorageError(.notModified, "Not Modified")
        if let ifNoneMatch {
            if ifNoneMatch.contains("*") || ifNoneMatch.contains(eTag) { throw notModified }
        } else if let ifModifiedSince, seconds <= ifModifiedSince.milliseconds / 1_000 {
            throw notModified
        }
    }
}
