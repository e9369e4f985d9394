import Checksums
import Crypto
import HTTPTypes
import ObjectModel
import S3Protocol

/// What is read of a request before its body.
extension FuzzTarget {
    static let requestTargets: [FuzzTarget] = [
        FuzzTarget("request-target", maximumLength: 2_048, seeds: { RequestSeeds.targets() }, run: { try target($0) }),
        FuzzTarget(
            "request-headers",
            maximumLength: 2_048,
            seeds: { RequestSeeds.headers() },
            run: { try headers($0) }
        ),
        FuzzTarget("signature", maximumLength: 2_048, seeds: { RequestSeeds.requests() }, run: { try signature($0) }),
        FuzzTarget("texts", maximumLength: 512, seeds: { RequestSeeds.texts() }, run: { try texts($0) }),
    ]

    // MARK: Path and query

    /// Method, blank, path, question mark, query.
    private static func target(_ bytes: [UInt8]) throws -> Bool {
        guard let (method, path, query) = RequestText.line(bytes[...]) else { return false }
        let parameters = try? QueryParameters(query)
        if let parameters { try check(parameters) }
        guard let target = try? RequestTarget(rawPath: path, host: "s3.local", domains: ["s3.local"]) else {
            return false
        }
        try require(target.key.utf8.count <= Limits.keyLength, "a key beyond its limit")
        try require(!target.path.contains(0), "NUL in a path")
        let encoded =
            "/" + PercentCoding.encode(target.bucket, keepsSlash: false)
            + (target.path.dropFirst().contains(UInt8(ascii: "/"))
                ? "/" + PercentCoding.encode(target.key, keepsSlash: true) : "")
        let again = try RequestTarget(rawPath: encoded[...], host: "s3.local", domains: ["s3.local"])
        try require(
            again.bucket.utf8.elementsEqual(target.bucket.utf8) && again.key.utf8.elementsEqual(target.key.utf8)
                && again.path == target.path,
            "another target comes back"
        )
        guard let parameters else { return true }
        for hasCopySource in [false, true] {
            _ = try? S3Router.route(method: method, target: target, query: parameters, hasCopySource: hasCopySource)
        }
        return true
    }

    private static func check(_ query: QueryParameters) throws {
        try require(query.parameters.count <= QueryParameters.maximumCount, "too many parameters")
        let text = query.parameters.map { parameter in
            PercentCoding.encode(parameter.name, keepsSlash: false)
                + (parameter.hasValue ? "=" + PercentCoding.encode(parameter.value, keepsSlash: false) : "")
        }.joined(separator: "&")
        let again = try QueryParameters(text[...])
        let pairs = { (query: QueryParameters) in
            query.parameters.map { [Array($0.name.utf8), Array($0.value.utf8), $0.hasValue ? [1] : []] }
        }
        try require(pairs(again) == pairs(query), "another query comes back")
        if let list = try? ListParameters(query, limitName: "max-keys") {
            try require((0...Limits.pageSize).contains(list.limit), "a page beyond its limit")
        }
        if let number = try? ObjectParameters.uploadPartNumber(query) {
            try require((1...Limits.partCount).contains(number), "a part number beyond its limit")
        }
        _ = try? ObjectParameters.versionID(query)
        _ = try? ListParameters.marker(query, name: "part-number-marker")
        for (_, value) in (try? ResponseOverrides.read(query)) ?? [] {
            try require(HTTPField.isValidValue(value), "an answer's header that is none")
        }
        _ = try? query.value("continuation-token").map(ContinuationToken.decode)
    }

    // MARK: Headers

