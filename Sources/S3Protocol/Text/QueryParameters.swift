/// The parameters of a query string, decoded once, in the order they came.
package struct QueryParameters: Sendable {
    package struct Parameter: Hashable, Sendable {
        package var name: String
        package var value: String
        /// `name=` and `name` differ for nothing in S3 but the look of a sub-resource.
        package var hasValue: Bool
    }

    package private(set) var parameters: [Parameter] = []

    /// More parameters than any S3 request has; presigned URLs with metadata come to some dozens.
    package static let maximumCount = 256

    package static let empty = QueryParameters()

    private init() {}

    /// Parses what follows the `?`. Throws `InvalidURI` for bad escapes, text that is not UTF-8 and NUL.
    package init(_ raw: Substring) throws(S3Error) {
        guard !raw.isEmpty else { return }
        for part in raw.utf8.split(separator: UInt8(ascii: "&")) {
            let separator = part.firstIndex(of: UInt8(ascii: "="))
            let rawName = part[..<(separator ?? part.endIndex)]
            let rawValue = separator.map { part[part.index(after: $0)...] }
            guard let name = Self.text(rawName), let value = rawValue.map(Self.text) ?? "",
                parameters.count < Self.maximumCount
            else { throw S3Error(.invalidURI) }
            if name.isEmpty && value.isEmpty { continue }
            parameters.append(Parameter(name: name, value: value, hasValue: separator != nil))
        }
    }

    package var isEmpty: Bool { parameters.isEmpty }

    package func contains(_ name: String) -> Bool { parameters.contains { $0.name == name } }

    /// The first value of that exact name.
    package func value(_ name: String) -> String? { parameters.first { $0.name == name }?.value }

    private static func text(_ raw: Substring.UTF8View) -> String? {
        guard raw.contains(where: { $0 == UInt8(ascii: "%") || $0 == UInt8(ascii: "+") || $0 >= 0x80 || $0 == 0 })
        else {
            return String(Substring(raw))
        }
        guard let text = PercentCoding.decodeText(raw, plusIsSpace: true), !text.utf8.contains(0) else { return nil }
        return text
    }
}
