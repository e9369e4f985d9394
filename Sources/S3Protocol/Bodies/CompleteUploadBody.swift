import ObjectModel

/// The `CompleteMultipartUpload` document.
package struct CompleteUploadBody: Hashable, Sendable {
    package struct Part: Hashable, Sendable {
        package var number: Int
        /// Without quotes; empty where the client says so, which is no part's.
        package var eTag: String
        package var checksum: ChecksumHeaders.Value?
    }

    /// In the client's order, which is checked to ascend.
    package var parts: [Part]

    package init(_ bytes: [UInt8]) throws(S3Error) {
        guard !bytes.isEmpty else { throw S3Error(.malformedXML) }
        let listed = try S3Body.parse(bytes) { (root) throws(XMLError) in try Self.listed(root) }
        parts = []
        parts.reserveCapacity(listed.count)
        for part in listed { parts.append(try part.checked()) }
        if let part = parts.first(where: { $0.number < 1 }) {
            throw .invalidArgument("PartNumber must be >= 1", name: "PartNumber", value: String(part.number))
        }
        for (previous, part) in zip(parts, parts.dropFirst()) where part.number <= previous.number {
            throw S3Error(.invalidPartOrder)
        }
    }

    private static func listed(_ root: XMLElement) throws(XMLError) -> [ListedPart] {
        guard root.name == "CompleteMultipartUpload" || root.name == "CompleteMultipartUploadRequest" else {
            throw .unexpected
        }
        try root.requireChildren(["Part"])
        guard (1...Limits.partCount).contains(root.children.count) else { throw .unexpected }
        var listed: [ListedPart] = []
        listed.reserveCapacity(root.children.count)
        for element in root.children { listed.append(try ListedPart(element)) }
        return listed
    }
}

/// A `Part` that follows the schema; what it says of its checksum may be none.
private struct ListedPart {
    var number: Int
    var eTag: String
    var checksums: [(algorithm: ObjectChecksum.Algorithm, text: String)] = []

    init(_ element: XMLElement) throws(XMLError) {
        var number: Int?
        var eTag: String?
        for child in element.children {
            guard child.children.isEmpty else { throw .unexpected }
            switch child.name {
            case "PartNumber":
                // One that no part can have is looked for as any other, and not found.
                guard number == nil, let value = DecimalText.signedValue(S3Body.collapsed(child.text)) else {
                    throw .unexpected
                }
                number = value
            case "ETag":
                guard eTag == nil else { throw .unexpected }
                eTag = ConditionHeaders.unquoted(child.text)
            default:
                guard child.name.hasPrefix("Checksum"),
                    let algorithm = ChecksumHeaders.algorithm(named: String(child.name.dropFirst("Checksum".count)))
                else { throw .unexpected }
                checksums.append((algorithm, child.text))
            }
        }
        guard let number, let eTag else { throw .unexpected }
        self.number = number
        self.eTag = eTag
    }

    /// AWS has an error of its own for checksums, and tells those that were given.
    func checked() throws(S3Error) -> CompleteUploadBody.Part {
        let value = checksums.first.flatMap { ChecksumHeaders.Value(algorithm: $0.algorithm, text: $0.text) }
        guard checksums.isEmpty || checksums.count == 1 && value != nil else {
            throw .invalidArgument(
                "Invalid Base64 or multiple checksums present in request",
                name: "Checksum",
                value: checksums.map { ChecksumHeaders.name($0.algorithm) + ":" + $0.text + ";" }.joined()
            )
        }
        return CompleteUploadBody.Part(number: number, eTag: eTag, checksum: value)
    }
}