    /// A request as lines.
    private static func headers(_ bytes: [UInt8]) throws -> Bool {
        guard let request = RequestText.request(bytes) else { return false }
        let headers = S3Headers(fields: request.fields, query: request.query)
        for prefix in ["", "x-amz-copy-source-"] {
            let conditions = ConditionHeaders(headers, prefix: prefix, now: 1_369_353_600_000)
            _ = conditions.outcome(eTag: "ab", modified: 1_369_353_600_000)
        }
        _ = try? WriteConditionHeader(headers)
        for operation in [S3Operation.putObject, .deleteObject, .getObject] {
            _ = try? RefusedHeaders.check(headers, of: operation)
        }
        if let attributes = try? AttributeHeaders.attributes(headers) {
            let length = attributes.metadata.reduce(0) { $0 + $1.name.utf8.count + $1.value.utf8.count }
            try require(length <= Limits.userMetadataLength, "metadata beyond its limit")
            for header in attributes.headers + attributes.metadata {
                try require(HTTPField.isValidValue(header.value), "a kept header that cannot be given back")
            }
        }
        for hasTrailer in [false, true] {
            guard case .value(let value)? = try? ChecksumHeaders.declaration(headers, hasTrailer: hasTrailer) else {
                continue
            }
            try require(value.digest.count == ChecksumHeaders.digestLength(value.algorithm), "length of a digest")
        }
        _ = try? ChecksumHeaders.ofObject(headers)
        _ = try? ChecksumHeaders.algorithm(headers)
        _ = ChecksumHeaders.announcedTrailers(headers)
        if let digest = try? ChecksumHeaders.contentMD5(headers) { try require(digest.count == 16, "length of an MD5") }
        _ = headers.value("x-amz-copy-source-range").map { try? RangeHeader.copySource($0) }
        _ = headers.value("x-amz-tagging").map { try? Tagging.header($0) }
        return true
    }

    // MARK: Signatures

    private static let accessKey = "AKIAIOSFODNN7EXAMPLE"
    private static let secret = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
    private static let region = "us-east-1"
    /// 2013-05-24T00:00:00Z.
    private static let now: Int64 = 1_369_353_600_000
    private static let verifier = SignatureVerifier(region: region)

    /// A request as lines. When its claim holds, it is signed, and verified; changed afterwards, it is refused.
    private static func signature(_ bytes: [UInt8]) throws -> Bool {
        guard let request = RequestText.request(bytes) else { return false }
        guard var claim = try? verifier.claim(of: request, now: now) else { return false }
        try require(claim.signedHeaders.contains("host"), "a claim without the host")
        _ = try? verifier.verify(claim, of: request, secret: nil)
        claim.signature = "00"
        claim.signature = try sign(try stringToSign(claim, request), date: claim.date)
        do {
            try verifier.verify(claim, of: request, secret: secret)
        } catch {
            throw FuzzFinding("a signed request is refused: \(error)")
        }
        var changed = request
        changed.target.path.append(UInt8(ascii: "x"))
        try requireRefused(claim, changed, "another path")
        changed = request
        changed.host += "x"
        try requireRefused(claim, changed, "another host")
        for (index, field) in request.fields.enumerated()
        where claim.signedHeaders.contains(field.name.canonicalName[...]) {
            guard field.name.canonicalName != "host" else { continue }
            changed = request
            changed.fields = HTTPFields()
            for (place, field) in request.fields.enumerated() {
                let value = place == index ? field.value + "x" : field.value
                changed.fields.append(HTTPField(name: field.name, value: value))
            }
            try requireRefused(claim, changed, "another \(field.name)")
        }
        return true
    }

    private static func requireRefused(_ claim: SignatureClaim, _ request: SignedRequest, _ what: String) throws {
        let isAccepted = (try? verifier.verify(claim, of: request, secret: secret)) != nil
        try require(!isAccepted, "\(what) passes with the same signature")
    }

    /// What a wrong signature is told it should have been made over.
    private static func stringToSign(_ claim: SignatureClaim, _ request: SignedRequest) throws -> String {
        do {
            try verifier.verify(claim, of: request, secret: secret)
        } catch {
            try require(error.code == .signatureDoesNotMatch, "a wrong signature is another error: \(error)")
            if let text = error.details.first(where: { $0.name == "StringToSign" })?.value { return text }
        }
        throw FuzzFinding("a wrong signature passes")
    }

    private static func sign(_ text: String, date: String) throws -> String {
        var key = Array("AWS4\(secret)".utf8)
        for part in [date, region, "s3", "aws4_request", text] {
            key = Array(HMAC<SHA256>.authenticationCode(for: Array(part.utf8), using: SymmetricKey(data: key)))
        }
        return Hexadecimal.text(key)
    }

    // MARK: Texts

