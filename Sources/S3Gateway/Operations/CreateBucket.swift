import HTTPTypes
import ObjectInterface
import ObjectModel
import S3Protocol

extension S3Call {
    /// The longest `CreateBucketConfiguration` there is any reason to send.
    private static let configurationLimit = 64 << 10

    /// `PUT /bucket`. Making one's own bucket again succeeds in us-east-1 and is a conflict elsewhere, as at AWS.
    func createBucket() async throws(S3Error) -> S3Response {
        guard BucketName.isValid(target.bucket) else {
            throw S3Error(.invalidBucketName, details: [("BucketName", target.bucket)])
        }
        try CreateBucketBody.check(
            try await document(limit: Self.configurationLimit),
            region: environment.region
        )
        do throws(StorageError) {
            try await objects.createBucket(target.bucket, owner: principal.user, region: environment.region)
        } catch {
            guard error.code == .bucketOwnedByYou, environment.region == "us-east-1" else {
                throw S3Error(error, of: self)
            }
        }
        var response = S3Response()
        response.fields.append(HTTPField(name: .location, value: "/" + target.bucket))
        return response
    }
}
