import HTTPTypes
import ObjectInterface
import ObjectModel
import S3Protocol

extension S3Call {
    /// `POST ?uploads`. The condition that decides is the completion's. One that is stated here as well, as minio-go
    /// does, is looked at as things are now: nobody uploads parts in vain.
    func createMultipartUpload() async throws(S3Error) -> S3Response {
        try await requireNow(try WriteConditionHeader(headers))
        let choice = try ChecksumHeaders.algorithm(headers)
        let request = CreateUploadRequest(
            bucket: target.bucket,
            key: target.key,
            owner: principal.user,
            attributes: try AttributeHeaders.attributes(headers),
            tags: try taggingHeader(),
            checksum: choice.algorithm,
            checksumKind: choice.kind
        )
        let upload = try await store { () throws(StorageError) in try await objects.createUpload(request) }

        var xml = XMLWriter(capacity: 512)
        xml.openRoot("InitiateMultipartUploadResult")
        xml.element("Bucket", target.bucket)
        xml.element("Key", target.key)
        xml.element("UploadId", upload.id.text)
        xml.close("InitiateMultipartUploadResult")
        var response = S3Response.xml(xml.bytes)
        if let algorithm = choice.algorithm, let kind = choice.kind {
            response.fields.append(
                HTTPField(name: S3FieldName.checksumAlgorithm, value: ChecksumHeaders.name(algorithm))
            )
            response.fields.append(HTTPField(name: S3FieldName.checksumType, value: ChecksumHeaders.name(kind)))
        }
        return response
    }

    private func requireNow(_ condition: WriteConditionHeader) async throws(S3Error) {
        guard condition != .none else { return }
        let request = GetRequest(bucket: target.bucket, key: target.key, isHead: true)
        try await store { () throws(StorageError) in
            var current: String?
            do throws(StorageError) {
                current = try await objects.get(request).object.eTag
            } catch {
                guard error.code == .noSuchKey, condition.holdsWithoutObject else { throw error }
            }
            guard condition.holds(forETag: current) else { throw StorageError(.preconditionFailed, "") }
        }
    }
}

extension WriteConditionHeader {
    fileprivate var holdsWithoutObject: Bool { if case .matches = self { false } else { true } }

    /// `eTag` is that of the object that is there, nil when there is none.
    fileprivate func holds(forETag eTag: String?) -> Bool {
        switch self {
        case .none: true
        case .isAbsent: eTag == nil
        case .matches(let wanted): eTag != nil && (wanted == "*" || wanted == eTag)
        case .differs(let unwanted): eTag != unwanted
        }
    }
}
