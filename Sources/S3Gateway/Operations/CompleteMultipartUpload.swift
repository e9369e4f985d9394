import ObjectInterface
import ObjectModel
import S3Protocol

extension S3Call {
    /// `POST ?uploadId=U`.
    func completeMultipartUpload() async throws(S3Error) -> S3Response {
        let document = try CompleteUploadBody(try await document(limit: XMLReader.maximumLength))
        let checksum = try ChecksumHeaders.ofObject(headers)
        let request = CompleteUploadRequest(
            bucket: target.bucket,
            key: target.key,
            upload: uploadID,
            parts: document.parts.map {
                .init(number: $0.number, eTag: $0.eTag, checksum: $0.checksum.map(DeclaredChecksum.init))
            },
            condition: WriteCondition(try WriteConditionHeader(headers)),
            checksum: checksum.map { DeclaredChecksum($0.value) },
            checksumParts: checksum?.partCount,
            checksumKind: try ChecksumHeaders.kind(headers),
            objectLength: try objectLength()
        )
        let result = try await store { () throws(StorageError) in try await objects.completeUpload(request) }

        var xml = XMLWriter(capacity: 512)
        xml.openRoot("CompleteMultipartUploadResult")
        xml.element("Location", location)
        xml.element("Bucket", target.bucket)
        xml.element("Key", target.key)
        xml.quotedETag("ETag", result.eTag)
        xml.checksum(result.checksum, withType: true)
        xml.close("CompleteMultipartUploadResult")
        var response = S3Response.xml(xml.bytes)
        response.noteDegraded(result.isDegraded)
        return response
    }

    /// Under the name by which the client reached the server.
    private var location: String {
        let key = PercentCoding.encode(target.key, keepsSlash: true)
        let root = "\(environment.isSecure ? "https" : "http")://\(host)/"
        return isVirtualHost ? root + key : root + target.bucket + "/" + key
    }

    private var isVirtualHost: Bool { RequestTarget.virtualBucket(host: host, domains: environment.domains) != nil }

    private func objectLength() throws(S3Error) -> Int? {
        guard let text = headers.value("x-amz-mp-object-size") else { return nil }
        guard let length = DecimalText.value(text) else {
            throw S3Error(.invalidRequest, "Value for x-amz-mp-object-size header is invalid.")
        }
        return length
    }
}

extension DeclaredChecksum {
    init(_ value: ChecksumHeaders.Value) { self.init(algorithm: value.algorithm, value: value.digest) }
}
