/// What a request asks for. One handler each; `Authorization` in the gateway has one line for each.
package enum S3Operation: Hashable, Sendable {
    // Service
    case listBuckets

    // Buckets
    case createBucket
    case headBucket
    case deleteBucket
    case getBucketLocation
    case listObjects
    case listObjectsV2
    case listObjectVersions
    case listMultipartUploads
    case deleteObjects
    /// GET of a sub-resource that a bucket of this store never has.
    case getBucketSubResource(SubResource)
    case putBucketACL

    // Objects
    case getObject
    case headObject
    case putObject
    case copyObject
    case deleteObject
    case getObjectAttributes
    case getObjectTagging
    case putObjectTagging
    case deleteObjectTagging
    /// GET of a sub-resource that an object of this store never has.
    case getObjectSubResource(SubResource)
    case putObjectACL

    // Multipart uploads
    case createMultipartUpload
    case uploadPart
    case uploadPartCopy
    case completeMultipartUpload
    case abortMultipartUpload
    case listParts
}
