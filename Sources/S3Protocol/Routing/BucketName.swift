/// The rules for bucket names (Amazon S3 User Guide, "General purpose bucket naming rules").
package enum BucketName {
    private static let forbiddenPrefixes = ["xn--", "sthree-", "amzn-s3-demo-"]
    private static let forbiddenSuffixes = ["-s3alias", "--ol-s3", "--x-s3", "--table-s3", ".mrap"]

    /// Whether a bucket may be created with this name.
    package static func isValid(_ name: String) -> Bool {
        let bytes = Array(name.utf8)
        guard (3...63).contains(bytes.count), bytes.allSatisfy(isAllowed), let first = bytes.first,
            let last = bytes.last, isAlphanumeric(first), isAlphanumeric(last)
        else { return false }
        // Each label between dots begins and ends with a letter or digit, as a host name's does.
        for (left, right) in zip(bytes, bytes.dropFirst())
        where left == UInt8(ascii: ".") && !isAlphanumeric(right) || right == UInt8(ascii: ".") && !isAlphanumeric(left)
        {
            return false
        }
        return !isAddress(name) && !forbiddenPrefixes.contains { name.hasPrefix($0) }
            && !forbiddenSuffixes.contains { name.hasSuffix($0) }
    }

    /// Whether a bucket may once have been made with this name: AWS's first rules allowed more than today's, and it
    /// looks for such a bucket, where it calls other names invalid.
    package static func mayBeAskedFor(_ name: String) -> Bool {
        (3...255).contains(name.utf8.count)
            && name.utf8.allSatisfy {
                isAllowed($0) || (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains($0) || $0 == UInt8(ascii: "_")
            }
    }

    private static func isAllowed(_ byte: UInt8) -> Bool {
        isAlphanumeric(byte) || byte == UInt8(ascii: "-") || byte == UInt8(ascii: ".")
    }

    private static func isAlphanumeric(_ byte: UInt8) -> Bool {
        (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte) || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
    }

    /// Looks like an IPv4 address.
    private static func isAddress(_ name: String) -> Bool {
        let parts = name.split(separator: ".", omittingEmptySubsequences: false)
        return parts.count == 4
            && parts.allSatisfy { (1...3).contains($0.utf8.count) && $0.utf8.allSatisfy { (48...57).contains($0) } }
    }
}
