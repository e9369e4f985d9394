import ObjectInterface
import ObjectModel
import S3Protocol

/// Who may do what: one S3 action for each operation, decided in one place.
enum Authorization {
    /// What an action is done to, which decides whose word counts.
    enum Scope: Hashable {
        /// Any known user.
        case anyUser
        /// The bucket's owner alone: buckets are private.
        case bucketOwner
    }

    /// The table. The compiler refuses an operation without a line.
    static func rule(for operation: S3Operation) -> (action: String, scope: Scope) {
        switch operation {
        case .listBuckets: ("s3:ListAllMyBuckets", .anyUser)
        case .createBucket: ("s3:CreateBucket", .anyUser)
        case .headBucket: ("s3:ListBucket", .bucketOwner)
        case .deleteBucket: ("s3:DeleteBucket", .bucketOwner)
        case .getBucketLocation: ("s3:GetBucketLocation", .bucketOwner)
        case .listObjects, .listObjectsV2: ("s3:ListBucket", .bucketOwner)
        case .listObjectVersions: ("s3:ListBucketVersions", .bucketOwner)
        case .listMultipartUploads: ("s3:ListBucketMultipartUploads", .bucketOwner)
        case .deleteObjects: ("s3:DeleteObject", .bucketOwner)
        case .getBucketSubResource: ("s3:GetBucketAcl", .bucketOwner)
        case .putBucketACL: ("s3:PutBucketAcl", .bucketOwner)
        case .getObject, .headObject: ("s3:GetObject", .bucketOwner)
        case .putObject, .copyObject: ("s3:PutObject", .bucketOwner)
        case .deleteObject: ("s3:DeleteObject", .bucketOwner)
        case .getObjectAttributes: ("s3:GetObjectAttributes", .bucketOwner)
        case .getObjectTagging: ("s3:GetObjectTagging", .bucketOwner)
        case .putObjectTagging: ("s3:PutObjectTagging", .bucketOwner)
        case .deleteObjectTagging: ("s3:DeleteObjectTagging", .bucketOwner)
        case .getObjectSubResource: ("s3:GetObjectAcl", .bucketOwner)
        case .putObjectACL: ("s3:PutObjectAcl", .bucketOwner)
        case .createMultipartUpload, .uploadPart, .uploadPartCopy, .completeMultipartUpload:
            ("s3:PutObject", .bucketOwner)
        case .abortMultipartUpload: ("s3:AbortMultipartUpload", .bucketOwner)
        case .listParts: ("s3:ListMultipartUploadParts", .bucketOwner)
        }
    }

    /// Throws `AccessDenied` unless `principal` owns the bucket, and unless the owner is the one that the client
    /// expects.
    static func requireOwner(
        of bucket: Bucket,
        is principal: Credential,
        expected: String?
    ) throws(S3Error) {
        guard bucket.owner == principal.user else { throw S3Error(.accessDenied) }
        if let expected, expected != bucket.owner.text { throw S3Error(.accessDenied) }
    }
}
