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
        self = try S3Body.parse(bytes) { (root) throws(XMLError) in try Self(root) }
        if let part = parts.first(where: { $0.number < 1 }) {
            throw .invalidArgument("PartNumber must be >= 1", name: "PartNumber", value: String(part.number))
        }
        for (previous, part) in zip(parts, parts.dropFirst()) where part.number <= previous.number {
            throw S3Error(.invalidPartOrder)
        }
    }

    private init(_ root: XMLElement) throws(XMLError) {
        guard root.name == "CompleteMultipartUpload" || root.name == "CompleteMultipartUploadRequest" else {
            throw .unexpected
        }
        try root.requireChildren(["Part"])
        guard (1...Limits.partCount).contains(root.children.count) else { throw .unexpected }
        parts = []
        parts.reserveCapacity(root.children.count)
        for element in root.children { parts.append(try Self.part(element)) }
    }

    private static func part(_ element: XMLElement) throws(XMLError) -> Part {
        var number: Int?
        var eTag: String?
        var checksum: ChecksumHeaders.Value?
        for child in element.children {
            guard child.children.isEmpty else { throw .unexpected }
            switch child.name {
            case "PartNumber":
                guard number == nil, let value = DecimalText.value(child.text), value <= Limits.partCount else {
                    throw .unexpected
                }
                number = value
            case "ETag":
                guard eTag == nil else { throw .unexpected }
                eTag = ConditionHeaders.unquoted(child.text)
            default:
                guard checksum == nil, child.name.hasPrefix("Checksum"),
                    let algorithm = ChecksumHeaders.algorithm(named: String(child.name.dropFirst("Checksum".count))),
                    let value = ChecksumHeaders.Value(algorithm: algorithm, text: child.text)
                else { throw .unexpected }
                checksum = value
            }
        }
        guard let number, let eTag else { throw .unexpected }
        return Part(number: number, eTag: eTag, checksum: checksum)
    }
}
