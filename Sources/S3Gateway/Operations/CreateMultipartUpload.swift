import HTTPTypes
import ObjectInterface
import ObjectModel
import S3Protocol

extension S3Call {
    /// `POST ?uploads`.
    func createMultipartUpload() async throws(S3Error) -> S3Response {
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
}
