/// Why one operation of the load failed; each kind is counted under its `code`.
package enum ClientFailure: Error, Hashable, Sendable, CustomStringConvertible {
    /// The name or address of the server could not be resolved, or nobody listens there.
    case notConnected(String)
    /// The connection broke before the whole response had come.
    case connectionLost(String)
    /// Nothing came or went for `Connection.timeout` seconds.
    case timedOut
    /// What came is not a response of HTTP/1.1, or lacks what S3 promises.
    case badResponse(String)
    /// The server refused: the S3 error code, or the status where there is no body.
    case refused(status: Int, code: String)
    /// A GET or a list gave something other than what was written.
    case wrongBytes(key: String, offset: Int)

    /// A short name without changing parts, to count by.
    package var code: String {
        switch self {
        case .notConnected: "NotConnected"
        case .connectionLost: "ConnectionLost"
        case .timedOut: "TimedOut"
        case .badResponse: "BadResponse"
        case .refused(let status, let code): code.isEmpty ? "\(status)" : "\(status) \(code)"
        case .wrongBytes: "WrongBytes"
        }
    }

    package var description: String {
        switch self {
        case .notConnected(let reason): "cannot connect: \(reason); is the store running and --endpoint right?"
        case .connectionLost(let reason): "the connection was lost: \(reason); look at the server's log"
        case .timedOut: "nothing came for \(Connection.timeout) s; look at the server's log and its disks"
        case .badResponse(let reason): "the answer is not S3's: \(reason); is --endpoint an S3 port?"
        case .refused(let status, "AccessDenied"), .refused(let status, "SignatureDoesNotMatch"),
            .refused(let status, "InvalidAccessKeyId"):
            "the server refused the keys (\(status)); check --access-key, --secret-key and --region"
        // An answer to HEAD has no body that could say more.
        case .refused(403, ""): "the server refused the keys (403); check --access-key, --secret-key and --region"
        case .refused(let status, ""): "the server answered \(status) without a reason; look at its log"
        case .refused(let status, let code): "the server answered \(status) \(code)"
        case .wrongBytes(let key, let offset):
            "WRONG BYTES in \(key) from offset \(offset): keep the object and inspect it"
        }
    }
}
