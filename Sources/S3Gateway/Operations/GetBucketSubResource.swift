import ObjectInterface
import ObjectModel
import S3Protocol

extension S3Call {
    /// GET of a configuration that no bucket here has.
    func getBucketSubResource(_ subResource: SubResource) async throws(S3Error) -> S3Response {
        let answer = UnbuiltAnswer.bucket(subResource, bucket: target.bucket, configurationID: query.value("id"))
        return try await response(to: answer)
    }

    /// The response of an answer; the list of grants names the bucket's owner.
    func response(to answer: UnbuiltAnswer) async throws(S3Error) -> S3Response {
        switch answer {
        case .document(let document): return .xml(document)
        case .error(let error): throw error
        case .ownerACL:
            let owner = bucket?.owner ?? principal.user
            let name = await displayName(of: owner)
            return .xml(AccessControlDocument.document(ownerID: owner.text, displayName: name))
        }
    }
}
