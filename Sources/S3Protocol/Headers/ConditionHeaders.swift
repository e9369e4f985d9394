/// The conditional headers of a read, or those of a copy's source.
package struct ConditionHeaders: Hashable, Sendable {
    /// ETags without quotes; `*` is any.
    package var ifMatch: [String]?
    package var ifNoneMatch: [String]?
    /// Milliseconds since 1970.
    package var ifModifiedSince: Int64?
    package var ifUnmodifiedSince: Int64?

    /// Reads `If-Match` and so on, or with `prefix` `x-amz-copy-source-` the same of a copy's source. A date that is
    /// none is ignored (RFC 9110 §13.1.3), and so is a modification since a time that is still to come: after `now`,
    /// in milliseconds since 1970 (AWS; RFC 2616 §14.25).
    package init(_ headers: S3Headers, prefix: String = "", now: Int64) {
        ifMatch = headers.value(prefix + "if-match").map(Self.eTags)
        ifNoneMatch = headers.value(prefix + "if-none-match").map(Self.eTags)
        ifModifiedSince = headers.value(prefix + "if-modified-since").flatMap(Self.date).flatMap { $0 > now ? nil : $0 }
        ifUnmodifiedSince = headers.value(prefix + "if-unmodified-since").flatMap(Self.date)
    }

    package var isEmpty: Bool {
        ifMatch == nil && ifNoneMatch == nil && ifModifiedSince == nil && ifUnmodifiedSince == nil
    }

    package enum Outcome: Hashable, Sendable {
        case proceed
        case notModified
        /// With the header that did not hold.
        case failed(String)
    }

    /// Evaluates the conditions in the order of RFC 9110 §13.2.2. `modified` is cut to seconds, as the client saw it.
    package func outcome(eTag: String, modified: Int64) -> Outcome {
        let seconds = modified / 1_000 * 1_000
        if let ifMatch {
            guard Self.matches(ifMatch, eTag) else { return .failed("If-Match") }
        } else if let ifUnmodifiedSince, seconds > ifUnmodifiedSince {
            return .failed("If-Unmodified-Since")
        }
        if let ifNoneMatch {
            if Self.matches(ifNoneMatch, eTag) { return .notModified }
        } else if let ifModifiedSince, seconds <= ifModifiedSince {
            return .notModified
        }
        return .proceed
    }

    private static func matches(_ candidates: [String], _ eTag: String) -> Bool {
        candidates.contains { $0 == "*" || $0 == eTag }
    }

    /// A list of ETags, with or without quotes, weak or not.
    package static func eTags(_ text: String) -> [String] {
        text.split(separator: ",").map { part in
            var tag = part.drop { $0 == " " }
            while tag.last == " " { tag = tag.dropLast() }
            if tag.hasPrefix("W/") { tag = tag.dropFirst(2) }
            return unquoted(String(tag))
        }
    }

    package static func unquoted(_ text: String) -> String {
        // Each by itself: AWS takes a tag of which one quote is missing.
        let opened = text.utf8.first == UInt8(ascii: "\"") ? text.utf8.dropFirst() : text.utf8[...]
        return String(Substring(opened.last == UInt8(ascii: "\"") ? opened.dropLast() : opened))
    }

    private static func date(_ text: String) -> Int64? { S3Date.parseHTTP(text) ?? S3Date.parseISO8601(text) }
}

/// What `If-Range` names (RFC 9110 §13.1.5).
package enum RangeValidator: Hashable, Sendable {
    /// Without quotes.
    case eTag(String)
    /// Milliseconds since 1970.
    case date(Int64)
    /// A weak ETag, or what is neither: no version has it.
    case none

    package init(_ text: String) {
        if let date = S3Date.parseHTTP(text) {
            self = .date(date)
        } else {
            self = text.hasPrefix("W/") || text.isEmpty ? .none : .eTag(ConditionHeaders.unquoted(text))
        }
    }
}

/// The condition of a write. AWS takes `If-None-Match: *` and `If-Match: "etag"`; other stores also `If-Match: *` and
/// `If-None-Match: "etag"`, which mean what RFC 9110 §13.1 says.
package enum WriteConditionHeader: Hashable, Sendable {
    case none
    case isAbsent
    /// An ETag without quotes.
    case matches(String)
    /// An ETag without quotes that the key must not have.
    case differs(String)

    package init(_ headers: S3Headers) throws(S3Error) {
        for name in ["if-modified-since", "if-unmodified-since"] where headers.contains(name) {
            throw .notImplemented(header: name)
        }
        let match = headers.value("if-match")
        switch (headers.value("if-none-match"), match) {
        case (nil, nil): self = .none
        case ("*"?, nil): self = .isAbsent
        case (nil, let text?): self = .matches(try Self.oneTag(text, of: "If-Match"))
        case (let text?, nil): self = .differs(try Self.oneTag(text, of: "If-None-Match"))
        default: throw .notImplemented(header: "If-None-Match")
        }
    }

    private static func oneTag(_ text: String, of header: String) throws(S3Error) -> String {
        let tags = ConditionHeaders.eTags(text)
        guard tags.count == 1, let tag = tags.first, !tag.isEmpty else { throw .notImplemented(header: header) }
        return tag
    }
}
