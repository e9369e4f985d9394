/// `ACCESSKEY/yyyyMMdd/REGION/s3/aws4_request`. The access key itself may hold slashes.
struct CredentialScope {
    var accessKey: String
    var date: String

    static let service = "s3"
    static let terminator = "aws4_request"

    /// `malformed` makes the error of the place that the credential came from.
    init(_ text: String, region: String, _ malformed: (String) -> S3Error) throws(S3Error) {
        let parts = text.utf8.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
            .map { Substring($0) }
        guard parts.count >= 5, !parts[0].isEmpty else {
            throw malformed(
                "the Credential is mal-formed; expecting \"<YOUR-AKID>/YYYYMMDD/REGION/SERVICE/aws4_request\"."
            )
        }
        let scope = parts.suffix(4).map(String.init)
        guard scope[0].utf8.count == 8, S3Date.parseBasic(scope[0] + "T000000Z") != nil else {
            throw malformed(
                "incorrect date format \"\(scope[0])\". This date in the credential must be in the format \"yyyyMMdd\"."
            )
        }
        guard scope[1] == region else {
            var error = malformed("the region '\(scope[1])' is wrong; expecting '\(region)'")
            error.details.append(S3Error.Detail(name: "Region", value: region))
            throw error
        }
        guard scope[2] == Self.service else {
            throw malformed("incorrect service \"\(scope[2])\". This endpoint belongs to \"s3\".")
        }
        guard scope[3] == Self.terminator else {
            throw malformed("incorrect terminal \"\(scope[3])\". This endpoint uses \"aws4_request\".")
        }
        accessKey = parts.dropLast(4).joined(separator: "/")
        date = scope[0]
    }
}

/// `AWS4-HMAC-SHA256 Credential=…, SignedHeaders=…, Signature=…`, its fields in any order.
struct AuthorizationHeader {
    var credential: String
    var signedHeaders: [Substring]
    var signature: String

    /// Works on UTF-8 throughout: it runs for every request, and comparing characters costs ten times as much.
    init(_ text: String) throws(S3Error) {
        let bytes = text.utf8
        let space = bytes.firstIndex(of: UInt8(ascii: " ")) ?? bytes.endIndex
        let scheme = text[..<space]
        guard scheme == SignatureClaim.algorithm else { throw Self.wrongScheme(scheme, text) }
        var credential: Substring?
        var signedHeaders: Substring?
        var signature: Substring?
        for part in bytes[space...].split(separator: UInt8(ascii: ",")) {
            let (name, value) = try Self.field(part)
            switch name {
            case "Credential" where credential == nil: credential = value
            case "SignedHeaders" where signedHeaders == nil: signedHeaders = value
            case "Signature" where signature == nil: signature = value
            case "Credential", "SignedHeaders", "Signature": throw Self.notOnceEach()
            default: break
            }
        }
        guard let credential, let signedHeaders, let signature, !credential.isEmpty, !signedHeaders.isEmpty,
            !signature.isEmpty
        else {
            throw Self.malformed(
                "the authorization header requires three components: Credential, SignedHeaders, and Signature."
            )
        }
        self.credential = String(credential)
        self.signedHeaders = signedHeaders.utf8.split(
            separator: UInt8(ascii: ";"),
            omittingEmptySubsequences: false
        ).map { Substring($0) }
        self.signature = String(signature)
    }

    /// `name=value` with blanks around it.
    private static func field(_ part: Substring.UTF8View) throws(S3Error) -> (name: Substring, value: Substring) {
        let blank = UInt8(ascii: " ")
        let part = part.drop { $0 == blank }
        guard let equals = part.firstIndex(of: UInt8(ascii: "=")) else { throw notOnceEach() }
        let value = part[part.index(after: equals)...]
        return (Substring(part[..<equals]), Substring(value.last == blank ? value.dropLast() : value))
    }

    private static func notOnceEach() -> S3Error {
        malformed("the fields must be Credential, SignedHeaders and Signature, once each.")
    }

    private static func malformed(_ problem: String) -> S3Error {
        S3Error(.authorizationHeaderMalformed, "The authorization header is malformed; \(problem)")
    }

    private static func wrongScheme(_ scheme: Substring, _ text: String) -> S3Error {
        guard scheme == "AWS" else {
            return .invalidArgument("Unsupported Authorization Type", name: "Authorization", value: String(scheme))
        }
        return text.contains(":")
            ? SignatureClaim.unsupportedVersion()
            : .invalidArgument(
                "AWS authorization header is invalid.  Expected AwsAccessKeyId:signature",
                name: "Authorization",
                value: "AWS"
            )
    }
}
