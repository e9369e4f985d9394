import Checksums
import ObjectModel

/// What the lists have in common: prefix, delimiter, page size, encoding of names.
package struct ListParameters: Hashable, Sendable {
    package var prefix: String
    /// nil when absent or empty.
    package var delimiter: String?
    /// As the answer states it: at most `Limits.pageSize`.
    package var limit: Int
    package var encodesNames: Bool

    package init(_ query: QueryParameters, limitName: String) throws(S3Error) {
        prefix = query.value("prefix") ?? ""
        delimiter = query.value("delimiter").flatMap { $0.isEmpty ? nil : $0 }
        limit = try Self.limit(query, name: limitName)
        encodesNames = try Self.encodesNames(query)
    }

    private static func encodesNames(_ query: QueryParameters) throws(S3Error) -> Bool {
        guard let encoding = query.value("encoding-type"), !encoding.isEmpty else { return false }
        guard encoding.lowercased() == "url" else {
            throw .invalidArgument(
                "Invalid Encoding Method specified in Request",
                name: "encoding-type",
                value: encoding
            )
        }
        return true
    }

    /// `max-keys`, `max-uploads`, `max-parts`, `max-buckets`: 0 … 2147483647, cut to a page.
    package static func limit(_ query: QueryParameters, name: String) throws(S3Error) -> Int {
        guard let text = query.value(name), !text.isEmpty else { return Limits.pageSize }
        guard let number = DecimalText.signedValue(text), number <= Int(Int32.max) else {
            throw .invalidArgument(
                "Provided \(name) not an integer or within integer range",
                name: name,
                value: text
            )
        }
        guard number >= 0 else {
            // So AWS calls this one here, and clients compare the words.
            let argument = name == "max-keys" ? "maxKeys" : name
            throw .invalidArgument(
                "Argument \(argument) must be an integer between 0 and 2147483647",
                name: argument,
                value: text
            )
        }
        return min(number, Limits.pageSize)
    }

    /// A marker number such as `part-number-marker`.
    package static func marker(_ query: QueryParameters, name: String) throws(S3Error) -> Int {
        guard let text = query.value(name), !text.isEmpty else { return 0 }
        guard let number = DecimalText.value(text), (0...Int(Int32.max)).contains(number) else {
            throw .invalidArgument(
                "Argument \(name) must be an integer between 0 and 2147483647",
                name: name,
                value: text
            )
        }
        return number
    }
}

/// The opaque token of ListObjectsV2 and ListBuckets: base64 of a version byte and the name to go on after.
package enum ContinuationToken {
    private static let version: UInt8 = 1

    package static func encode(after name: String) -> String { Base64.encode([version] + Array(name.utf8)) }

    package static func decode(_ token: String) throws(S3Error) -> String {
        guard let bytes = Base64.decode(token), bytes.first == version,
            let name = String(validating: bytes.dropFirst(), as: UTF8.self)
        else {
            throw .invalidArgument(
                "The continuation token provided is incorrect",
                name: "continuation-token",
                value: token
            )
        }
        return name
    }
}

/// `partNumber` and `versionId`.
package enum ObjectParameters {
    /// The part number of an upload: 1 … 10,000.
    package static func uploadPartNumber(_ query: QueryParameters) throws(S3Error) -> Int {
        let text = query.value("partNumber") ?? ""
        guard let number = DecimalText.value(text), (1...Limits.partCount).contains(number) else {
            throw .invalidArgument(
                "Part number must be an integer between 1 and 10000, inclusive",
                name: "partNumber",
                value: text
            )
        }
        return number
    }

    /// The part number of a GET or HEAD; nil when there is none.
    package static func readPartNumber(_ query: QueryParameters) throws(S3Error) -> Int? {
        guard query.contains("partNumber") else { return nil }
        return try uploadPartNumber(query)
    }

    /// The text of `versionId`; nil when there is none.
    package static func versionID(_ query: QueryParameters) throws(S3Error) -> String? {
        guard !query.isEmpty, let text = query.value("versionId") else { return nil }
        try check(versionID: text, name: "versionId")
        return text
    }

    /// Refuses what cannot be a version id: AWS's are `null` or 32 characters of base64's URL alphabet and `.`.
    package static func check(versionID text: String, name: String) throws(S3Error) {
        guard !text.isEmpty else {
            throw .invalidArgument("Version id cannot be the empty string", name: name, value: text)
        }
        guard isVersionID(text) else {
            throw .invalidArgument("Invalid version id specified", name: name, value: text)
        }
    }

    package static func isVersionID(_ text: String) -> Bool {
        text == "null" || text.utf8.count == versionIDLength && text.utf8.allSatisfy { PercentCoding.isUnreserved($0) }
    }

    private static let versionIDLength = 32

}
