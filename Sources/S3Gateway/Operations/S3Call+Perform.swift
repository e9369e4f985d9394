import S3Protocol

extension S3Call {
    /// Carries the operation out: one handler each.
    func perform() async throws(S3Error) -> S3Response {
        switch operation {
        case .listBuckets: try await listBuckets()
        case .createBucket: try await createBucket()
        case .headBucket: headBucket()
        case .deleteBucket: try await deleteBucket()
        case .getBucketLocation: getBucketLocation()
        case .listObjects: try await listObjects()
        case .listObjectsV2: try await listObjectsV2()
        case .listObjectVersions: try await listObjectVersions()
        case .listMultipartUploads: try await listMultipartUploads()
        case .deleteObjects: try await deleteObjects()
        case .getBucketSubResource(let subResource): try await getBucketSubResource(subResource)
        case .putBucketACL: try putBucketACL()
        case .getObject, .headObject: try await getObject()
        case .putObject: try await putObject()
        case .copyObject: try await copyObject()
        case .deleteObject: try await deleteObject()
        case .getObjectAttributes: try await getObjectAttributes()
        case .getObjectTagging: try await getObjectTagging()
        case .putObjectTagging: try await putObjectTagging()
        case .deleteObjectTagging: try await deleteObjectTagging()
        case .getObjectSubResource(let subResource): try await getObjectSubResource(subResource)
        case .putObjectACL: try await putObjectACL()
        case .createMultipartUpload: try await createMultipartUpload()
        case .uploadPart: try await uploadPart()
        case .uploadPartCopy: try await uploadPartCopy()
        case .completeMultipartUpload: try await completeMultipartUpload()
        case .abortMultipartUpload: try await abortMultipartUpload()
        case .listParts: try await listParts()
        }
    }
}
