import ObjectInterface
import ObjectModel
import S3Protocol
internal import SystemInterface

extension S3Call {
    /// `GET /bucket`: the first version of the list, with markers.
    func listObjects() async throws(S3Error) -> S3Response {
        let parameters = try ListParameters(query, limitName: "max-keys")
        let marker = query.value("marker") ?? ""
        let page = try await page(parameters, after: marker)
        let owner = await ownerName()

        var xml = XMLWriter(capacity: 1_024 + page.entries.count * 512)
        let encoded = parameters.encodesNames
        xml.openRoot("ListBucketResult")
        xml.element("Name", target.bucket)
        xml.name("Prefix", parameters.prefix, encoded: encoded && Self.mustEncode(prefix: parameters.prefix))
        xml.name("Marker", marker, encoded: encoded)
        if page.isTruncated, parameters.delimiter != nil, let last = page.entries.last {
            xml.name("NextMarker", last.name, encoded: encoded)
        }
        xml.element("MaxKeys", parameters.limit)
        xml.listOptions(parameters)
        xml.element("IsTruncated", page.isTruncated)
        xml.entries(page, encoded: encoded, owner: owner)
        xml.close("ListBucketResult")
        return inRegion(.xml(xml.bytes))
    }

    /// Some clients decode it in this version of the list (the SDKs for Java), some do not (botocore): it is encoded
    /// only where XML could not carry it, or where decoding would change it.
    private static func mustEncode(prefix: String) -> Bool {
        prefix.utf8.contains(UInt8(ascii: "%")) || prefix.utf8.contains(UInt8(ascii: "+"))
            || !XMLWriter.canCarry(prefix)
    }

    /// One page of the bucket.
    func page(_ parameters: ListParameters, after: String) async throws(S3Error) -> ListPage {
        let request = ListRequest(
            bucket: target.bucket,
            prefix: parameters.prefix,
            delimiter: parameters.delimiter ?? "",
            after: after,
            limit: parameters.limit
        )
        return try await store { () throws(StorageError) in try await objects.list(request) }
    }

    /// The owner of everything in a private bucket.
    func ownerName() async -> (id: String, displayName: String) {
        let owner = bucket?.owner ?? principal.user
        return (owner.text, await displayName(of: owner))
    }
}

extension XMLWriter {
    /// `Delimiter` and `EncodingType`, where given.
    mutating func listOptions(_ parameters: ListParameters) {
        if let delimiter = parameters.delimiter { name("Delimiter", delimiter, encoded: parameters.encodesNames) }
        if parameters.encodesNames { element("EncodingType", "url") }
    }

    /// `Contents`, then `CommonPrefixes`.
    mutating func entries(_ page: ListPage, encoded: Bool, owner: (id: String, displayName: String)?) {
        for entry in page.entries {
            guard case .object(let object) = entry else { continue }
            open("Contents")
            name("Key", object.key, encoded: encoded)
            summary(object)
            if let owner { self.owner("Owner", id: owner.id, displayName: owner.displayName) }
            element("StorageClass", object.attributes.storageClass)
            close("Contents")
        }
        commonPrefixes(page, encoded: encoded)
    }

    mutating func commonPrefixes(_ page: ListPage, encoded: Bool) {
        for entry in page.entries {
            guard case .commonPrefix(let prefix) = entry else { continue }
            commonPrefix(prefix, encoded: encoded)
        }
    }

    mutating func commonPrefix(_ prefix: String, encoded: Bool) {
        open("CommonPrefixes")
        name("Prefix", prefix, encoded: encoded)
        close("CommonPrefixes")
    }

    /// Date, ETag, checksum and size.
    mutating func summary(_ object: ObjectSummary) {
        date("LastModified", object.modified.milliseconds)
        quotedETag("ETag", object.eTag)
        if let checksum = object.checksum {
            element("ChecksumAlgorithm", ChecksumHeaders.name(checksum.algorithm))
            element("ChecksumType", ChecksumHeaders.name(checksum.kind))
        }
        element("Size", object.length)
    }
}
