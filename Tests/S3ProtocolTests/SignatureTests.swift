import HTTPTypes
import S3Protocol
import Testing

/// The requests that AWS publishes with their signatures ("Examples: Signature Calculations in AWS Signature Version
/// 4", Amazon S3 API Reference).
@Suite("SigV4: published examples and every way to fail")
struct SignatureTests {
    static let accessKey = "AKIAIOSFODNN7EXAMPLE"
    static let secret = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
    /// 2013-05-24T00:00:00Z.
    static let now: Int64 = 1_369_353_600_000
    static let emptyHash = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

    struct Example: Sendable, CustomStringConvertible {
        var description: String
        var method: HTTPRequest.Method
        var path: String
        var headers: [(String, String)]
        var signedHeaders: String
        var signature: String
    }

    static let examples = [
        Example(
            description: "GET object",
            method: .get,
            path: "/test.txt",
            headers: [
                ("Range", "bytes=0-9"), ("x-amz-content-sha256", emptyHash), ("x-amz-date", "20130524T000000Z"),
            ],
            signedHeaders: "host;range;x-amz-content-sha256;x-amz-date",
            signature: "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"
        ),
        Example(
            description: "PUT object",
            method: .put,
            path: "/test%24file.text",
            headers: [
                ("Date", "Fri, 24 May 2013 00:00:00 GMT"), ("x-amz-date", "20130524T000000Z"),
                ("x-amz-storage-class", "REDUCED_REDUNDANCY"),
                ("x-amz-content-sha256", "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072"),
            ],
            signedHeaders: "date;host;x-amz-content-sha256;x-amz-date;x-amz-storage-class",
            signature: "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd"
        ),
        Example(
            description: "GET bucket lifecycle",
            method: .get,
            path: "/?lifecycle",
            headers: [("x-amz-content-sha256", emptyHash), ("x-amz-date", "20130524T000000Z")],
            signedHeaders: "host;x-amz-content-sha256;x-amz-date",
            signature: "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543"
        ),
        Example(
            description: "GET bucket list",
            method: .get,
            path: "/?max-keys=2&prefix=J",
            headers: [("x-amz-content-sha256", emptyHash), ("x-amz-date", "20130524T000000Z")],
            signedHeaders: "host;x-amz-content-sha256;x-amz-date",
            signature: "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7"
        ),
    ]

    static let presignedPath =
        "/test.txt?X-Amz-Algorithm=AWS4-HMAC-SHA256"
        + "&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request"
        + "&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host"
        + "&X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404"

    // MARK: Helpers

    static func authorization(_ signedHeaders: String, _ signature: String, scope: String = "us-east-1/s3") -> String {
        "AWS4-HMAC-SHA256 Credential=\(accessKey)/20130524/\(scope)/aws4_request,SignedHeaders=\(signedHeaders),"
            + "Signature=\(signature)"
    }

