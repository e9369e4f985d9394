import HTTPTypes
import S3Protocol

/// What the HTTP parser lets pass but two servers in a row could read differently: refused, and the connection closed
/// (request smuggling, RFC 9112 §11.2).
enum StrictHTTP {
    static func check(_ head: HTTPRequest) throws(S3Error) {
        var lengths = 0
        var codings = 0
        for field in head.headerFields {
            switch field.name.canonicalName {
            case "content-length": lengths += 1
            case "transfer-encoding":
                codings += 1
                guard field.value.lowercased() == "chunked" else { throw refused("Transfer-Encoding must be chunked") }
            case "host": throw refused("there must be one Host header")
            default: break
            }
        }
        guard lengths + codings <= 1 else {
            throw refused("there must be one Content-Length or one Transfer-Encoding header")
        }
        guard let host = head.authority, !host.isEmpty else { throw refused("there must be one Host header") }
    }

    private static func refused(_ problem: String) -> S3Error {
        S3Error(.badRequest, "The HTTP request is ambiguous: \(problem).")
    }
}
