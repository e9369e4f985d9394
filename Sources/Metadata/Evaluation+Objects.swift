internal import ObjectInterface
internal import ObjectModel

// Conditions of changes to objects, checked on the rows as they stand; then the effects. A refused change has touched
// nothing.

extension MetadataTransaction {
    func commit(_ transaction: WriteTransaction) throws(MetadataError) -> [Result<CommitOutcome, StorageError>] {
        try requireActive(transaction.lease)
        var pending = try newBlobs(transaction.blobs, lease: transaction.lease)
        var outcomes: [Result<CommitOutcome, StorageError>] = []
        var performed: [MetadataEffect] = []
        for write in transaction.writes {
            do throws(MetadataError) {
                let (effects, outcome) = try evaluate(write, &pending)
                for effect in effects { try apply(effect) }
                performed += effects
                outcomes.append(.success(outcome))
            } catch .refused(let error) {
                outcomes.append(.failure(error))
            }
        }
        record(performed)
        return outcomes
    }

    /// Blobs of a transaction that nothing has named so far.
    typealias PendingBlobs = [BlobID: BlobRecord]

    func newBlobs(_ blobs: [BlobRecord], lease: WriteLease?) throws(MetadataError) -> PendingBlobs {
        var pending: PendingBlobs = [:]
        for blob in blobs {
            guard lease == blob.id.writeLease else {
                throw .refused(.unavailable, "Blob \(blob.id) does not belong to the lease of its transaction.")
            }
            let key = RowKey.blob(blob.id)
            guard pending[blob.id] == nil, try tables.get(.blobs, key) == nil, try tables.get(.deadBlobs, key) == nil
            else { throw .refused(.internalFailure, "Blob \(blob.id) exists already: blob ids are never reused.") }
            guard let group = try group(blob.group) else {
                throw .refused(.internalFailure, "Blob \(blob.id) names placement group \(blob.group), not known here.")
            }
            guard blob.missing.allSatisfy({ Int($0) < group.scheme.shardCount }), blob.length >= 0,
                blob.length <= Limits.blobLength
            else { throw .refused(.internalFailure, "Blob \(blob.id) does not fit its placement group.") }
            pending[blob.id] = try placed(blob, in: group)
        }
        return pending
    }

    func requireActive(_ lease: WriteLease?) throws(MetadataError) {
        guard let lease else { return }
        guard try tables.get(.leases, .lease(lease)) != nil else {
            throw .refused(.leaseEnded, "Write lease \(lease) has ended: write the object again.")
        }
    }

    /// The effects that make the new blobs among `extents` live; refuses extents that lie in no live blob.
    func adopt(_ extents: [Extent], _ pending: inout PendingBlobs) throws(MetadataError) -> [MetadataEffect] {
        var used: [BlobID] = []
        for extent in extents {
            let content: BlobContent
            if let blob = pending[extent.blob] {
                content = BlobContent(blob)
                if !used.contains(extent.blob) { used.append(extent.blob) }
            } else if let row = try view.blob(extent.blob) {
                content = row.content
            } else {
                throw .refused(.noSuchKey, "The bytes this refers to are gone: their object was deleted or replaced.")
            }
            guard content.frames(of: extent) != nil else {
                throw .refused(.internalFailure, "An extent does not lie within blob \(extent.blob).")
            }
        }
        return used.compactMap { pending.removeValue(forKey: $0) }.flatMap(Self.added)
    }

    private func evaluate(
        _ write: WriteTransaction.Write,
        _ pending: inout PendingBlobs
    ) throws(MetadataError) -> ([MetadataEffect], CommitOutcome) {
        switch write {
        case .version(var version, let condition):
            let bucket = try view.existingBucket(version.bucket)
            try check(condition, bucket, key: version.key)
            let adopted = try adopt(version.extents, &pending)
            version.number = state.nextVersion
            return (adopted + [.versionPut(version)], CommitOutcome(number: version.number))
        case .part(let part, let bucket, let key):
            _ = try view.existingUpload(bucket: bucket, key: key, id: part.upload)
            guard (1...Limits.partCount).contains(part.summary.number) else {
                throw .refused(.invalidArgument, "Part numbers are 1 to \(Limits.partCount).")
            }
            return (try adopt(part.extents, &pending) + [.partPut(part)], CommitOutcome(number: 0))
        }
    }

    /// The current version when the condition holds for it.
    @discardableResult
    func check(
        _ condition: WriteCondition,
        _ bucket: BucketRow,
        key: String
    ) throws(MetadataError) -> VersionRecord? {
        switch condition {
        case .none: return nil
        case .isAbsent:
            guard try tables.get(.versions, .version(bucket: bucket.number, key: key)) == nil else {
                throw .refused(.preconditionFailed, "The key has a version already.")
            }
            return nil
        case .matches(let eTag):
            guard let version = try view.version(bucket, key: key) else {
                throw .refused(.noSuchKey, "The key to be replaced does not exist.")
            }
            guard eTag == "*" || eTag == version.eTag else {
                throw .refused(.preconditionFailed, "The key's version has another ETag.")
            }
            return version
        case .differs(let eTag):
            let version = try view.version(bucket, key: key)
            guard version?.eTag != eTag else {
                throw .refused(.preconditionFailed, "The key's version has this ETag.")
            }
            return version
        }
    }

    func delete(
        bucket name: String,
        _ requests: [DeleteRequest]
    ) throws(MetadataError) -> [Result<DeleteResult, StorageError>] {
        let bucket = try view.existingBucket(name)
        var results: [Result<DeleteResult, StorageError>] = []
        var performed: [MetadataEffect] = []
        for request in requests {
            do throws(MetadataError) {
                guard let effect = try evaluate(request, bucket) else {
                    results.append(.success(DeleteResult(existed: false)))
                    continue
                }
                try apply(effect)
                performed.append(effect)
                results.append(.success(DeleteResult(existed: true)))
            } catch .refused(let error) {
                results.append(.failure(error))
            }
        }
        record(performed)
        return results
    }

    private func evaluate(_ request: DeleteRequest, _ bucket: BucketRow) throws(MetadataError) -> MetadataEffect? {
        // A bucket that was never versioned has one version of a key, whose id is `null`.
        if case .id = request.version { return nil }
        try check(request.condition, bucket, key: request.key)
        guard let version = try view.version(bucket, key: request.key) else { return nil }
        return .versionRemoved(bucket: bucket.bucket.name, key: request.key, number: version.number)
    }

    func putTags(bucket name: String, key: String, tags: [ObjectTag]) throws(MetadataError) {
        let bucket = try view.existingBucket(name)
        guard try view.version(bucket, key: key) != nil else {
            throw .refused(.noSuchKey, "There is no object of this key.")
        }
        try perform([.tagsPut(bucket: name, key: key, tags: tags)])
    }
}
