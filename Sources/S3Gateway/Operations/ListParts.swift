import ObjectInterface
import ObjectModel
import S3Protocol
internal import SystemInterface

extension S3Call {
    /// `GET ?uploadId=U`.
    func listParts() async throws(S3Error) -> S3Response {
        let limit = try ListParameters.limit(query, name: "max-parts")
        let marker = try ListParameters.marker(query, name: "part-number-marker")
        let page = try await store { () throws(StorageError) in
            try await objects.listParts(
                bucket: target.bucket,
                key: target.key,
                upload: uploadID,
                after: marker,
                limit: limit
            )
        }
        let owner = await ownerName()

        var xml = XMLWriter(capacity: 1_024 + page.parts.count * 256)
        xml.openRoot("ListPartsResult")
        xml.element("Bucket", target.bucket)
        xml.element("Key", target.key)
        xml.element("UploadId", uploadID.text)
        xml.owner("Initiator", id: owner.id, displayName: owner.displayName)
        xml.owner("Owner", id: owner.id, displayName: owner.displayName)
        xml.element("StorageClass", page.upload.attributes.storageClass)
        xml.checksumChoice(page.upload)
        xml.element("PartNumberMarker", marker)
        xml.element("NextPartNumberMarker", page.parts.last?.number ?? 0)
        xml.element("MaxParts", limit)
        // A page of none is no page to go on from.
        xml.element("IsTruncated", page.isTruncated && limit > 0)
        for part in page.parts {
            xml.open("Part")
            xml.element("PartNumber", part.number)
            xml.date("LastModified", part.modified.milliseconds)
            xml.quotedETag("ETag", part.eTag)
            xml.element("Size", part.length)
            xml.checksum(part.checksum, withType: false)
            xml.close("Part")
        }
        xml.close("ListPartsResult")
        return .xml(xml.bytes)
    }
}
