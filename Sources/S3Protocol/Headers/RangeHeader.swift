/// One byte range of a `Range` header.
package enum RangeHeader: Hashable, Sendable {
    /// `bytes=A-B`, both inclusive.
    case closed(Int, Int)
    /// `bytes=A-`.
    case from(Int)
    /// `bytes=-N`: the last N.
    case suffix(Int)

    /// Reads a header. nil for what S3 ignores, so that the whole object is sent: another unit, bad syntax, a last
    /// byte before the first, or more than one range.
    package init?(_ text: String) {
        guard text.utf8.count <= 64, text.lowercased().hasPrefix("bytes=") else { return nil }
        let range = text.dropFirst(6)
        let parts = range.split(separator: "-", omittingEmptySubsequences: false)
        guard parts.count == 2 else { return nil }
        switch (Self.number(parts[0]), Self.number(parts[1])) {
        case (let first?, let last?) where first <= last: self = .closed(first, last)
        case (let first?, nil) where parts[1].isEmpty: self = .from(first)
        case (nil, let count?) where parts[0].isEmpty: self = .suffix(count)
        default: return nil
        }
    }

    /// Reads `x-amz-copy-source-range`, which has one form only and is never ignored.
    package static func copySource(_ text: String) throws(S3Error) -> ClosedRange<Int> {
        guard text.hasPrefix("bytes="), case .closed(let first, let last)? = RangeHeader(text) else {
            throw .invalidArgument(
                "The x-amz-copy-source-range value must be of the form bytes=first-last where first and last are the "
                    + "zero-based offsets of the first and last bytes to copy",
                name: "x-amz-copy-source-range",
                value: text
            )
        }
        return first...last
    }

    /// Digits only; more than an Int can hold counts as the greatest offset, which is past any object's end.
    private static func number(_ digits: some StringProtocol) -> Int? {
        guard !digits.isEmpty, digits.utf8.allSatisfy({ (48...57).contains($0) }) else { return nil }
        return Int(digits) ?? (Int.max - 1)
    }
}
