import HTTPTypes
import ObjectInterface
import ObjectModel
import S3Protocol

extension S3Call {
    /// `PUT ?partNumber=N&uploadId=U`.
    func uploadPart() async throws(S3Error) -> S3Response {
        guard body.length <= Limits.partLength else { throw Self.tooLarge(body.length) }
        let request = UploadPartRequest(
            bucket: target.bucket,
            key: target.key,
            upload: uploadID,
            partNumber: try ObjectParameters.uploadPartNumber(query),
            length: body.length,
            contentMD5: try ChecksumHeaders.contentMD5(headers),
            checksum: try checksumRequest()
        )
        let result = try await store { () throws(StorageError) in
            try await objects.uploadPart(request, body: body)
        }
        var response = S3Response()
        response.fields.append(HTTPField(name: .eTag, value: ObjectFields.quoted(result.eTag)))
        if let checksum = result.checksum,
            let name = S3FieldName.dynamic(ChecksumHeaders.headerName(checksum.algorithm))
        {
            response.fields.append(HTTPField(name: name, value: ChecksumHeaders.text(checksum)))
        }
        response.noteDegraded(result.isDegraded)
        return response
    }
}
