import ObjectInterface
import S3Protocol

extension S3Call {
    /// `GET ?tagging`.
    func getObjectTagging() async throws(S3Error) -> S3Response {
        let request = GetRequest(bucket: target.bucket, key: target.key, version: try version(), isHead: true)
        let result = try await store { () throws(StorageError) in try await objects.get(request) }
        var response = S3Response.xml(Tagging.write(result.object.tags))
        ObjectFields.append(request.version, to: &response.fields)
        return response
    }
}
