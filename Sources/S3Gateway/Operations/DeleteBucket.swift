import ObjectInterface
import S3Protocol

extension S3Call {
    /// `DELETE /bucket`: only when nothing is in it.
    func deleteBucket() async throws(S3Error) -> S3Response {
        try await store { () throws(StorageError) in try await objects.deleteBucket(target.bucket) }
        return .noContent
    }
}
