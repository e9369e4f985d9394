import ObjectInterface
import ObjectModel
import S3Protocol

extension S3Call {
    /// `GET ?tagging`.
    func getObjectTagging() async throws(S3Error) -> S3Response {
        let request = GetRequest(bucket: target.bucket, key: target.key, version: try version(), isHead: true)
        let result = try await store { () throws(StorageError) in try await objects.get(request) }
        // In an order that does not depend on the client that wrote them.
        let tags = result.object.tags.sorted { $0.key < $1.key }
        var response = S3Response.xml(Tagging.write(tags))
        ObjectFields.append(request.version, to: &response.fields)
        return response
    }
}
