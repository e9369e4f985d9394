import HTTPTypes
import S3Protocol

/// Requests as lines of text: `METHOD PATH?QUERY`, the host, then `name: value` each.
enum RequestText {
    static func line(_ bytes: ArraySlice<UInt8>) -> (HTTPRequest.Method, path: Substring, query: Substring)? {
        let words = String(decoding: bytes, as: UTF8.self).split(separator: " ", maxSplits: 1)
        guard words.count == 2, let method = HTTPRequest.Method(String(words[0])) else { return nil }
        let target = words[1].utf8
        let mark = target.firstIndex(of: UInt8(ascii: "?")) ?? target.endIndex
        let query = mark == target.endIndex ? "" : Substring(target[target.index(after: mark)...])
        return (method, Substring(target[..<mark]), query)
    }

    static func request(_ bytes: [UInt8]) -> SignedRequest? {
        let lines = bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
        guard lines.count >= 2, let (method, path, query) = line(lines[0]) else { return nil }
        let host = String(decoding: lines[1], as: UTF8.self)
        var fields = HTTPFields()
        for line in lines.dropFirst(2) {
            let parts = line.split(separator: UInt8(ascii: ":"), maxSplits: 1, omittingEmptySubsequences: false)
            guard parts.count == 2, let name = HTTPField.Name(String(decoding: parts[0], as: UTF8.self)) else {
                continue
            }
            var value = parts[1].drop { $0 == 0x20 }
            while value.last == 0x20 { value = value.dropLast() }
            let text = String(decoding: value, as: UTF8.self)
            guard HTTPField.isValidValue(text) else { continue }
            fields.append(HTTPField(name: name, value: text))
        }
        guard let target = try? RequestTarget(rawPath: path, host: host, domains: ["s3.amazonaws.com"]),
            let parameters = try? QueryParameters(query)
        else { return nil }
        return SignedRequest(method: method, target: target, query: parameters, host: host, fields: fields)
    }
}

enum RequestSeeds {
    private static let scope = "AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request"

    static func targets() -> [[UInt8]] {
        [
            "GET /b/a%2Fb%20c?partNumber=3&versionId=null", "PUT /b/k?uploadId=x&partNumber=10000",
            "GET /b?list-type=2&prefix=J&max-keys=2&delimiter=%2F&continuation-token=AWFi&encoding-type=url",
            "POST /b?delete", "GET /b/k?response-content-type=a%2Fb&response-expires=0", "GET /", "HEAD /a//../b",
            "PUT /b/%C3%A4?tagging", "DELETE /b/k?uploadId=1",
        ].map { Array($0.utf8) }
    }

    static func headers() -> [[UInt8]] {
        [
            """
            PUT /b/k
            s3.amazonaws.com
            Content-Type: a/b
            Content-Encoding: gzip, aws-chunked
            x-amz-meta-a: 1
            x-amz-checksum-crc32: AAAAAA==
            x-amz-sdk-checksum-algorithm: CRC32
            Content-MD5: 1B2M2Y8AsgTpgAmY7PhCfg==
            If-None-Match: *
            x-amz-tagging: a=b&c=d
            x-amz-storage-class: GLACIER
            """,
            """
            GET /b/k?x-amz-meta-b=2
            s3.amazonaws.com
            Range: bytes=0-9
            If-Match: W/"a", b
            If-Modified-Since: Fri, 24 May 2013 00:00:00 GMT
            x-amz-copy-source-range: bytes=1-2
            x-amz-trailer: x-amz-checksum-crc64nvme
            x-amz-checksum-algorithm: SHA256
            x-amz-checksum-type: COMPOSITE
            """,
            """
            PUT /b/k
            s3.amazonaws.com
            x-amz-checksum-xxhash128: MxGUd+3l3NXpcWQnaB1YYA==
            x-amz-sdk-checksum-algorithm: XXHASH128
            """,
        ].map { Array($0.utf8) }
    }

    static func requests() -> [[UInt8]] {
        let hash = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
        return [
            """
            GET /test.txt
            examplebucket.s3.amazonaws.com
            Range: bytes=0-9
            x-amz-content-sha256: \(hash)
            x-amz-date: 20130524T000000Z
            Authorization: AWS4-HMAC-SHA256 Credential=\(scope), SignedHeaders=host;range;x-amz-content-sha256;\
            x-amz-date, Signature=f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41
            """,
            """
            PUT /b/k?a=1&a=&b
            s3.amazonaws.com
            Date: Fri, 24 May 2013 00:00:00 GMT
            x-amz-content-sha256: STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER
            Authorization: AWS4-HMAC-SHA256 Credential=\(scope),SignedHeaders=date;host;x-amz-content-sha256,\
            Signature=00
            """,
            """
            GET /test.txt?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=\
            \(scope.replacing("/", with: "%2F"))&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400\
            &X-Amz-SignedHeaders=host&X-Amz-Signature=aeeed9bb
            examplebucket.s3.amazonaws.com
            """,
        ].map { Array($0.utf8) }
    }

    static func texts() -> [[UInt8]] {
        [
            "bytes=0-9", "bytes=-5", "bytes=7-", "Fri, 24 May 2013 00:00:00 GMT", "Friday, 24-May-13 00:00:00 GMT",
            "Fri May 24 00:00:00 2013", "2013-05-24T00:00:00.123+01:00", "20130524T000000Z", "/b/a%2Fb?versionId=null",
            "a=b&c=%C3%A4+x", "AWFi", "bucket.s3.local:9000", "1-2a-ff", "rs-4-2", "00112233445566778899aabbccddeeff",
            "W/\"a\", b", "\u{0}\u{0}\u{0}\u{0}\u{0}\u{0}\u{0}\u{1}",
        ].map { Array($0.utf8) }
    }
}
