import ObjectModel

/// What `x-amz-content-sha256` says of the body: how it is framed and what proves it.
package enum PayloadMode: Hashable, Sendable {
    /// The SHA-256 of the whole body in hexadecimal, as the client wrote it; signed with the headers.
    case signed(hash: String)
    /// `UNSIGNED-PAYLOAD`: nothing but the connection protects the body.
    case unsigned
    /// aws-chunked framing.
    case chunked(isSigned: Bool, hasTrailer: Bool)

    /// Reads the value of a request that is signed by header. A value that is none of S3's is an error: a mode nobody
    /// knows must not read as "unsigned".
    package init(_ text: String) throws(S3Error) {
        switch text {
        case "UNSIGNED-PAYLOAD": self = .unsigned
        case "STREAMING-AWS4-HMAC-SHA256-PAYLOAD": self = .chunked(isSigned: true, hasTrailer: false)
        case "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER": self = .chunked(isSigned: true, hasTrailer: true)
        case "STREAMING-UNSIGNED-PAYLOAD-TRAILER": self = .chunked(isSigned: false, hasTrailer: true)
        default:
            guard text.utf8.count == 64, Hexadecimal.bytes(text) != nil else {
                throw .invalidArgument(
                    "x-amz-content-sha256 must be UNSIGNED-PAYLOAD, STREAMING-UNSIGNED-PAYLOAD-TRAILER, "
                        + "STREAMING-AWS4-HMAC-SHA256-PAYLOAD, STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER or a valid "
                        + "sha256 value.",
                    name: "x-amz-content-sha256",
                    value: text
                )
            }
            self = .signed(hash: text)
        }
    }

    /// Reads the value of a presigned request, whose body is never framed: as AWS does, whatever else it says is a
    /// digest, which no body has unless it is one.
    package init(presigned text: String) {
        self = text == "UNSIGNED-PAYLOAD" ? .unsigned : .signed(hash: text)
    }
}
