import HTTPTypes
import ObjectModel

/// What a request says of its own signature: parsed and checked for form, scope and time, not yet for truth.
package struct SignatureClaim: Sendable {
    package var accessKey: String
    /// `yyyyMMdd` of the credential scope.
    package var date: String
    /// `yyyyMMdd'T'HHmmss'Z'`.
    package var timestamp: String
    /// Lower-case names in the client's order.
    package var signedHeaders: [Substring]
    package var signature: String
    package var isPresigned: Bool
    package var payloadMode: PayloadMode
    /// The last line of the canonical request.
    package var payloadHash: String

    /// The allowed distance of a request's time from the server's (AWS: 15 minutes).
    package static let maximumSkewMilliseconds: Int64 = 15 * 60 * 1_000
    /// The longest life of a presigned URL (AWS: 7 days).
    package static let maximumExpirySeconds = 604_800
    static let algorithm = "AWS4-HMAC-SHA256"

    /// Reads the claim of a request, by header or by query. `now` is in milliseconds since 1970.
    ///
    /// Throws AWS's error for anything missing, malformed, out of scope or out of time, for `x-amz-*` headers that
    /// are not signed, and `AccessDenied` for a request without any claim.
    package init(_ request: SignedRequest, region: String, now: Int64) throws(S3Error) {
        let authorization = request.header("authorization")
        let isInQuery = request.query.parameters.contains { Self.isQueryCredential($0.name) }
        if isInQuery {
            guard authorization == nil else { throw Self.twoMechanisms() }
            try self.init(presigned: request, region: region, now: now)
        } else if let authorization, !authorization.isEmpty {
            try self.init(header: authorization, request, region: region, now: now)
        } else {
            throw Self.anonymous(request)
        }
        try requireSignedHeaders(of: request)
    }

    private static func isQueryCredential(_ name: String) -> Bool {
        name == "X-Amz-Algorithm" || name == "X-Amz-Signature" || name == "X-Amz-Credential"
    }

    private static func twoMechanisms() -> S3Error {
        .invalidArgument(
            "Only one auth mechanism allowed; only the X-Amz-Algorithm query parameter, Signature query string "
                + "parameter or the Authorization header should be specified",
            name: "Authorization",
            value: ""
        )
    }

    /// No claim at all, or one of a kind that is not accepted.
    private static func anonymous(_ request: SignedRequest) -> S3Error {
        if request.method == .post, request.header("content-type")?.hasPrefix("multipart/form-data") == true {
            return S3Error(.notImplemented, "Uploads by HTML form are not implemented; use PUT.")
        }
        let isVersion2 = request.query.contains("AWSAccessKeyId") && request.query.contains("Signature")
        return isVersion2 ? unsupportedVersion() : S3Error(.accessDenied)
    }

    static func unsupportedVersion() -> S3Error {
        S3Error(
            .invalidRequest,
            "The authorization mechanism you have provided is not supported. Please use AWS4-HMAC-SHA256."
        )
    }

    // MARK: Authorization header

    private init(header: String, _ request: SignedRequest, region: String, now: Int64) throws(S3Error) {
        let fields = try AuthorizationHeader(header)
        let scope = try CredentialScope(fields.credential, region: region, Self.headerMalformed)
        let (timestamp, time) = try Self.requestTime(request, signedHeaders: fields.signedHeaders)
        guard timestamp.hasPrefix(scope.date) else {
            throw Self.headerMalformed(
                "Invalid credential date \"\(scope.date)\". This date is not the same as X-Amz-Date: "
                    + "\"\(timestamp.prefix(8))\"."
            )
        }
        guard abs(now - time) <= Self.maximumSkewMilliseconds else { throw Self.skewed(timestamp, now: now) }
        guard let hash = request.header("x-amz-content-sha256") else {
            throw S3Error(.invalidRequest, "Missing required header for this request: x-amz-content-sha256")
        }
        guard request.header("x-amz-security-token") == nil else { throw S3Error(.invalidToken) }
        accessKey = scope.accessKey
        date = scope.date
        self.timestamp = timestamp
        signedHeaders = fields.signedHeaders
        signature = fields.signature
        isPresigned = false
        payloadMode = try PayloadMode(hash)
        payloadHash = hash
    }

    private static func headerMalformed(_ problem: String) -> S3Error {
        S3Error(.authorizationHeaderMalformed, "The authorization header is malformed; \(problem)")
    }

    /// The time in `x-amz-date`, or else in a signed `Date`.
    private static func requestTime(
        _ request: SignedRequest,
        signedHeaders: [Substring]
    ) throws(S3Error) -> (text: String, milliseconds: Int64) {
        if let text = request.header("x-amz-date") {
            if let time = S3Date.parseBasic(text) { return (text, time) }
        } else if let text = request.header("date"), signedHeaders.contains("date") {
            if let time = S3Date.parseBasic(text) ?? S3Date.parseHTTP(text) { return (S3Date.basic(time), time) }
        }
        throw S3Error(.accessDenied, "AWS authentication requires a valid Date or x-amz-date header")
    }

    private static func skewed(_ timestamp: String, now: Int64) -> S3Error {
        S3Error(
            .requestTimeTooSkewed,
            details: [
                ("RequestTime", timestamp), ("ServerTime", S3Date.iso8601(now)),
                ("MaxAllowedSkewMilliseconds", String(maximumSkewMilliseconds)),
            ]
        )
    }

    // MARK: Presigned

    private init(presigned request: SignedRequest, region: String, now: Int64) throws(S3Error) {
        let query = try PresignedQuery(request.query)
        let scope = try CredentialScope(query.credential, region: region, Self.queryMalformed)
        guard query.timestamp.hasPrefix(scope.date) else {
            throw S3Error(
                .authorizationQueryParametersError,
                "Invalid credential date \"\(scope.date)\". This date is not the same as X-Amz-Date: "
                    + "\"\(query.timestamp.prefix(8))\"."
            )
        }
        try query.requireValid(at: now)
        let hash = request.header("x-amz-content-sha256") ?? query.contentSHA256 ?? "UNSIGNED-PAYLOAD"
        accessKey = scope.accessKey
        date = scope.date
        timestamp = query.timestamp
        signedHeaders = query.signedHeaders.split(separator: ";", omittingEmptySubsequences: false)
        signature = query.signature
        isPresigned = true
        payloadMode = PayloadMode(presigned: hash)
        payloadHash = hash
    }

    private static func queryMalformed(_ problem: String) -> S3Error {
        S3Error(
            .authorizationQueryParametersError,
            "Error parsing the X-Amz-Credential parameter; \(problem)"
        )
    }

    // MARK: What must be signed

    /// Host, and every `x-amz-*` header there is: what nobody signed, nobody may obey. The payload's hash is a line of
    /// the canonical request itself, and need not be among the headers.
    private func requireSignedHeaders(of request: SignedRequest) throws(S3Error) {
        var missing: [String] = []
        if !signedHeaders.contains("host") { missing.append("host") }
        for field in request.fields {
            let name = field.name.canonicalName
            guard name.utf8.first == UInt8(ascii: "x"), name.hasPrefix("x-amz-"),
                name != "x-amz-content-sha256"
            else { continue }
            if !signedHeaders.contains(name[...]), !missing.contains(name) { missing.append(name) }
        }
        guard missing.isEmpty else {
            throw S3Error(
                .accessDenied,
                "There were headers present in the request which were not signed",
                details: [("HeadersNotSigned", missing.sorted().joined(separator: ", "))]
            )
        }
    }
}
