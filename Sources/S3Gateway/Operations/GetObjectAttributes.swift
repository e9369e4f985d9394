import HTTPTypes
import ObjectInterface
import ObjectModel
import S3Protocol
internal import SystemInterface

extension S3Call {
    private static let attributeNames: Set<String> = [
        "ETag", "Checksum", "ObjectParts", "StorageClass", "ObjectSize",
    ]

    /// `GET ?attributes`: those that `x-amz-object-attributes` asks for.
    func getObjectAttributes() async throws(S3Error) -> S3Response {
        let wanted = try wantedAttributes()
        let limit = try partLimit()
        let marker = try partMarker()
        let request = GetRequest(
            bucket: target.bucket,
            key: target.key,
            version: try version(),
            conditions: readConditions(),
            isHead: true
        )
        let object = try await store { () throws(StorageError) in try await objects.get(request) }.object

        var xml = XMLWriter(capacity: 1_024 + object.parts.count * 128)
        xml.openRoot("GetObjectAttributesResponse")
        if wanted.contains("ETag") { xml.element("ETag", object.eTag) }
        if wanted.contains("Checksum"), let checksum = object.checksum {
            xml.open("Checksum")
            // The parts are counted elsewhere in this document; here the value stands alone.
            var plain = checksum
            plain.partCount = 0
            xml.checksum(plain, withType: true)
            xml.close("Checksum")
        }
        if wanted.contains("ObjectParts"), !object.parts.isEmpty {
            let isComposite = object.checksum?.kind == .composite
            xml.parts(object.parts, areListed: isComposite, after: marker, limit: limit)
        }
        if wanted.contains("StorageClass") { xml.element("StorageClass", object.attributes.storageClass) }
        if wanted.contains("ObjectSize") { xml.element("ObjectSize", object.length) }
        xml.close("GetObjectAttributesResponse")
        var response = S3Response.xml(xml.bytes)
        response.fields.append(HTTPField(name: .lastModified, value: S3Date.http(object.modified.milliseconds)))
        ObjectFields.append(request.version, to: &response.fields)
        return response
    }

    private func wantedAttributes() throws(S3Error) -> Set<String> {
        let text = headers.value("x-amz-object-attributes") ?? ""
        let names = text.split(separator: ",").map { $0.filter { $0 != " " } }
        guard !names.isEmpty else {
            throw S3Error(
                .invalidRequest,
                "The x-amz-object-attributes header specifying the attributes to be retrieved is either missing or "
                    + "empty"
            )
        }
        for name in names where !Self.attributeNames.contains(name) {
            throw .invalidArgument("Invalid attribute name specified.", name: "x-amz-object-attributes", value: name)
        }
        return Set(names)
    }

    private func partLimit() throws(S3Error) -> Int {
        guard let text = headers.value("x-amz-max-parts") else { return Limits.pageSize }
        guard let number = DecimalText.value(text) else {
            throw .invalidArgument(
                "Argument x-amz-max-parts must be an integer between 0 and 2147483647",
                name: "x-amz-max-parts",
                value: text
            )
        }
        return min(number, Limits.pageSize)
    }

    private func partMarker() throws(S3Error) -> Int {
        guard let text = headers.value("x-amz-part-number-marker") else { return 0 }
        guard let number = DecimalText.value(text) else {
            throw .invalidArgument(
                "Argument x-amz-part-number-marker must be an integer between 0 and 2147483647",
                name: "x-amz-part-number-marker",
                value: text
            )
        }
        return number
    }
}

extension XMLWriter {
    /// The parts of a multipart object. AWS lists them one by one only where the object's checksum is made of theirs.
    /// Their numbers are those that `partNumber` takes: the object's parts counted.
    fileprivate mutating func parts(_ parts: [PartSummary], areListed: Bool, after marker: Int, limit: Int) {
        open("ObjectParts")
        // What the SDKs call TotalPartsCount is PartsCount on the wire.
        element("PartsCount", parts.count)
        if areListed {
            let following = Array(zip(1..., parts)).drop { $0.0 <= marker }
            let page = following.prefix(limit)
            element("PartNumberMarker", marker)
            // A page of none is no page to go on from.
            if limit > 0 { element("NextPartNumberMarker", page.last?.0 ?? marker) }
            element("MaxParts", limit)
            element("IsTruncated", following.count > page.count && limit > 0)
            for (number, part) in page {
                open("Part")
                element("PartNumber", number)
                element("Size", part.length)
                checksum(part.checksum, withType: false)
                close("Part")
            }
        }
        close("ObjectParts")
    }
}
