internal import ObjectInterface
internal import ObjectModel
internal import SystemInterface

// What gateways ask for in more than a few fields.

extension ByteWriter {
    mutating func put(_ transaction: WriteTransaction) {
        put(optional: transaction.lease) { $0.put($1) }
        put(list: transaction.blobs) { $0.put($1) }
        put(list: transaction.writes) { writer, write in
            switch write {
            case .version(let version, let condition):
                writer.put(byte: 1)
                writer.put(version)
                writer.put(condition)
            case .part(let part, let bucket, let key):
                writer.put(byte: 2)
                part.encode(into: &writer)
                writer.put(bucket)
                writer.put(key)
            }
        }
    }

    mutating func put(_ transaction: CompleteTransaction) {
        put(transaction.request)
        put(transaction.modified)
        put(transaction.eTag)
        put(optional: transaction.checksum) { $0.put($1) }
        put(list: transaction.parts) { $1.encode(into: &$0) }
    }

    private mutating func put(_ request: CompleteUploadRequest) {
        put(request.bucket)
        put(request.key)
        put(request.upload.text)
        put(list: request.parts) { writer, part in
            writer.put(any: part.number)
            writer.put(part.eTag)
            writer.put(optional: part.checksum) { $0.put($1) }
        }
        put(request.condition)
        put(optional: request.checksum) { $0.put($1) }
        put(optional: request.checksumParts) { $0.put(any: $1) }
        put(optional: request.checksumKind) { $0.put(byte: $1.rawValue) }
        put(optional: request.objectLength) { $0.put(any: $1) }
    }

    /// Without its bucket, which is said once for all.
    mutating func put(_ request: DeleteRequest) {
        put(request.key)
        put(request.version)
        put(request.condition)
    }

    mutating func put(_ request: ListRequest) {
        for text in [request.bucket, request.prefix, request.delimiter, request.after] { put(text) }
        put(any: request.limit)
    }

    mutating func put(_ request: ListUploadsRequest) {
        for text in [
            request.bucket, request.prefix, request.delimiter, request.keyMarker, request.uploadMarker,
        ] { put(text) }
        put(any: request.limit)
    }
}

extension ByteReader {
    mutating func getWriteTransaction() throws(MetadataError) -> WriteTransaction {
        let lease = try getOptional { (reader) throws(MetadataError) in try reader.getLease() }
        let blobs = try getList(size: 23, limit: MetadataMessage.listLimit) { (reader) throws(MetadataError) in
            try reader.getBlobRecord()
        }
        let writes = try getList(size: 8, limit: MetadataMessage.listLimit) { (reader) throws(MetadataError) in
            try reader.getWrite()
        }
        return WriteTransaction(lease: lease, blobs: blobs, writes: writes)
    }

    private mutating func getWrite() throws(MetadataError) -> WriteTransaction.Write {
        switch try getByte() {
        case 1: .version(try getVersion(), try getCondition())
        case 2: .part(try PartRecord(from: &self), bucket: try getText(), key: try getText())
        default: throw .unsupported("a write")
        }
    }

    mutating func getCompleteTransaction() throws(MetadataError) -> CompleteTransaction {
        CompleteTransaction(
            request: try getCompleteRequest(),
            modified: try getTime(),
            eTag: try getText(),
            checksum: try getOptional { (reader) throws(MetadataError) in try reader.getChecksum() },
            parts: try getList(size: 6, limit: MetadataMessage.listLimit) { (reader) throws(MetadataError) in
                try PartRecord(from: &reader)
            }
        )
    }

    private mutating func getCompleteRequest() throws(MetadataError) -> CompleteUploadRequest {
        CompleteUploadRequest(
            bucket: try getText(),
            key: try getText(),
            upload: UploadID(try getText()),
            parts: try getList(size: 3, limit: MetadataMessage.listLimit) { (reader) throws(MetadataError) in
                CompleteUploadRequest.Part(
                    number: try reader.getAnyInt(),
                    eTag: try reader.getText(),
                    checksum: try reader.getOptional { (reader) throws(MetadataError) in
                        try reader.getDeclaredChecksum()
                    }
                )
            },
            condition: try getCondition(),
            checksum: try getOptional { (reader) throws(MetadataError) in try reader.getDeclaredChecksum() },
            checksumParts: try getOptional { (reader) throws(MetadataError) in try reader.getAnyInt() },
            checksumKind: try getOptional { (reader) throws(MetadataError) in try reader.getChecksumKind() },
            objectLength: try getOptional { (reader) throws(MetadataError) in try reader.getAnyInt() }
        )
    }

    private mutating func getChecksumKind() throws(MetadataError) -> ObjectChecksum.Kind {
        guard let kind = ObjectChecksum.Kind(rawValue: try getByte()) else { throw .unsupported("checksum kind") }
        return kind
    }

    mutating func getDeleteRequest(bucket: String) throws(MetadataError) -> DeleteRequest {
        DeleteRequest(
            bucket: bucket,
            key: try getText(),
            version: try getVersionSelector(),
            condition: try getCondition()
        )
    }

    mutating func getListRequest() throws(MetadataError) -> ListRequest {
        ListRequest(
            bucket: try getText(),
            prefix: try getText(),
            delimiter: try getText(),
            after: try getText(),
            limit: try getAnyInt()
        )
    }

    mutating func getListUploadsRequest() throws(MetadataError) -> ListUploadsRequest {
        ListUploadsRequest(
            bucket: try getText(),
            prefix: try getText(),
            delimiter: try getText(),
            keyMarker: try getText(),
            uploadMarker: try getText(),
            limit: try getAnyInt()
        )
    }
}
