internal import ObjectInterface
internal import ObjectModel

extension MetadataTransaction {
    func createUpload(evaluating record: UploadRecord) throws(MetadataError) {
        _ = try view.existingBucket(record.upload.bucket)
        guard try view.upload(record.upload.id) == nil else {
            throw .refused(.internalFailure, "Upload \(record.upload.id) exists already: upload ids are never reused.")
        }
        try perform([.uploadCreated(record)])
    }

    func complete(_ transaction: CompleteTransaction) throws(MetadataError) -> CommitOutcome {
        let request = transaction.request
        let bucket = try view.existingBucket(request.bucket)
        let record = try view.existingUpload(bucket: request.bucket, key: request.key, id: request.upload)
        try check(request.condition, bucket, key: request.key)
        let parts = try currentParts(transaction)
        let version = VersionRecord(
            bucket: request.bucket,
            key: request.key,
            number: state.nextVersion,
            owner: record.upload.owner,
            modified: transaction.modified,
            length: parts.reduce(0) { $0 + $1.summary.length },
            eTag: transaction.eTag,
            checksum: transaction.checksum,
            attributes: record.upload.attributes,
            tags: record.tags,
            extents: parts.flatMap(\.extents),
            parts: parts.map(\.summary),
            madeBy: request.upload
        )
        // The version first: bytes it shares with the parts never lose their last reference between the two.
        try perform([.versionPut(version), .uploadEnded(request.upload)])
        return CommitOutcome(number: version.number)
    }

    /// The parts the client named, as they are now: each must still be the one the caller read.
    private func currentParts(_ transaction: CompleteTransaction) throws(MetadataError) -> [PartRecord] {
        let request = transaction.request
        guard !request.parts.isEmpty, request.parts.count == transaction.parts.count else {
            throw .refused(.invalidPart, "The list of parts is empty or not the one that was read.")
        }
        var parts: [PartRecord] = []
        parts.reserveCapacity(request.parts.count)
        for (named, read) in zip(request.parts, transaction.parts) {
            guard let part = try view.part(request.upload, number: named.number), part.summary == read.summary,
                part.summary.eTag == named.eTag
            else {
                throw .refused(
                    .invalidPart,
                    "Part \(named.number) was not uploaded, has another ETag or was replaced meanwhile."
                )
            }
            parts.append(part)
        }
        return parts
    }

    func abortUpload(bucket: String, key: String, id: UploadID) throws(MetadataError) {
        _ = try view.existingUpload(bucket: bucket, key: key, id: id)
        try perform([.uploadEnded(id)])
    }
}
