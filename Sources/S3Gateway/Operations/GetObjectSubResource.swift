import ObjectInterface
import S3Protocol

extension S3Call {
    /// GET of a sub-resource that no object here has; the object must be there.
    func getObjectSubResource(_ subResource: SubResource) async throws(S3Error) -> S3Response {
        try await requireObject()
        return try await response(to: UnbuiltAnswer.object(subResource))
    }

    /// Throws `NoSuchKey` and the like when the object that is asked for is not there.
    func requireObject() async throws(S3Error) {
        let request = GetRequest(bucket: target.bucket, key: target.key, version: try version(), isHead: true)
        _ = try await store { () throws(StorageError) in try await objects.get(request) }
    }
}
