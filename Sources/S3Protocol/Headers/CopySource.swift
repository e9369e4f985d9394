import ObjectModel

/// `x-amz-copy-source`: a bucket, a key and a version, never a URL.
package struct CopySource: Hashable, Sendable {
    package var bucket: String
    package var key: String
    /// The text of `versionId`, nil when there is none.
    package var versionID: String?

    package init(_ text: String) throws(S3Error) {
        var path = text[...]
        var version: String?
        if let mark = text.utf8.firstIndex(of: UInt8(ascii: "?")) {
            let query = text[mark...]
            guard query.hasPrefix("?versionId="), !query.utf8.contains(UInt8(ascii: "&")) else {
                throw Self.invalid("Unsupported copy source parameter.", text)
            }
            version = String(query.dropFirst("?versionId=".count))
            path = text[..<mark]
        }
        if path.utf8.first == UInt8(ascii: "/") { path = path.dropFirst() }
        guard let decoded = PercentCoding.decodeText(path.utf8, plusIsSpace: true), !decoded.utf8.contains(0) else {
            throw Self.invalid("x-amz-copy-source must be URL-encoded UTF-8", text)
        }
        let rest = decoded.utf8.first == UInt8(ascii: "/") ? decoded.utf8.dropFirst() : decoded.utf8[...]
        guard let slash = rest.firstIndex(of: UInt8(ascii: "/")) else { throw Self.incomplete(text) }
        bucket = String(Substring(rest[..<slash]))
        key = String(Substring(rest[rest.index(after: slash)...]))
        guard !bucket.isEmpty, !key.isEmpty, !bucket.hasPrefix("arn:") else { throw Self.incomplete(text) }
        guard key.utf8.count <= Limits.keyLength else { throw S3Error(.keyTooLong) }
        if let version { try ObjectParameters.check(versionID: version, name: "x-amz-copy-source") }
        versionID = version
    }

    private static func incomplete(_ text: String) -> S3Error {
        invalid("Copy Source must mention the source bucket and key: sourcebucket/sourcekey", text)
    }

    private static func invalid(_ message: String, _ text: String) -> S3Error {
        .invalidArgument(message, name: "x-amz-copy-source", value: text)
    }
}
