import HTTPTypes
import Hummingbird
import ObjectInterface
import ObjectModel
import S3Protocol
internal import SystemInterface

/// From the bytes of a request to a call that may be carried out: parse, authenticate, route, authorize, in this
/// order.
struct RequestReader: Sendable {
    let environment: S3Environment
    private let verifier: SignatureVerifier

    /// Bytes of a request line; presigned URLs with metadata come to some 8 KiB.
    static let maximumPathLength = 16 << 10

    init(environment: S3Environment) {
        self.environment = environment
        verifier = SignatureVerifier(region: environment.region)
    }

    /// Everything before the handler. Nothing of the store is looked at, and nothing of the request is obeyed, before
    /// the signature is verified.
    func call(for request: Request) async throws(S3Error) -> S3Call {
        let signed = try parse(request.head)
        if signed.method == .options { throw Preflight.answer(to: signed) }
        let claim = try verifier.claim(of: signed, now: environment.time.wall.milliseconds)
        let credential = await environment.credentials.credential(forAccessKey: claim.accessKey)
        let seed = try verifier.verify(claim, of: signed, secret: credential?.secretKey)
        guard let credential else { throw S3Error(.accessDenied) }

        let headers = S3Headers(fields: signed.fields, query: signed.query)
        let operation = try S3Router.route(
            method: signed.method,
            target: signed.target,
            query: signed.query,
            hasCopySource: headers.contains("x-amz-copy-source")
        )
        let bucket = try await authorize(operation, signed.target, headers, credential)
        try RefusedHeaders.check(headers, of: operation)
        let (body, hasTrailer) = try self.body(of: request, operation, claim, seed, headers)
        return S3Call(
            environment: environment,
            operation: operation,
            target: signed.target,
            host: signed.host,
            query: signed.query,
            headers: headers,
            principal: credential,
            bucket: bucket,
            hasTrailer: hasTrailer,
            body: body
        )
    }

    // MARK: Parsing

    private func parse(_ head: HTTPRequest) throws(S3Error) -> SignedRequest {
        guard let path = head.path, path.utf8.count <= Self.maximumPathLength else { throw S3Error(.invalidURI) }
        try StrictHTTP.check(head)
        let question = path.utf8.firstIndex(of: UInt8(ascii: "?"))
        let rawPath = path[..<(question ?? path.endIndex)]
        let rawQuery = question.map { path[path.utf8.index(after: $0)...] } ?? ""
        let host = head.authority ?? ""
        return SignedRequest(
            method: head.method,
            target: try RequestTarget(rawPath: rawPath, host: host, domains: environment.domains),
            query: try QueryParameters(rawQuery),
            host: host,
            fields: head.headerFields
        )
    }

    // MARK: Authorization

    private func authorize(
        _ operation: S3Operation,
        _ target: RequestTarget,
        _ headers: S3Headers,
        _ principal: Credential
    ) async throws(S3Error) -> Bucket? {
        switch Authorization.rule(for: operation).scope {
        case .anyUser: return nil
        case .bucketOwner:
            let bucket = try await Self.bucket(target.bucket, environment.objects)
            try Authorization.requireOwner(
                of: bucket,
                is: principal,
                expected: headers.value("x-amz-expected-bucket-owner")
            )
            return bucket
        }
    }

    /// A bucket by name, with S3's error for one that is not there or cannot be.
    static func bucket(_ name: String, _ objects: any ObjectService) async throws(S3Error) -> Bucket {
        guard BucketName.isValid(name) else {
            let code: S3ErrorCode = BucketName.mayBeAskedFor(name) ? .noSuchBucket : .invalidBucketName
            throw S3Error(code, details: [("BucketName", name)])
        }
        do throws(StorageError) {
            return try await objects.bucket(name)
        } catch {
            switch error.code {
            case .noSuchBucket: throw S3Error(.noSuchBucket, details: [("BucketName", name)])
            case .busy: throw S3Error(.slowDown, error.message)
            case .internalFailure: throw S3Error(.internalError)
            default: throw S3Error(.serviceUnavailable, error.message)
            }
        }
    }

    // MARK: The body

    private func body(
        of request: Request,
        _ operation: S3Operation,
        _ claim: SignatureClaim,
        _ seed: SignatureSeed,
        _ headers: S3Headers
    ) throws(S3Error) -> (VerifiedBody, hasTrailer: Bool) {
        let takesBody = operation.takesBody
        let length = takesBody ? try Self.length(request, operation, claim.payloadMode, headers) : 0
        if operation.isUpload { try Self.refuseFraming(claim.payloadMode, length, headers) }
        var hasTrailer = false
        if case .chunked(_, let trailer) = claim.payloadMode { hasTrailer = trailer }
        var trailing: ObjectChecksum.Algorithm?
        if hasTrailer, takesBody,
            case .trailer(let algorithm) = try ChecksumHeaders.declaration(headers, hasTrailer: true)
        {
            trailing = algorithm
        }
        let body = VerifiedBody(
            request.body,
            length: length,
            mode: claim.payloadMode,
            seed: seed,
            announced: hasTrailer ? ChecksumHeaders.announcedTrailers(headers) : [],
            trailingAlgorithm: trailing
        )
        return (body, hasTrailer)
    }

    /// A body that other headers call framed is not stored as it comes, frames and all, because its payload mode names
    /// no framing. `aws-chunked` alone says nothing beside the SHA-256 of the whole body (AWS).
    private static func refuseFraming(_ mode: PayloadMode, _ length: Int, _ headers: S3Headers) throws(S3Error) {
        if case .chunked = mode { return }
        if mode == .unsigned, AttributeHeaders.saysChunked(headers) {
            throw .invalidArgument(
                "aws-chunked encoding is not supported when x-amz-content-sha256 UNSIGNED-PAYLOAD is supplied.",
                name: "x-amz-content-sha256",
                value: "UNSIGNED-PAYLOAD"
            )
        }
        guard let decoded = headers.value("x-amz-decoded-content-length") else { return }
        guard DecimalText.value(decoded) == length else {
            throw .invalidArgument(
                "x-amz-decoded-content-length differs from Content-Length, but x-amz-content-sha256 names no framing.",
                name: "x-amz-decoded-content-length",
                value: decoded
            )
        }
    }

    /// The decoded length that the client declares. Uploads must declare one; documents may be left out.
    private static func length(
        _ request: Request,
        _ operation: S3Operation,
        _ mode: PayloadMode,
        _ headers: S3Headers
    ) throws(S3Error) -> Int {
        let text: String?
        if case .chunked = mode {
            text = headers.value("x-amz-decoded-content-length")
        } else {
            text =
                headers.value("content-length")
                ?? (operation.isUpload || headers.contains("transfer-encoding") ? nil : "0")
        }
        guard let text else {
            // A body whose end only its framing tells: AWS takes none.
            if headers.contains("transfer-encoding") { throw .notImplemented(header: "Transfer-Encoding") }
            throw S3Error(.missingContentLength)
        }
        guard let length = DecimalText.value(text) else { throw S3Error(.missingContentLength) }
        return length
    }
}

extension S3Operation {
    /// Whether the request's body is an object's bytes.
    fileprivate var isUpload: Bool { self == .putObject || self == .uploadPart }

    /// Whether the handler reads the request's body.
    var takesBody: Bool {
        switch self {
        case .createBucket, .deleteObjects, .putObject, .putObjectTagging, .uploadPart, .completeMultipartUpload: true
        default: false
        }
    }
}
