import HTTPTypes
import S3Protocol

extension S3Call {
    /// `PUT ?acl` of a bucket: to make private what is private changes nothing, every other list is refused.
    func putBucketACL() throws(S3Error) -> S3Response {
        try requirePrivateACL()
        return S3Response(status: .ok)
    }

    /// `PUT ?acl` of an object, likewise; the object must be there.
    func putObjectACL() async throws(S3Error) -> S3Response {
        try requirePrivateACL()
        try await requireObject()
        return S3Response(status: .ok)
    }

    /// By the header, which has been checked to say `private` in one of its forms; lists in bodies are not read.
    private func requirePrivateACL() throws(S3Error) {
        guard headers.contains("x-amz-acl") else {
            throw S3Error(
                .notImplemented,
                "Lists of grants are not implemented; everything is private.",
                details: [("Parameter", "acl")]
            )
        }
    }
}
