import ObjectInterface
import ObjectModel
import S3Protocol

extension S3Call {
    /// `PUT ?tagging`: replaces all tags.
    func putObjectTagging() async throws(S3Error) -> S3Response {
        let tags = try Tagging.document(try await verifiedDocument())
        return try await replaceTags(tags, status: S3Response())
    }

    /// `DELETE ?tagging`.
    func deleteObjectTagging() async throws(S3Error) -> S3Response {
        try await replaceTags([], status: .noContent)
    }

    private func replaceTags(_ tags: [ObjectTag], status: S3Response) async throws(S3Error) -> S3Response {
        let version = try version()
        try await store { () throws(StorageError) in
            try await objects.putTags(bucket: target.bucket, key: target.key, version: version, tags: tags)
        }
        var response = status
        ObjectFields.append(version, to: &response.fields)
        return response
    }
}
