import ObjectModel

/// What a request names: nothing, a bucket, or a key in a bucket. Decoded once, from the raw path and the host.
///
/// S3 normalizes nothing: `//`, `.` and `..` are ordinary text of a key, and `%2F` is a slash, for the router and for
/// the signature alike, because both work from this one decoding.
package struct RequestTarget: Hashable, Sendable {
    /// Empty for the service itself.
    package var bucket: String
    /// Empty for the bucket itself.
    package var key: String
    /// The decoded path as a whole, with its leading slash: what SigV4's canonical URI is made of.
    package var path: [UInt8]

    /// Reads a target. `domains` are the names under which `BUCKET.DOMAIN` is a bucket (virtual-host style), in lower
    /// case. Throws `InvalidURI` for bad escapes, text that is not UTF-8 and NUL, `KeyTooLongError` for long keys.
    package init(rawPath: Substring, host: String, domains: [String]) throws(S3Error) {
        guard rawPath.utf8.first == UInt8(ascii: "/"), let path = PercentCoding.decode(rawPath.utf8),
            !path.contains(0), let text = String(validating: path, as: UTF8.self)
        else { throw S3Error(.invalidURI) }
        self.path = path
        if let bucket = Self.virtualBucket(host: host, domains: domains) {
            self.bucket = bucket
            key = String(Substring(text.utf8.dropFirst()))
        } else {
            let rest = text.utf8.dropFirst()
            let slash = rest.firstIndex(of: UInt8(ascii: "/"))
            bucket = String(Substring(rest[..<(slash ?? rest.endIndex)]))
            key = slash.map { String(Substring(rest[rest.index(after: $0)...])) } ?? ""
            guard !bucket.isEmpty || key.isEmpty else { throw S3Error(.invalidBucketName) }
        }
        guard key.utf8.count <= Limits.keyLength else {
            throw S3Error(
                .keyTooLong,
                details: [("Size", String(key.utf8.count)), ("MaxSizeAllowed", String(Limits.keyLength))]
            )
        }
    }

    /// The bucket that a host names; nil for path style.
    package static func virtualBucket(host: String, domains: [String]) -> String? {
        guard !domains.isEmpty else { return nil }
        var name = host.lowercased()
        if let colon = name.utf8.lastIndex(of: UInt8(ascii: ":")), !name.hasSuffix("]") {
            name = String(name[..<colon])
        }
        // A domain that ends with another one is no bucket of that.
        guard !domains.contains(name) else { return nil }
        for domain in domains where name.hasSuffix("." + domain) {
            let bucket = String(Substring(name.utf8.dropLast(domain.utf8.count + 1)))
            if !bucket.isEmpty { return bucket }
        }
        return nil
    }
}
