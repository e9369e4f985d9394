import HTTPTypes
internal import NIOCore
import ObjectInterface
import S3Protocol
internal import SystemInterface

/// A handler's answer, before the headers that every answer has.
struct S3Response: Sendable {
    enum Body: Sendable {
        case none
        case bytes([UInt8])
        case object(any ObjectBody)
        /// All of an object's body, read.
        case pieces([BufferSlice], length: Int)
        /// A document that is still being made.
        case late(PendingAnswer)
    }

    var status: HTTPResponse.Status
    var fields = HTTPFields()
    var body: Body

    init(status: HTTPResponse.Status = .ok, body: Body = .none) {
        self.status = status
        self.body = body
    }

    /// A 200 with an XML document.
    static func xml(_ document: [UInt8]) -> S3Response {
        var response = S3Response(body: .bytes(document))
        response.fields.append(HTTPField(name: .contentType, value: "application/xml"))
        return response
    }

    static let noContent = S3Response(status: .noContent)
}

/// Header names of S3, made once.
enum S3FieldName {
    static let requestID = name("x-amz-request-id")
    static let hostID = name("x-amz-id-2")
    static let bucketRegion = name("x-amz-bucket-region")
    static let versionID = name("x-amz-version-id")
    static let storageClass = name("x-amz-storage-class")
    static let taggingCount = name("x-amz-tagging-count")
    static let partsCount = name("x-amz-mp-parts-count")
    static let checksumType = name("x-amz-checksum-type")
    static let checksumAlgorithm = name("x-amz-checksum-algorithm")
    static let contentTypeOptions = name("x-content-type-options")
    /// Cairn's own: the write was acknowledged with fewer shards than the scheme's quorum.
    static let degraded = name("x-cairn-degraded")

    /// Names that are not known when this is compiled; nil when they are no header names.
    static func dynamic(_ text: String) -> HTTPField.Name? { HTTPField.Name(text) }

    private static func name(_ text: String) -> HTTPField.Name {
        guard let name = HTTPField.Name(text) else { preconditionFailure("\(text) is no header name") }
        return name
    }
}
