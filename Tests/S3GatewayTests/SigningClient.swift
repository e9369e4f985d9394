import Checksums
import ObjectInterface
import ObjectModel
import S3Protocol

/// Signs requests as a client does, written apart from the verifier: text by text, after AWS's description.
struct SigningClient {
    enum Payload {
        case signed
        case unsigned
        case chunked
        case chunkedTrailer
        case unsignedTrailer
    }

    var credential = MemoryCredentials.alice
    var now: Int64
    var region = "us-east-1"
    var host = "127.0.0.1"

    private var timestamp: String { S3Date.basic(now) }
    private var day: String { String(timestamp.prefix(8)) }
    private var scope: String { "\(day)/\(region)/s3/aws4_request" }

    private var key: [UInt8] {
        var key = Array(("AWS4" + credential.secretKey).utf8)
        for part in [day, region, "s3", "aws4_request"] { key = HMACSHA256.code(Array(part.utf8), key: key) }
        return key
    }

    private func sign(_ text: String) -> String { Hexadecimal.text(HMACSHA256.code(Array(text.utf8), key: key)) }

    static func sha256(_ bytes: [UInt8]) -> String { Hexadecimal.text(MessageDigest.sha256.digest(bytes)) }

    /// The bytes of a signed request. `path` is as it goes over the wire; `unsigned` headers are added after signing.
    func request(
        _ method: String,
        _ path: String,
        headers: [(String, String)] = [],
        body: [UInt8] = [],
        payload: Payload = .signed,
        unsigned: [(String, String)] = [],
        tamper: (String) -> String = { $0 }
    ) -> [UInt8] {
        var headers = headers.map { ($0.0.lowercased(), $0.1) }
        headers.append(("host", host))
        headers.append(("x-amz-date", timestamp))
        var trailer = ""
        if case .chunkedTrailer = payload { trailer = crc32(body) }
        if case .unsignedTrailer = payload { trailer = crc32(body) }
        headers.append(("x-amz-content-sha256", payloadHash(payload, body)))
        if !trailer.isEmpty { headers.append(("x-amz-trailer", "x-amz-checksum-crc32")) }
        var isFramed = true
        switch payload {
        case .signed, .unsigned: isFramed = false
        default:
            headers.append(("x-amz-decoded-content-length", String(body.count)))
            headers.append(("content-encoding", "aws-chunked"))
        }
        let signature = self.signature(method, path, headers)
        let names = headers.map(\.0).sorted().joined(separator: ";")
        let authorization =
            "AWS4-HMAC-SHA256 Credential=\(credential.accessKey)/\(scope), SignedHeaders=\(names), "
            + "Signature=\(tamper(signature))"
        let sent = isFramed ? framed(body, payload, signature, trailer, tamper) : body
        var text = "\(method) \(path) HTTP/1.1\r\n"
        for (name, value) in headers + unsigned { text += "\(name): \(value)\r\n" }
        text += "authorization: \(authorization)\r\n"
        if method == "PUT" || method == "POST" || !sent.isEmpty { text += "content-length: \(sent.count)\r\n" }
        return Array((text + "\r\n").utf8) + sent
    }

    private func crc32(_ body: [UInt8]) -> String {
        "x-amz-checksum-crc32:" + Base64.encode(body.withUnsafeBytes { ChecksumAlgorithm.crc32.digest($0) })
    }

    private func payloadHash(_ payload: Payload, _ body: [UInt8]) -> String {
        switch payload {
        case .signed: Self.sha256(body)
        case .unsigned: "UNSIGNED-PAYLOAD"
        case .chunked: "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
        case .chunkedTrailer: "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"
        case .unsignedTrailer: "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
        }
    }

    /// The path's query must be encoded as SigV4 wants it already.
    private func signature(_ method: String, _ path: String, _ headers: [(String, String)]) -> String {
        let parts = path.split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
        let query =
            parts.count > 1
            ? parts[1].split(separator: "&").map { $0.contains("=") ? String($0) : $0 + "=" }.sorted().joined(
                separator: "&"
            )
            : ""
        let sorted = headers.sorted { $0.0 < $1.0 }
        let hash = headers.first { $0.0 == "x-amz-content-sha256" }?.1 ?? "UNSIGNED-PAYLOAD"
        let canonical =
            "\(method)\n\(parts[0])\n\(query)\n" + sorted.map { "\($0.0):\($0.1)\n" }.joined()
            + "\n" + sorted.map(\.0).joined(separator: ";") + "\n" + hash
        return sign("AWS4-HMAC-SHA256\n\(timestamp)\n\(scope)\n\(Self.sha256(Array(canonical.utf8)))")
    }

    /// A presigned path.
    func presigned(_ method: String, _ path: String, expires: Int = 600, extra: String = "") -> String {
        let credential = PercentCoding.encode("\(credential.accessKey)/\(scope)", keepsSlash: false)
        let query =
            "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=\(credential)&X-Amz-Date=\(timestamp)"
            + "&X-Amz-Expires=\(expires)&X-Amz-SignedHeaders=host" + extra
        let full = path + (path.contains("?") ? "&" : "?") + query
        return full + "&X-Amz-Signature=" + signature(method, full, [("host", host)])
    }

    // MARK: Chunks

    private func framed(
        _ body: [UInt8],
        _ payload: Payload,
        _ seed: String,
        _ trailer: String,
        _ tamper: (String) -> String
    ) -> [UInt8] {
        var output: [UInt8] = []
        var previous = seed
        var chunks = stride(from: 0, to: body.count, by: 64 << 10).map {
            Array(body[$0..<min($0 + (64 << 10), body.count)])
        }
        chunks.append([])
        for chunk in chunks {
            var line = String(chunk.count, radix: 16)
            if case .unsignedTrailer = payload {
            } else {
                let text =
                    "AWS4-HMAC-SHA256-PAYLOAD\n\(timestamp)\n\(scope)\n\(previous)\n"
                    + "\(Self.sha256([]))\n\(Self.sha256(chunk))"
                previous = sign(text)
                line += ";chunk-signature=" + previous
            }
            output += Array((line + "\r\n").utf8) + chunk
            if !chunk.isEmpty { output += Array("\r\n".utf8) }
        }
        if !trailer.isEmpty { output += Array((trailer + "\r\n").utf8) }
        if case .chunkedTrailer = payload {
            let text =
                "AWS4-HMAC-SHA256-TRAILER\n\(timestamp)\n\(scope)\n\(previous)\n"
                + Self.sha256(Array((trailer + "\n").utf8))
            output += Array("x-amz-trailer-signature:\(sign(text))\r\n".utf8)
        }
        return output + Array("\r\n".utf8)
    }
}
