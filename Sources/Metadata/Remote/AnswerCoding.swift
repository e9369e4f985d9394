internal import ObjectInterface
internal import ObjectModel

// What a coordinator answers in more than a few fields.

extension ByteWriter {
    /// The blobs by id, so that equal answers are equal bytes.
    mutating func put(_ detail: VersionDetail) {
        put(detail.version)
        put(list: detail.blobs.values.sorted { $0.id < $1.id }) { $0.put($1) }
    }

    mutating func put(_ page: ListPage) {
        put(list: page.entries) { writer, entry in
            switch entry {
            case .object(let object):
                writer.put(byte: 1)
                writer.put(object)
            case .commonPrefix(let prefix):
                writer.put(byte: 2)
                writer.put(prefix)
            }
        }
        put(flag: page.isTruncated)
    }

    /// As a version that names no bytes.
    private mutating func put(_ object: ObjectSummary) {
        put(object.key)
        let version = VersionRecord(
            bucket: "",
            key: "",
            number: 0,
            owner: object.owner,
            modified: object.modified,
            length: object.length,
            eTag: object.eTag,
            checksum: object.checksum,
            attributes: object.attributes,
            tags: object.tags,
            extents: [],
            parts: object.parts
        )
        VersionRow.encode(version, usualOwner: nil, into: &self)
    }

    mutating func put(_ page: ListUploadsPage) {
        put(list: page.uploads) { $0.put($1) }
        put(list: page.commonPrefixes) { $0.put($1) }
        put(flag: page.isTruncated)
        put(page.nextKeyMarker)
        put(page.nextUploadMarker)
    }

    /// As the record of an upload without tags.
    mutating func put(_ upload: Upload) { UploadRecord(upload: upload, tags: []).encode(into: &self) }
}

extension ByteReader {
    mutating func getVersionDetail() throws(MetadataError) -> VersionDetail {
        let version = try getVersion()
        let list = try getList(size: 23) { (reader) throws(MetadataError) in try reader.getBlobRecord() }
        guard zip(list, list.dropFirst()).allSatisfy({ $0.id < $1.id }) else { throw .corrupt("blobs of a version") }
        var blobs: [BlobID: BlobRecord] = [:]
        blobs.reserveCapacity(list.count)
        for blob in list { blobs[blob.id] = blob }
        return VersionDetail(version: version, blobs: blobs)
    }

    mutating func getListPage() throws(MetadataError) -> ListPage {
        let entries = try getList(size: 2) { (reader) throws(MetadataError) -> ListPage.Entry in
            switch try reader.getByte() {
            case 1: .object(try reader.getSummary())
            case 2: .commonPrefix(try reader.getText())
            default: throw .unsupported("entry of a list")
            }
        }
        return ListPage(entries: entries, isTruncated: try getFlag())
    }

    private mutating func getSummary() throws(MetadataError) -> ObjectSummary {
        let key = try getText()
        let version = try VersionRow.decode(from: &self, bucket: "", key: key, usualOwner: nil)
        guard version.number == 0, version.extents.isEmpty else { throw .corrupt("object of a list") }
        return version.summary
    }

    mutating func getListUploadsPage() throws(MetadataError) -> ListUploadsPage {
        ListUploadsPage(
            uploads: try getUploads(),
            commonPrefixes: try getList(size: 1) { (reader) throws(MetadataError) in try reader.getText() },
            isTruncated: try getFlag(),
            nextKeyMarker: try getText(),
            nextUploadMarker: try getText()
        )
    }

    private mutating func getUploads() throws(MetadataError) -> [Upload] {
        try getList(size: 12) { (reader) throws(MetadataError) in
            let record = try UploadRecord(from: &reader)
            guard record.tags.isEmpty else { throw .corrupt("upload of a list") }
            return record.upload
        }
    }
}
