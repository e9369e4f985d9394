import HTTPTypes
import ObjectInterface
import ObjectModel
import S3Protocol

extension S3Call {
    /// `PUT` of an object.
    func putObject() async throws(S3Error) -> S3Response {
        guard body.length <= Limits.partLength else { throw Self.tooLarge(body.length) }
        let request = PutRequest(
            bucket: target.bucket,
            key: target.key,
            owner: principal.user,
            length: body.length,
            attributes: try AttributeHeaders.attributes(headers),
            tags: try taggingHeader(),
            condition: WriteCondition(try WriteConditionHeader(headers)),
            contentMD5: try ChecksumHeaders.contentMD5(headers),
            checksum: try checksumRequest()
        )
        let result = try await store { () throws(StorageError) in try await objects.put(request, body: body) }
        var response = S3Response()
        response.fields.append(HTTPField(name: .eTag, value: ObjectFields.quoted(result.eTag)))
        ObjectFields.append(result.checksum, to: &response.fields)
        response.noteDegraded(result.isDegraded)
        return response
    }

    static func tooLarge(_ length: Int) -> S3Error {
        S3Error(
            .entityTooLarge,
            details: [("ProposedSize", String(length)), ("MaxSizeAllowed", String(Limits.partLength))]
        )
    }

    func taggingHeader() throws(S3Error) -> [ObjectTag] {
        guard let text = headers.value("x-amz-tagging") else { return [] }
        return try Tagging.header(text)
    }

    /// What the headers say of the checksum of this upload's bytes.
    func checksumRequest() throws(S3Error) -> ChecksumRequest {
        switch try ChecksumHeaders.declaration(headers, hasTrailer: hasTrailer) {
        case .value(let value): .declared(DeclaredChecksum(algorithm: value.algorithm, value: value.digest))
        case .trailer(let algorithm): .trailing(algorithm)
        case .none: try computedChecksum()
        }
    }

    /// `x-amz-checksum-algorithm` without a value: the store computes it.
    private func computedChecksum() throws(S3Error) -> ChecksumRequest {
        guard headers.contains("x-amz-checksum-algorithm") else { return .none }
        return try ChecksumHeaders.algorithm(headers).algorithm.map { .computed($0) } ?? .none
    }
}

extension WriteCondition {
    init(_ header: WriteConditionHeader) {
        switch header {
        case .none: self = .none
        case .isAbsent: self = .isAbsent
        case .matches(let eTag): self = .matches(eTag)
        case .differs(let eTag): self = .differs(eTag)
        }
    }
}

extension S3Response {
    /// Tells the client that its bytes lie on fewer disks than they will.
    mutating func noteDegraded(_ isDegraded: Bool) {
        if isDegraded { fields.append(HTTPField(name: S3FieldName.degraded, value: "true")) }
    }
}
