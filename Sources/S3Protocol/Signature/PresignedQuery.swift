/// The authentication parameters of a presigned URL, each given exactly once.
struct PresignedQuery {
    var credential: String
    var timestamp: String
    var expires: Int
    var signedHeaders: String
    var signature: String
    var contentSHA256: String?

    private var time: Int64

    /// Parameter names that belong to the signature and stand for no header.
    static func isAuthentication(_ lowerName: String) -> Bool {
        switch lowerName {
        case "x-amz-algorithm", "x-amz-credential", "x-amz-date", "x-amz-expires", "x-amz-signedheaders",
            "x-amz-signature", "x-amz-security-token", "x-amz-content-sha256":
            true
        default: false
        }
    }

    init(_ query: QueryParameters) throws(S3Error) {
        let values = try Self.values(of: query)
        guard let algorithm = values["x-amz-algorithm"], let credential = values["x-amz-credential"],
            let signature = values["x-amz-signature"], let timestamp = values["x-amz-date"],
            let signedHeaders = values["x-amz-signedheaders"], let expires = values["x-amz-expires"]
        else {
            throw Self.error(
                "Query-string authentication version 4 requires the X-Amz-Algorithm, X-Amz-Credential, "
                    + "X-Amz-Signature, X-Amz-Date, X-Amz-SignedHeaders, and X-Amz-Expires parameters."
            )
        }
        guard algorithm == SignatureClaim.algorithm else {
            throw Self.error("X-Amz-Algorithm only supports \"AWS4-HMAC-SHA256\"")
        }
        guard let time = S3Date.parseBasic(timestamp) else {
            throw Self.error("X-Amz-Date must be in the ISO8601 Long Format \"yyyyMMdd'T'HHmmss'Z'\"")
        }
        guard values["x-amz-security-token"] == nil else { throw S3Error(.invalidToken) }
        self.credential = credential
        self.signature = signature
        self.timestamp = timestamp
        self.signedHeaders = signedHeaders
        self.time = time
        self.expires = try Self.seconds(expires)
        contentSHA256 = values["x-amz-content-sha256"]
    }

    private static func values(of query: QueryParameters) throws(S3Error) -> [String: String] {
        var values: [String: String] = [:]
        for parameter in query.parameters {
            let name = parameter.name.lowercased()
            guard isAuthentication(name) else { continue }
            guard values.updateValue(parameter.value, forKey: name) == nil else {
                throw error("The query string parameter \(parameter.name) was given more than once.")
            }
        }
        return values
    }

    private static func seconds(_ text: String) throws(S3Error) -> Int {
        guard let seconds = DecimalText.signedValue(text) else { throw error("X-Amz-Expires should be a number") }
        guard seconds >= 0 else { throw error("X-Amz-Expires must be non-negative") }
        guard seconds <= SignatureClaim.maximumExpirySeconds else {
            throw error(
                "X-Amz-Expires must be less than a week (in seconds); that is, the given X-Amz-Expires must be "
                    + "less than 604800 seconds"
            )
        }
        return seconds
    }

    /// Counted from X-Amz-Date; the date itself may lie ahead of the server's clock by the allowed skew only.
    func requireValid(at now: Int64) throws(S3Error) {
        guard time <= now + SignatureClaim.maximumSkewMilliseconds else {
            throw S3Error(
                .accessDenied,
                "Request is not yet valid",
                details: [("X-Amz-Date", timestamp), ("ServerTime", S3Date.iso8601(now))]
            )
        }
        let end = time + Int64(expires) * 1_000
        guard expires > 0, now <= end else {
            throw S3Error(
                .accessDenied,
                "Request has expired",
                details: [
                    ("X-Amz-Expires", String(expires)), ("Expires", S3Date.iso8601(end)),
                    ("ServerTime", S3Date.iso8601(now)),
                ]
            )
        }
    }

    private static func error(_ message: String) -> S3Error { S3Error(.authorizationQueryParametersError, message) }
}
