import ObjectInterface
import ObjectModel
import S3Protocol

extension S3Call {
    /// `DELETE` of an object: 204 whether it was there or not.
    func deleteObject() async throws(S3Error) -> S3Response {
        let version = try version()
        let request = DeleteRequest(
            bucket: target.bucket,
            key: target.key,
            version: version,
            condition: WriteCondition(try WriteConditionHeader(headers))
        )
        _ = try await store { () throws(StorageError) in try await objects.delete(request) }
        var response = S3Response.noContent
        ObjectFields.append(version, to: &response.fields)
        return response
    }
}
