import ObjectInterface
import ObjectModel
import S3Protocol

extension S3Call {
    /// `DELETE` of an object: 204 whether it was there or not.
    func deleteObject() async throws(S3Error) -> S3Response {
        let version = try version()
        let condition: WriteCondition =
            headers.value("if-match").flatMap { ConditionHeaders.eTags($0).first }
            .map { .matches($0) } ?? .none
        let request = DeleteRequest(
            bucket: target.bucket,
            key: target.key,
            version: version,
            condition: condition
        )
        _ = try await store { () throws(StorageError) in try await objects.delete(request) }
        var response = S3Response.noContent
        ObjectFields.append(version, to: &response.fields)
        return response
    }
}
