import HTTPTypes
import ObjectInterface
import ObjectModel
import S3Protocol
internal import SystemInterface

extension S3Call {
    /// `PUT` with `x-amz-copy-source`.
    func copyObject() async throws(S3Error) -> S3Response {
        let source = try await authorizedSource()
        try await requireStatedBody()
        let replacesMetadata = try directive("x-amz-metadata-directive", "Unknown metadata directive.")
        let replacesTags = try directive("x-amz-tagging-directive", "Unknown tagging directive.")
        let attributes = try AttributeHeaders.attributes(headers)
        try refuseNoOperation(source, replacesMetadata: replacesMetadata)
        let request = CopyRequest(
            sourceBucket: source.bucket,
            sourceKey: source.key,
            sourceVersion: Self.selector(source.versionID),
            sourceConditions: sourceConditions,
            bucket: target.bucket,
            key: target.key,
            owner: principal.user,
            attributes: replacesMetadata ? attributes : nil,
            storageClass: attributes.storageClass,
            tags: replacesTags ? try taggingHeader() : nil,
            condition: WriteCondition(try WriteConditionHeader(headers)),
            checksum: try ChecksumHeaders.algorithm(headers).algorithm
        )
        let result = try await copying(source) { () throws(StorageError) in try await objects.copy(request) }

        var xml = XMLWriter(capacity: 512)
        xml.openRoot("CopyObjectResult")
        xml.quotedETag("ETag", result.eTag)
        xml.date("LastModified", result.modified.milliseconds)
        xml.checksum(result.checksum, withType: true)
        xml.close("CopyObjectResult")
        var response = S3Response.xml(xml.bytes)
        response.noteDegraded(result.isDegraded)
        return response
    }

    /// COPY or REPLACE; true for the latter.
    private func directive(_ name: String, _ message: String) throws(S3Error) -> Bool {
        switch headers.value(name) {
        case nil, "COPY": return false
        case "REPLACE": return true
        case let other?: throw .invalidArgument(message, name: name, value: other)
        }
    }

    /// A copy onto itself must change something.
    private func refuseNoOperation(_ source: CopySource, replacesMetadata: Bool) throws(S3Error) {
        guard source.bucket == target.bucket, source.key.utf8.elementsEqual(target.key.utf8), !replacesMetadata,
            source.versionID == nil, !headers.contains("x-amz-storage-class")
        else { return }
        throw S3Error(
            .invalidRequest,
            "This copy request is illegal because it is trying to copy an object to itself without changing the "
                + "object's metadata, storage class, website redirect location or encryption attributes."
        )
    }
}
