import ObjectInterface
import ObjectModel
import S3Protocol

extension S3Call {
    /// The source that the headers name, authorized by itself: whoever may write here may not therefore read there.
    func authorizedSource() async throws(S3Error) -> CopySource {
        let text = headers.value("x-amz-copy-source") ?? ""
        let source = try CopySource(text)
        guard BucketName.isValid(source.bucket) else {
            throw .invalidArgument("Invalid copy source bucket name", name: "x-amz-copy-source", value: text)
        }
        let bucket = try await RequestReader.bucket(source.bucket, objects)
        try Authorization.requireOwner(
            of: bucket,
            is: principal,
            expected: headers.value("x-amz-source-expected-bucket-owner")
        )
        return source
    }

    var sourceConditions: ReadConditions {
        readConditions(prefix: "x-amz-copy-source-")
    }

    /// A copy keeps nothing of its body, which is empty. What is stated of it is compared all the same: a client that
    /// states the digest of what it copies would take the answer for a confirmation.
    func requireStatedBody() async throws(S3Error) {
        let statesChecksum = try ChecksumHeaders.ofObject(headers) != nil
        guard statesChecksum || headers.contains("content-md5") else { return }
        _ = try await verifiedDocument()
    }

    /// Runs a copy; errors of its source name the source, and every failed condition is 412.
    func copying<Value>(
        _ source: CopySource,
        _ operation: () async throws(StorageError) -> Value
    ) async throws(S3Error) -> Value {
        do throws(S3Error) {
            return try await store(operation)
        } catch {
            var error = error
            if error.code == .notModified { error = S3Error(.preconditionFailed) }
            if error.code == .noSuchKey { error.details = [S3Error.Detail(name: "Key", value: source.key)] }
            if error.code == .invalidRange {
                error = .invalidArgument(
                    "Range specified is not valid for source object",
                    name: "x-amz-copy-source-range",
                    value: headers.value("x-amz-copy-source-range") ?? ""
                )
            }
            throw error
        }
    }
}
