import HTTPTypes

/// A browser's question, before it sends a request to another origin than its page's, whether it may (OPTIONS; Fetch
/// Standard, "CORS protocol"). It carries no credentials, whatever the request that follows will carry.
package enum Preflight {
    /// What AWS answers for a bucket that has no CORS configuration, as none has here.
    package static func answer(to request: SignedRequest) -> S3Error {
        guard request.header("origin") != nil else {
            return S3Error(.badRequest, "Insufficient information. Origin request header needed.")
        }
        guard let method = request.header("access-control-request-method") else {
            return S3Error(.badRequest, "Invalid Access-Control-Request-Method: null")
        }
        return S3Error(
            .accessForbidden,
            "CORSResponse: CORS is not enabled for this bucket.",
            details: [("Method", method), ("ResourceType", request.target.key.isEmpty ? "BUCKET" : "OBJECT")]
        )
    }
}
