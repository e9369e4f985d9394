import ObjectInterface
import ObjectModel
import S3Protocol
internal import SystemInterface

extension S3Call {
    /// `PUT ?partNumber=N&uploadId=U` with `x-amz-copy-source`.
    func uploadPartCopy() async throws(S3Error) -> S3Response {
        let number = try ObjectParameters.uploadPartNumber(query)
        let source = try await authorizedSource()
        try await requireStatedBody()
        var range: ClosedRange<Int>?
        if let text = headers.value("x-amz-copy-source-range") { range = try RangeHeader.copySource(text) }
        let request = CopyPartRequest(
            sourceBucket: source.bucket,
            sourceKey: source.key,
            sourceVersion: Self.selector(source.versionID),
            sourceConditions: sourceConditions,
            sourceRange: range,
            bucket: target.bucket,
            key: target.key,
            upload: uploadID,
            partNumber: number
        )
        let result = try await copying(source) { () throws(StorageError) in try await objects.copyPart(request) }

        var xml = XMLWriter(capacity: 512)
        xml.openRoot("CopyPartResult")
        xml.quotedETag("ETag", result.eTag)
        xml.date("LastModified", result.modified.milliseconds)
        xml.checksum(result.checksum, withType: false)
        xml.close("CopyPartResult")
        var response = S3Response.xml(xml.bytes)
        response.noteDegraded(result.isDegraded)
        return response
    }
}
