import ObjectInterface
import S3Protocol

extension S3Call {
    /// `DELETE ?uploadId=U`.
    func abortMultipartUpload() async throws(S3Error) -> S3Response {
        try await store { () throws(StorageError) in
            try await objects.abortUpload(bucket: target.bucket, key: target.key, upload: uploadID)
        }
        return .noContent
    }
}
