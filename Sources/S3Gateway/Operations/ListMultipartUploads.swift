import ObjectInterface
import ObjectModel
import S3Protocol
internal import SystemInterface

extension S3Call {
    /// `GET /bucket?uploads`: the uploads in progress, by key and then by age.
    func listMultipartUploads() async throws(S3Error) -> S3Response {
        let parameters = try ListParameters(query, limitName: "max-uploads")
        let keyMarker = query.value("key-marker") ?? ""
        // Without a key marker, AWS ignores an upload marker.
        let uploadMarker = keyMarker.isEmpty ? "" : query.value("upload-id-marker") ?? ""
        let request = ListUploadsRequest(
            bucket: target.bucket,
            prefix: parameters.prefix,
            delimiter: parameters.delimiter ?? "",
            keyMarker: keyMarker,
            uploadMarker: uploadMarker,
            limit: parameters.limit
        )
        let page = try await store { () throws(StorageError) in try await objects.listUploads(request) }
        let owner = await ownerName()

        var xml = XMLWriter(capacity: 1_024 + page.uploads.count * 640)
        let encoded = parameters.encodesNames
        xml.openRoot("ListMultipartUploadsResult")
        xml.element("Bucket", target.bucket)
        xml.name("KeyMarker", keyMarker, encoded: encoded)
        xml.element("UploadIdMarker", uploadMarker)
        // AWS names the end of the last page, too.
        xml.name("NextKeyMarker", page.nextKeyMarker, encoded: encoded)
        xml.element("NextUploadIdMarker", page.nextUploadMarker)
        xml.name("Prefix", parameters.prefix, encoded: encoded)
        xml.listOptions(parameters)
        xml.element("MaxUploads", parameters.limit)
        xml.element("IsTruncated", page.isTruncated)
        for upload in page.uploads { xml.upload(upload, encoded: encoded, owner: owner) }
        for prefix in page.commonPrefixes { xml.commonPrefix(prefix, encoded: encoded) }
        xml.close("ListMultipartUploadsResult")
        return .xml(xml.bytes)
    }
}

extension XMLWriter {
    fileprivate mutating func upload(_ upload: Upload, encoded: Bool, owner: (id: String, displayName: String)) {
        open("Upload")
        name("Key", upload.key, encoded: encoded)
        element("UploadId", upload.id.text)
        self.owner("Initiator", id: owner.id, displayName: owner.displayName)
        self.owner("Owner", id: owner.id, displayName: owner.displayName)
        element("StorageClass", upload.attributes.storageClass)
        date("Initiated", upload.created.milliseconds)
        checksumChoice(upload)
        close("Upload")
    }

    /// The algorithm and type that an upload was begun with.
    mutating func checksumChoice(_ upload: Upload) {
        if let algorithm = upload.checksum { element("ChecksumAlgorithm", ChecksumHeaders.name(algorithm)) }
        if let kind = upload.checksumKind { element("ChecksumType", ChecksumHeaders.name(kind)) }
    }
}
