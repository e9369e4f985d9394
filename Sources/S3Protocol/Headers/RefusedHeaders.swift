/// Headers that ask for protection or behavior that is not built. They are refused, never ignored: a client that asked
/// for encryption must not believe it got it, and what was to be done under a condition is not done without.
package enum RefusedHeaders {
    private static let cannedACLs: Set<String> = [
        "public-read", "public-read-write", "authenticated-read", "aws-exec-read", "bucket-owner-read",
        "log-delivery-write",
    ]
    private static let ownerships: Set<String> = ["BucketOwnerPreferred", "ObjectWriter"]

    /// The conditions of RFC 9110 §13.1. Those that an operation heeds have a reader of their own.
    private static let conditions = ["if-match", "if-none-match", "if-modified-since", "if-unmodified-since"]

    /// Throws for the first header that cannot be honored by this operation.
    package static func check(_ headers: S3Headers, of operation: S3Operation) throws(S3Error) {
        for name in conditions where !operation.heeds(condition: name) && headers.contains(name) {
            throw .notImplemented(header: name)
        }
        // The whole is not to be replaced by a part of it (RFC 9110 §14.5).
        if operation == .putObject, headers.contains("content-range") {
            throw .notImplemented(header: "content-range")
        }
        try headers.forEach(prefix: "x-amz-") { (name, value) throws(S3Error) in
            try check(name, value)
        }
    }

    private static func check(_ name: String, _ value: String) throws(S3Error) {
        switch name {
        case "x-amz-acl": try checkACL(value)
        case "x-amz-object-ownership": try checkOwnership(value)
        case "x-amz-bucket-object-lock-enabled":
            if value.lowercased() != "false" { throw S3Error.notImplemented(header: name) }
        case "x-amz-website-redirect-location", "x-amz-mfa", "x-amz-write-offset-bytes", "x-amz-rename-source",
            "x-amz-if-match-last-modified-time", "x-amz-if-match-size", "x-amz-if-match-initiated-time":
            throw .notImplemented(header: name)
        default:
            if name.hasPrefix("x-amz-object-lock-") {
                throw S3Error(
                    .invalidRequest,
                    "Bucket is missing Object Lock Configuration",
                    details: [("Header", name)]
                )
            }
            if name.hasPrefix("x-amz-server-side-encryption") || name.hasPrefix("x-amz-grant-")
                || name.hasPrefix("x-amz-copy-source-server-side-encryption")
            {
                throw .notImplemented(header: name)
            }
        }
    }

    /// Everything is private here. `bucket-owner-full-control` says just that, because every writer owns the bucket.
    private static func checkACL(_ value: String) throws(S3Error) {
        guard value != "private", value != "bucket-owner-full-control" else { return }
        guard cannedACLs.contains(value) else { throw .invalidArgument("", name: "x-amz-acl", value: value) }
        throw .notImplemented(header: "x-amz-acl")
    }

    private static func checkOwnership(_ value: String) throws(S3Error) {
        guard value != "BucketOwnerEnforced" else { return }
        guard ownerships.contains(value) else {
            throw .invalidArgument(
                "Invalid x-amz-object-ownership header",
                name: "x-amz-object-ownership",
                value: value
            )
        }
        throw .notImplemented(header: "x-amz-object-ownership")
    }
}

extension S3Operation {
    /// Whether a condition decides if this is done, or does not matter because nothing is changed.
    fileprivate func heeds(condition name: String) -> Bool {
        switch self {
        case .putObject, .copyObject, .completeMultipartUpload, .createMultipartUpload:
            name == "if-match" || name == "if-none-match"
        case .deleteObject: name == "if-match"
        case .createBucket, .deleteBucket, .deleteObjects, .putBucketACL, .putObjectACL, .putObjectTagging,
            .deleteObjectTagging, .uploadPart, .uploadPartCopy, .abortMultipartUpload:
            false
        case .listBuckets, .headBucket, .getBucketLocation, .listObjects, .listObjectsV2, .listObjectVersions,
            .listMultipartUploads, .getBucketSubResource, .getObject, .headObject, .getObjectAttributes,
            .getObjectTagging, .getObjectSubResource, .listParts:
            true
        }
    }
}
