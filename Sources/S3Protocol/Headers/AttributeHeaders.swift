import HTTPTypes
import ObjectModel

/// The headers that an object keeps: content type, the standard ones, user metadata, storage-class label.
package enum AttributeHeaders {
    private static let kept = [
        "cache-control", "content-disposition", "content-encoding", "content-language", "expires",
    ]
    private static let metadataPrefix = "x-amz-meta-"
    /// Characters of a storage-class label; AWS's longest has 19.
    private static let maximumLabelLength = 64

    /// Reads them from an upload's headers. Throws `MetadataTooLarge`, `InvalidArgument`, `InvalidStorageClass`.
    package static func attributes(_ headers: S3Headers) throws(S3Error) -> ObjectAttributes {
        var attributes = ObjectAttributes()
        var length = 0
        if let type = headers.value("content-type"), !type.isEmpty {
            attributes.contentType = type
            length += "content-type".utf8.count + type.utf8.count
        }
        for name in kept {
            guard var value = headers.value(name) else { continue }
            length += name.utf8.count + value.utf8.count
            if name == "content-encoding" { value = withoutChunking(value) }
            if !value.isEmpty { attributes.headers.append(.init(name: name, value: value)) }
        }
        try require(length, within: Limits.systemMetadataLength)
        attributes.metadata = try metadata(headers)
        attributes.storageClass = try storageClass(headers)
        return attributes
    }

    /// `x-amz-storage-class`: any label is kept and echoed; `storageClassNotSaid` when there is none.
    package static func storageClass(_ headers: S3Headers) throws(S3Error) -> String {
        guard let label = headers.value("x-amz-storage-class"), !label.isEmpty else {
            return ObjectAttributes.storageClassNotSaid
        }
        let isLabel = label.utf8.allSatisfy { PercentCoding.isUnreserved($0) }
        guard isLabel, label.utf8.count <= maximumLabelLength else {
            throw S3Error(.invalidStorageClass, details: [("StorageClassRequested", label)])
        }
        return label
    }

    private static func metadata(_ headers: S3Headers) throws(S3Error) -> [ObjectAttributes.Header] {
        var found: [ObjectAttributes.Header] = []
        var length = 0
        try headers.forEach(prefix: metadataPrefix) { (name, value) throws(S3Error) in
            let short = String(name.dropFirst(metadataPrefix.utf8.count))
            guard !short.isEmpty, HTTPField.Name(name) != nil, HTTPField.isValidValue(value) else {
                throw .invalidArgument("User metadata is malformed", name: name, value: "")
            }
            if let index = found.firstIndex(where: { $0.name == short }) {
                found[index].value += "," + value
                length += 1 + value.utf8.count
            } else {
                found.append(.init(name: short, value: value))
                length += short.utf8.count + value.utf8.count
            }
        }
        try require(length, within: Limits.userMetadataLength)
        return found.sorted { $0.name < $1.name }
    }

    private static func require(_ length: Int, within limit: Int) throws(S3Error) {
        guard length <= limit else {
            throw S3Error(
                .metadataTooLarge,
                details: [("Size", String(length)), ("MaxSizeAllowed", String(limit))]
            )
        }
    }

    /// `Content-Encoding` without `aws-chunked`, which is the transfer's and not the object's.
    private static func withoutChunking(_ value: String) -> String {
        guard value.lowercased().contains("aws-chunked") else { return value }
        let codings = value.split(separator: ",").filter { !isChunking($0) }
        return String(codings.joined(separator: ",").drop { $0 == " " })
    }

    /// Whether `Content-Encoding` has `aws-chunked` among its codings.
    package static func saysChunked(_ headers: S3Headers) -> Bool {
        headers.value("content-encoding")?.split(separator: ",").contains(where: isChunking) ?? false
    }

    private static func isChunking(_ coding: Substring) -> Bool {
        coding.filter { $0 != " " }.lowercased() == "aws-chunked"
    }
}

/// `response-content-type` and its kin: a signed GET may choose the headers of its answer.
package enum ResponseOverrides {
    private static let names: [(parameter: String, header: HTTPField.Name)] = [
        ("response-cache-control", .cacheControl), ("response-content-disposition", .contentDisposition),
        ("response-content-encoding", .contentEncoding), ("response-content-language", .contentLanguage),
        ("response-content-type", .contentType), ("response-expires", .expires),
    ]

    /// The overrides of a query. Throws `InvalidArgument` for values that no header can hold (CR, LF, control
    /// characters, and what is beyond Latin-1).
    package static func read(_ query: QueryParameters) throws(S3Error) -> [(HTTPField.Name, String)] {
        guard !query.isEmpty else { return [] }
        for parameter in query.parameters where parameter.name.hasPrefix("response-") {
            guard names.contains(where: { $0.parameter == parameter.name }) else {
                throw .invalidArgument(
                    "\(parameter.name) is not in the set of overridable response headers. Please refer to the S3 API "
                        + "documentation for a complete list of overridable response headers.",
                    name: parameter.name,
                    value: parameter.value
                )
            }
        }
        var found: [(HTTPField.Name, String)] = []
        for (parameter, header) in names {
            guard let value = query.value(parameter), !value.isEmpty else { continue }
            guard HTTPField.isValidValue(value), value.unicodeScalars.allSatisfy({ $0.value <= 0xFF }) else {
                throw .invalidArgument(
                    "Header value cannot be represented using ISO-8859-1.",
                    name: parameter,
                    value: ""
                )
            }
            found.append((header, value))
        }
        return found
    }
}
