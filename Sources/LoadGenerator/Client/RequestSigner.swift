import Crypto
import Glibc

/// The keys that requests are signed with, and the region that they are signed for.
package struct Credentials: Hashable, Sendable {
    package var accessKey: String
    package var secretKey: String
    package var region: String

    package init(accessKey: String, secretKey: String, region: String) {
        self.accessKey = accessKey
        self.secretKey = secretKey
        self.region = region
    }
}

/// How the bodies of PUTs are protected (AWS: Signature Calculations, payload options).
package enum PayloadMode: String, Hashable, Sendable, CaseIterable {
    /// `UNSIGNED-PAYLOAD`: what SDKs do over TLS; cheapest.
    case unsigned
    /// The SHA-256 of the body, signed: what SDKs do over plain HTTP.
    case signed
    /// `STREAMING-UNSIGNED-PAYLOAD-TRAILER` with a CRC-32 behind the body: boto3's default over TLS.
    case trailer
}

/// One request before it is signed.
package struct UnsignedRequest {
    var method: String
    /// Percent-encoded, from the root on.
    var path: String
    /// Percent-encoded, sorted by name, without the question mark.
    var query: String
    /// The value of `x-amz-content-sha256`.
    var payloadHash: String
    /// Further `x-amz-` headers to sign, sorted, each later in the alphabet than `x-amz-date`.
    var signedHeaders: [(name: String, value: String)] = []
    /// Headers that need no signature.
    var plainHeaders: [(name: String, value: String)] = []
    /// Bytes of the body as sent; nil when there is none.
    var contentLength: Int?

    package init(method: String, path: String, query: String = "", payloadHash: String = RequestSigner.unsignedPayload)
    {
        self.method = method
        self.path = path
        self.query = query
        self.payloadHash = payloadHash
    }
}

/// Signs requests with AWS Signature Version 4 in the `Authorization` header.
///
/// The signing key is kept for its day and the date's text for its second. Confined to one thread.
package struct RequestSigner {
    package static let unsignedPayload = "UNSIGNED-PAYLOAD"
    static let trailerPayload = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
    package static let emptyPayload = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

    private let credentials: Credentials
    private let host: String
    /// Seconds since 1970, from the caller's clock.
    private let clock: () -> Int
    private var second = -1
    private var timestamp = ""
    private var day = ""
    private var scope = ""
    private var keyed = HMAC<SHA256>(key: SymmetricKey(size: .bits256))

    package init(credentials: Credentials, host: String, clock: @escaping () -> Int = { time(nil) }) {
        self.credentials = credentials
        self.host = host
        self.clock = clock
    }

    /// The head of the request, signed, with the empty line that ends it.
    package mutating func head(_ request: UnsignedRequest) -> [UInt8] {
        refreshDate()
        var names = "host;x-amz-content-sha256;x-amz-date"
        var headers = "host:\(host)\nx-amz-content-sha256:\(request.payloadHash)\nx-amz-date:\(timestamp)\n"
        for (name, value) in request.signedHeaders {
            names += ";" + name
            headers += "\(name):\(value)\n"
        }
        let canonical =
            "\(request.method)\n\(request.path)\n\(request.query)\n\(headers)\n\(names)\n\(request.payloadHash)"
        let toSign = "AWS4-HMAC-SHA256\n\(timestamp)\n\(scope)\n\(Self.hexadecimal(Self.digest(canonical)))"
        var code = keyed
        Self.withBytes(toSign) { code.update(data: $0) }
        let signature = Self.hexadecimal(code.finalize())

        var head = "\(request.method) \(request.path)"
        if !request.query.isEmpty { head += "?" + request.query }
        head += " HTTP/1.1\r\n"
        for line in headers.utf8.split(separator: UInt8(ascii: "\n")) { head += "\(Substring(line))\r\n" }
        head += "authorization: AWS4-HMAC-SHA256 Credential=\(credentials.accessKey)/\(scope), "
        head += "SignedHeaders=\(names), Signature=\(signature)\r\n"
        for (name, value) in request.plainHeaders { head += "\(name): \(value)\r\n" }
        if let length = request.contentLength { head += "content-length: \(length)\r\n" }
        return Array((head + "\r\n").utf8)
    }

    private mutating func refreshDate() {
        let now = clock()
        guard now != second else { return }
        second = now
        var seconds = time_t(now)
        var parts = tm()
        gmtime_r(&seconds, &parts)
        func two(_ number: Int32) -> String { number < 10 ? "0\(number)" : "\(number)" }
        let today = "\(parts.tm_year + 1_900)\(two(parts.tm_mon + 1))\(two(parts.tm_mday))"
        timestamp = "\(today)T\(two(parts.tm_hour))\(two(parts.tm_min))\(two(parts.tm_sec))Z"
        guard today != day else { return }
        day = today
        scope = "\(day)/\(credentials.region)/s3/aws4_request"
        var key = SymmetricKey(data: Array("AWS4\(credentials.secretKey)".utf8))
        for part in [day, credentials.region, "s3", "aws4_request"] {
            key = SymmetricKey(data: HMAC<SHA256>.authenticationCode(for: Array(part.utf8), using: key))
        }
        keyed = HMAC<SHA256>(key: key)
    }

    private static func digest(_ text: String) -> SHA256.Digest {
        var hash = SHA256()
        withBytes(text) { hash.update(bufferPointer: $0) }
        return hash.finalize()
    }

    private static func withBytes(_ text: String, _ body: (UnsafeRawBufferPointer) -> Void) {
        var text = text
        text.withUTF8 { body(UnsafeRawBufferPointer($0)) }
    }

    static func hexadecimal(_ bytes: some Sequence<UInt8>) -> String {
        let digits: StaticString = "0123456789abcdef"
        return String(unsafeUninitializedCapacity: 64) { text in
            var count = 0
            for byte in bytes where count + 2 <= text.count {
                text[count] = digits.utf8Start[Int(byte >> 4)]
                text[count + 1] = digits.utf8Start[Int(byte & 15)]
                count += 2
            }
            return count
        }
    }

    /// Percent-encodes everything but `A-Z a-z 0-9 - . _ ~`, and `/` where it separates (AWS: UriEncode).
    static func percentEncoded(_ text: String, keepingSlash: Bool) -> String {
        var result: [UInt8] = []
        let digits = Array("0123456789ABCDEF".utf8)
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "a")...UInt8(ascii: "z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"),
                UInt8(ascii: "~"):
                result.append(byte)
            case UInt8(ascii: "/") where keepingSlash:
                result.append(byte)
            default:
                result += [UInt8(ascii: "%"), digits[Int(byte >> 4)], digits[Int(byte & 15)]]
            }
        }
        return String(decoding: result, as: UTF8.self)
    }
}