    /// The bytes as each of the small texts of headers and queries.
    private static func texts(_ bytes: [UInt8]) throws -> Bool {
        try percent(bytes)
        try require(Base64.decode(Base64.encode(bytes)) == bytes, "other bytes come back of base64")
        try require(Hexadecimal.bytes(Hexadecimal.text(bytes)) == bytes, "other bytes come back of hexadecimal")
        var input = FuzzInput(bytes)
        try dates(Int64(bitPattern: input.integer(UInt64.self)))
        guard let text = String(validating: bytes, as: UTF8.self) else { return false }
        if let decoded = Base64.decode(text) {
            try require(Base64.encode(decoded) == text, "a text is base64 in two ways")
        }
        if let name = try? ContinuationToken.decode(text) {
            try require(ContinuationToken.encode(after: name) == text, "a token has two texts")
        }
        try require(try ContinuationToken.decode(ContinuationToken.encode(after: text)) == text, "another token")
        for time in [S3Date.parseHTTP(text), S3Date.parseISO8601(text), S3Date.parseBasic(text)] {
            if let time { try dates(time) }
        }
        try range(text)
        try copySource(text)
        if let tags = try? Tagging.header(text) {
            let encoded = tags.map { tag in
                [tag.key, tag.value].map { PercentCoding.encode($0, keepsSlash: false) }.joined(separator: "=")
            }
            try same(try Tagging.header(encoded.joined(separator: "&")), tags)
        }
        _ = BucketName.isValid(text)
        _ = ConditionHeaders.eTags(text)
        _ = RequestTarget.virtualBucket(host: text, domains: ["s3.local", "local"])
        if let blob = BlobID(text: text) { try require(BlobID(text: blob.description) == blob, "another blob id") }
        if let id = Identifier128(text: text) { try require(Identifier128(text: id.text) == id, "another id") }
        if let scheme = Scheme(name: text) { try require(Scheme(name: scheme.name) == scheme, "another scheme") }
        return true
    }

    private static func percent(_ bytes: [UInt8]) throws {
        for keepsSlash in [false, true] {
            var encoded: [UInt8] = []
            PercentCoding.append(bytes, keepsSlash: keepsSlash, to: &encoded)
            try require(PercentCoding.decode(encoded) == bytes, "other bytes come back of percent-encoding")
        }
        guard let decoded = PercentCoding.decode(bytes) else { return }
        try require(decoded.count <= bytes.count, "more bytes come out than went in")
    }

    /// The years that the formats can write come back, to the second or the millisecond; all others are written too.
    private static func dates(_ time: Int64) throws {
        let (http, iso, basic) = (S3Date.http(time), S3Date.iso8601(time), S3Date.basic(time))
        // The years 0 to 9999.
        guard (-62_167_219_200_000..<253_402_300_800_000).contains(time) else { return }
        let seconds = time - (time % 1_000 + 1_000) % 1_000
        try require(S3Date.parseHTTP(http) == seconds, "another date comes back of \(http)")
        try require(S3Date.parseISO8601(iso) == time, "another date comes back of \(iso)")
        try require(S3Date.parseBasic(basic) == seconds, "another date comes back of \(basic)")
    }

    private static func range(_ text: String) throws {
        guard let range = RangeHeader(text) else { return }
        let again =
            switch range {
            case .closed(let first, let last): "bytes=\(first)-\(last)"
            case .from(let first): "bytes=\(first)-"
            case .suffix(let count): "bytes=-\(count)"
            }
        try require(RangeHeader(again) == range, "another range comes back of \(again)")
        if let closed = try? RangeHeader.copySource(text) {
            try require(range == .closed(closed.lowerBound, closed.upperBound), "two readings of one range")
        }
    }

    private static func copySource(_ text: String) throws {
        guard let source = try? CopySource(text) else { return }
        try require(source.key.utf8.count <= Limits.keyLength && !source.key.isEmpty, "length of a source's key")
        let again = try CopySource(
            PercentCoding.encode(source.bucket, keepsSlash: false) + "/"
                + PercentCoding.encode(source.key, keepsSlash: true)
                + (source.versionID.map { "?versionId=" + $0 } ?? "")
        )
        try require(
            again.bucket.utf8.elementsEqual(source.bucket.utf8) && again.key.utf8.elementsEqual(source.key.utf8)
                && again.versionID == source.versionID,
            "another source comes back"
        )
    }
}