    static func request(
        _ method: HTTPRequest.Method = .get,
        _ path: String,
        _ headers: [(String, String)],
        host: String = "examplebucket.s3.amazonaws.com"
    ) throws -> SignedRequest {
        var fields = HTTPFields()
        for (name, value) in headers {
            fields.append(HTTPField(name: try #require(HTTPField.Name(name)), value: value))
        }
        let parts = path.split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
        return SignedRequest(
            method: method,
            target: try RequestTarget(rawPath: parts[0], host: host, domains: ["s3.amazonaws.com"]),
            query: try QueryParameters(parts.count > 1 ? parts[1] : ""),
            host: host,
            fields: fields
        )
    }

    static func verify(_ request: SignedRequest, now: Int64 = now, secret: String? = secret) -> S3Error? {
        let verifier = SignatureVerifier(region: "us-east-1")
        do {
            try verifier.verify(try verifier.claim(of: request, now: now), of: request, secret: secret)
            return nil
        } catch { return error }
    }

    static func listRequest(
        changing change: (inout [(String, String)]) -> Void = { _ in },
        authorization text: String? = nil,
        path: String = "/?max-keys=2&prefix=J"
    ) throws -> SignedRequest {
        var headers = examples[3].headers
        headers.append(("Authorization", text ?? authorization(examples[3].signedHeaders, examples[3].signature)))
        change(&headers)
        return try request(.get, path, headers)
    }

    // MARK: Right ones

    @Test("AWS's header examples verify", arguments: examples)
    func headerExample(_ example: Example) throws {
        let authorization = Self.authorization(example.signedHeaders, example.signature)
        let request = try Self.request(
            example.method,
            example.path,
            example.headers + [("Authorization", authorization)]
        )
        #expect(Self.verify(request) == nil)
        #expect(Self.verify(request, secret: "another")?.code == .signatureDoesNotMatch)
        #expect(Self.verify(request, secret: nil)?.code == .invalidAccessKeyID)
    }

    @Test("Fields of the header may come with spaces and in any order")
    func headerSpacing() throws {
        let text =
            "AWS4-HMAC-SHA256  SignedHeaders=\(Self.examples[3].signedHeaders), Signature="
            + "\(Self.examples[3].signature) , Credential=\(Self.accessKey)/20130524/us-east-1/s3/aws4_request"
        #expect(Self.verify(try Self.listRequest(authorization: text)) == nil)
    }

    @Test("AWS's presigned example verifies, until it expires")
    func presignedExample() throws {
        let request = try Self.request(.get, Self.presignedPath, [])
        #expect(Self.verify(request) == nil)
        #expect(Self.verify(request, now: Self.now + 86_400_000) == nil)
        #expect(Self.verify(request, now: Self.now + 86_400_001)?.code == .accessDenied)
        #expect(Self.verify(request, now: Self.now - 15 * 60_000) == nil)
        #expect(Self.verify(request, now: Self.now - 15 * 60_000 - 1)?.code == .accessDenied)
    }

    @Test("A cached key is not used for a changed secret")
    func keyCache() throws {
        let verifier = SignatureVerifier(region: "us-east-1")
        let request = try Self.listRequest()
        let claim = try verifier.claim(of: request, now: Self.now)
        for _ in 0..<3 {
            try verifier.verify(claim, of: request, secret: Self.secret)
            #expect(throws: S3Error.self) { try verifier.verify(claim, of: request, secret: "changed") }
        }
    }

    // MARK: Wrong ones

    @Test("Every changed part of a signed request is noticed")
    func changes() throws {
        let changed = [
            try Self.listRequest(path: "/?max-keys=3&prefix=J"), try Self.listRequest(path: "/?prefix=J"),
            try Self.listRequest(path: "/x?max-keys=2&prefix=J"),
            try Self.listRequest(path: "/?max-keys=2&prefix=J&acl"),
            try Self.listRequest(authorization: Self.authorization(Self.examples[3].signedHeaders, "00")),
            try Self.listRequest(authorization: Self.authorization(Self.examples[3].signedHeaders, "zz")),
        ]
        for request in changed { #expect(Self.verify(request)?.code == .signatureDoesNotMatch) }
        var other = try Self.listRequest()
        other.method = .delete
        #expect(Self.verify(other)?.code == .signatureDoesNotMatch)
        other = try Self.listRequest()
        other.host = "other.s3.amazonaws.com"
        #expect(Self.verify(other)?.code == .signatureDoesNotMatch)
    }

    @Test(
        "An x-amz header that is not signed is refused, whatever it is",
        arguments: [
            "x-amz-copy-source", "x-amz-acl", "x-amz-meta-a", "x-amz-storage-class", "x-amz-tagging",
            "x-amz-date", "x-amz-security-token", "x-amz-anything",
        ]
    )
    func unsignedHeader(_ name: String) throws {
        let header = try Self.request(.get, Self.presignedPath, [(name, "UNSIGNED-PAYLOAD")])
        #expect(Self.verify(header)?.code == .accessDenied)
        guard name != "x-amz-date", name != "x-amz-security-token" else { return }
        let signed = try Self.listRequest(changing: { $0.append((name, "1")) })
        #expect(Self.verify(signed)?.code == .accessDenied)
    }

    @Test("The payload's hash is proved by the canonical request, signed as a header or not")
    func unsignedPayloadHash() throws {
        let hash = "x-amz-content-sha256"
        #expect(Self.verify(try Self.request(.get, Self.presignedPath, [(hash, "UNSIGNED-PAYLOAD")])) == nil)
        let other = try Self.request(.get, Self.presignedPath, [(hash, Self.emptyHash)])
        #expect(Self.verify(other)?.code == .signatureDoesNotMatch)
        let text = Self.authorization("host;x-amz-date", "00")
        #expect(Self.verify(try Self.listRequest(authorization: text))?.code == .signatureDoesNotMatch)
    }

    @Test("The clock may be 15 minutes off, not more")
    func skew() throws {
        let request = try Self.listRequest()
        for minutes: Int64 in [-15, 15] { #expect(Self.verify(request, now: Self.now + minutes * 60_000) == nil) }
        for offset: Int64 in [-900_001, 900_001] {
            #expect(Self.verify(request, now: Self.now + offset)?.code == .requestTimeTooSkewed)
        }
    }

    @Test("Header errors have AWS's codes")
    func headerErrors() throws {
        let signed = Self.examples[3].signedHeaders
        func code(_ text: String) throws -> S3ErrorCode? {
            Self.verify(try Self.listRequest(authorization: text))?.code
        }
        #expect(try code("") == .accessDenied)
        #expect(try code("AWS AKIA:abc=") == .invalidRequest)
        #expect(try code("AWS HAHAHA") == .invalidArgument)
        #expect(try code("Bearer x") == .invalidArgument)
        #expect(try code("AWS4-HMAC-SHA256 nonsense") == .authorizationHeaderMalformed)
        #expect(
            try code("AWS4-HMAC-SHA256 Credential=a/b,SignedHeaders=host,Signature=1") == .authorizationHeaderMalformed
        )
        #expect(try code(Self.authorization(signed, "1", scope: "eu-west-1/s3")) == .authorizationHeaderMalformed)
        #expect(try code(Self.authorization(signed, "1", scope: "us-east-1/ec2")) == .authorizationHeaderMalformed)
        #expect(try code(Self.authorization("x-amz-content-sha256;x-amz-date", "1")) == .accessDenied)
        let noDate = try Self.listRequest(changing: { $0.removeAll { $0.0 == "x-amz-date" } })
        #expect(Self.verify(noDate)?.code == .accessDenied)
        let noHash = try Self.listRequest(changing: { $0.removeAll { $0.0 == "x-amz-content-sha256" } })
        #expect(Self.verify(noHash)?.code == .invalidRequest)
        #expect(Self.verify(try Self.request(.get, "/", []))?.code == .accessDenied)
    }

    @Test("An unknown payload mode is an error, not an unsigned one")
    func payloadModes() {
        for text in ["", "UNSIGNED", "unsigned-payload", "STREAMING", "STREAMING-UNSIGNED-PAYLOAD", "abc"] {
            #expect(throws: S3Error.self) { try PayloadMode(text) }
        }
        #expect(throws: S3Error.self) { try PayloadMode(String(repeating: "g", count: 64)) }
        #expect((try? PayloadMode("UNSIGNED-PAYLOAD")) == .unsigned)
        #expect(PayloadMode(presigned: "UNSIGNED-PAYLOAD") == .unsigned)
        for text in ["unsigned-payload", "STREAMING-UNSIGNED-PAYLOAD-TRAILER", "abc"] {
            #expect(PayloadMode(presigned: text) == .signed(hash: text))
        }
    }

    @Test("Presigned errors have AWS's codes")
    func presignedErrors() throws {
        func code(_ from: String, _ to: String) throws -> S3ErrorCode? {
            let parts = Self.presignedPath.split(separator: from, maxSplits: 1, omittingEmptySubsequences: false)
            return Self.verify(try Self.request(.get, parts.joined(separator: to), []))?.code
        }
        #expect(try code("Expires=86400", "Expires=0") == .accessDenied)
        #expect(try code("Expires=86400", "Expires=604801") == .authorizationQueryParametersError)
        #expect(try code("Expires=86400", "Expires=-1") == .authorizationQueryParametersError)
        #expect(try code("Expires=86400", "Expires=x") == .authorizationQueryParametersError)
        #expect(try code("Expires=86400", "Expires=86400&X-Amz-Expires=1") == .authorizationQueryParametersError)
        #expect(try code("Expires=86400", "Expires=86400&x-amz-expires=1") == .authorizationQueryParametersError)
        #expect(try code("X-Amz-SignedHeaders=host&", "") == .authorizationQueryParametersError)
        #expect(try code("HMAC-SHA256", "HMAC-SHA1") == .authorizationQueryParametersError)
        #expect(try code("us-east-1", "us-west-1") == .authorizationQueryParametersError)
        #expect(try code("SignedHeaders=host", "SignedHeaders=range") == .accessDenied)
        #expect(try code("Signature=a", "Signature=b") == .signatureDoesNotMatch)
        let streaming = "X-Amz-Content-Sha256=STREAMING-UNSIGNED-PAYLOAD-TRAILER&X-Amz-Date"
        #expect(try code("X-Amz-Date", streaming) == .signatureDoesNotMatch)
        let both = try Self.request(.get, Self.presignedPath, [("Authorization", "AWS4-HMAC-SHA256 x")])
        #expect(Self.verify(both)?.code == .invalidArgument)
        let old = try Self.request(.get, "/a?AWSAccessKeyId=a&Signature=b&Expires=1", [])
        #expect(Self.verify(old)?.code == .invalidRequest)
    }
}
