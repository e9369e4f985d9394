internal import ObjectInterface
internal import ObjectModel
internal import SystemInterface

extension MetadataView {
    func upload(_ id: UploadID) throws(MetadataError) -> UploadRecord? {
        guard let row = try tables.get(.uploads, .upload(id)) else { return nil }
        return try UploadRecord(row: row)
    }

    /// The upload when it is one of that key.
    func upload(bucket: String, key: String, id: UploadID) throws(MetadataError) -> UploadRecord? {
        guard let record = try upload(id), RowKey.text(record.upload.bucket) == .text(bucket),
            RowKey.text(record.upload.key) == .text(key)
        else { return nil }
        return record
    }

    func existingUpload(bucket: String, key: String, id: UploadID) throws(MetadataError) -> UploadRecord {
        guard let record = try upload(bucket: bucket, key: key, id: id) else {
            throw .refused(.noSuchUpload, "The upload does not exist: it was completed or aborted, or never begun.")
        }
        return record
    }

    func part(_ upload: UploadID, number: Int) throws(MetadataError) -> PartRecord? {
        guard let row = try tables.get(.parts, .part(upload, number: number)) else { return nil }
        return try PartRecord(row: row)
    }

    func parts(of upload: UploadID, after part: Int, limit: Int) throws(MetadataError) -> [PartRecord] {
        guard part < Int(UInt16.max) else { return [] }
        let start = part < 0 ? RowKey.upload(upload) : RowKey.part(upload, number: part + 1)
        var parts: [PartRecord] = []
        let rows = try tables.rows(.parts, from: start, below: RowKey.upload(upload).successor, limit: limit)
        for (_, row) in rows { parts.append(try PartRecord(row: row)) }
        return parts
    }

    func uploads(createdBefore time: WallTime, limit: Int) throws(MetadataError) -> [Upload] {
        var end = RowKey()
        end.append(time)
        var uploads: [Upload] = []
        for (key, _) in try tables.rows(.uploadTimes, from: [], below: end, limit: limit) {
            var reader = KeyReader(key)
            _ = try reader.time()
            uploads.append(try indexedUpload(try reader.terminated()))
        }
        return uploads
    }

    private func indexedUpload(_ id: String) throws(MetadataError) -> Upload {
        guard let record = try upload(UploadID(id)) else { throw .corrupt("an upload that is not there") }
        return record.upload
    }

    func listUploads(_ request: ListUploadsRequest, in bucket: BucketRow) throws(MetadataError) -> ListUploadsPage {
        var page = ListUploadsPage(
            uploads: [],
            commonPrefixes: [],
            isTruncated: false,
            nextKeyMarker: "",
            nextUploadMarker: ""
        )
        guard request.limit > 0 else { return page }
        let limit = min(request.limit, Limits.pageSize)
        let base = RowKey.number(bucket.number)
        let scan = GroupedScan(
            tables: tables,
            table: .uploadOrder,
            base: base,
            prefix: request.prefix,
            delimiter: request.delimiter,
            keyForm: Self.escaped
        )
        guard let start = try uploadStart(request, scan) else { return page }

        func isFull() -> Bool {
            guard page.uploads.count + page.commonPrefixes.count == limit else { return false }
            page.isTruncated = true
            return true
        }

        try scan.run(from: start) { (key) throws(MetadataError) in
            var reader = KeyReader(key, at: base.count)
            return RowKey(try reader.terminated().utf8)[...]
        } row: { (name, key, _) throws(MetadataError) in
            if isFull() { return .stop }
            var reader = KeyReader(key, at: base.count)
            _ = try reader.terminated()
            _ = try reader.time()
            let upload = try indexedUpload(try reader.terminated())
            page.uploads.append(upload)
            (page.nextKeyMarker, page.nextUploadMarker) = (upload.key, upload.id.text)
            return .next
        } group: { (common) throws(MetadataError) in
            if isFull() { return .stop }
            let text = try common.text()
            page.commonPrefixes.append(text)
            (page.nextKeyMarker, page.nextUploadMarker) = (text, "")
            return .next
        }
        return page
    }

    /// Behind the marker's upload; when that has ended meanwhile, at its key's first one, so that none is left out.
    private func uploadStart(_ request: ListUploadsRequest, _ scan: GroupedScan) throws(MetadataError) -> RowKey? {
        guard !request.keyMarker.isEmpty, scan.group(of: RowKey(request.keyMarker.utf8)[...]) == nil else {
            return scan.start(after: request.keyMarker)
        }
        var key = scan.base
        key.append(terminated: request.keyMarker)
        if request.uploadMarker.isEmpty {
            guard let behind = key.successor else { return nil }
            key = behind
        } else if let marker = try upload(UploadID(request.uploadMarker))?.upload,
            RowKey.text(marker.key) == .text(request.keyMarker)
        {
            key.append(marker.created)
            key.append(terminated: marker.id.text)
            key = key.next
        }
        guard let first = scan.start(after: "") else { return nil }
        return key.lexicographicallyPrecedes(first) ? first : key
    }

    private static func escaped(_ name: ArraySlice<UInt8>) -> RowKey {
        var key = RowKey()
        for byte in name {
            key.append(byte)
            if byte == 0 { key.append(0xFF) }
        }
        return key
    }
}
