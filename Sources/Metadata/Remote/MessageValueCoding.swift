internal import ObjectInterface
internal import ObjectModel

// The parts that metadata messages share.

extension ByteWriter {
    /// A number that may be negative: a limit or place as a caller gave it.
    mutating func put(any value: Int) { put(signed: Int64(value)) }

    mutating func put(flag value: Bool) { put(byte: value ? 1 : 0) }

    /// Behind a byte 0 or 1.
    mutating func put<Value>(optional value: Value?, _ body: (inout ByteWriter, Value) -> Void) {
        put(flag: value != nil)
        if let value { body(&self, value) }
    }

    /// Behind their count.
    mutating func put<Element>(list: some Collection<Element>, _ body: (inout ByteWriter, Element) -> Void) {
        put(list.count)
        for element in list { body(&self, element) }
    }

    /// A list of results, each behind a byte that says which.
    mutating func put<Value>(
        results: [Result<Value, StorageError>],
        _ body: (inout ByteWriter, Value) -> Void
    ) {
        put(list: results) { writer, result in
            switch result {
            case .success(let value):
                writer.put(byte: 0)
                body(&writer, value)
            case .failure(let error):
                writer.put(byte: 1)
                writer.put(error)
            }
        }
    }

    /// Missing shards one by one, not as the mask of a row: what is not right in them is to be refused, not mended.
    mutating func put(_ blob: BlobRecord) {
        put(blob.id)
        put(blob.missing)
        put(blob.moving)
        put(blob.groupEpoch.map { UInt64($0) + 1 } ?? 0)
        BlobContent(blob).encode(into: &self)
    }

    /// With a byte for whether it has a default class: in a row the end says that.
    mutating func put(_ bucket: Bucket) {
        bucket.encodeFixed(into: &self)
        put(optional: bucket.storageClass) { $0.put($1) }
    }

    mutating func put(_ version: VersionRecord) {
        put(version.bucket)
        put(version.key)
        VersionRow.encode(version, usualOwner: nil, into: &self)
    }

    mutating func put(_ condition: WriteCondition) {
        switch condition {
        case .none: put(byte: 0)
        case .isAbsent: put(byte: 1)
        case .matches(let eTag):
            put(byte: 2)
            put(eTag)
        case .differs(let eTag):
            put(byte: 3)
            put(eTag)
        }
    }

    mutating func put(_ version: VersionSelector) {
        switch version {
        case .current: put(byte: 0)
        case .null: put(byte: 1)
        case .id(let id):
            put(byte: 2)
            put(id)
        }
    }

    mutating func put(_ checksum: DeclaredChecksum) {
        put(byte: checksum.algorithm.rawValue)
        put(checksum.value)
    }
}

extension ByteReader {
    mutating func getAnyInt() throws(MetadataError) -> Int {
        guard let value = Int(exactly: try getSigned()) else { throw .corrupt("number") }
        return value
    }

    mutating func getFlag() throws(MetadataError) -> Bool {
        switch try getByte() {
        case 0: false
        case 1: true
        default: throw .corrupt("flag")
        }
    }

    mutating func getOptional<Value>(
        _ body: (inout ByteReader) throws(MetadataError) -> Value
    ) throws(MetadataError) -> Value? {
        try getFlag() ? try body(&self) : nil
    }

    /// `size` is the least an element takes. Memory is taken as elements come, never at a count's word.
    mutating func getList<Element>(
        size: Int,
        limit: Int = .max,
        _ body: (inout ByteReader) throws(MetadataError) -> Element
    ) throws(MetadataError) -> [Element] {
        let count = try getCount(size: size)
        guard count <= limit else { throw .corrupt("a list of \(count), at most \(limit) are allowed") }
        var list: [Element] = []
        list.reserveCapacity(min(count, 1_024))
        for _ in 0..<count { list.append(try body(&self)) }
        return list
    }

    mutating func getResults<Value>(
        _ body: (inout ByteReader) throws(MetadataError) -> Value
    ) throws(MetadataError) -> [Result<Value, StorageError>] {
        try getList(size: 2) { (reader) throws(MetadataError) in
            try reader.getFlag() ? .failure(try reader.getStorageError()) : .success(try body(&reader))
        }
    }

    mutating func getBlobRecord() throws(MetadataError) -> BlobRecord {
        let id = try getBlob()
        let missing = try getShardIndices()
        let moving = try getShardIndices()
        guard Set(missing).isDisjoint(with: moving) else { throw .corrupt("a shard that is missing and moving") }
        let epoch = try getInteger()
        guard epoch <= UInt64(UInt32.max) + 1 else { throw .corrupt("epoch of a blob's group") }
        let content = try BlobContent(&self)
        return BlobRecord(
            id: id,
            group: content.group,
            length: content.length,
            frames: content.frames,
            ingestDigest: content.digest,
            dataKeys: content.dataKeys,
            missing: missing,
            moving: moving,
            groupEpoch: epoch == 0 ? nil : UInt32(epoch - 1)
        )
    }

    private mutating func getShardIndices() throws(MetadataError) -> [UInt8] {
        let shards = try getBytes()
        guard shards.allSatisfy({ $0 < Scheme.maximumShardCount }), zip(shards, shards.dropFirst()).allSatisfy(<)
        else { throw .corrupt("shards of a blob") }
        return shards
    }

    mutating func getBucket() throws(MetadataError) -> Bucket {
        var bucket = try Bucket(fixed: &self)
        bucket.storageClass = try getOptional { (reader) throws(MetadataError) in try reader.getText() }
        return bucket
    }

    mutating func getVersion() throws(MetadataError) -> VersionRecord {
        let bucket = try getText()
        let key = try getText()
        return try VersionRow.decode(from: &self, bucket: bucket, key: key, usualOwner: nil)
    }

    mutating func getCondition() throws(MetadataError) -> WriteCondition {
        switch try getByte() {
        case 0: .none
        case 1: .isAbsent
        case 2: .matches(try getText())
        case 3: .differs(try getText())
        default: throw .unsupported("condition of a write")
        }
    }

    mutating func getVersionSelector() throws(MetadataError) -> VersionSelector {
        switch try getByte() {
        case 0: .current
        case 1: .null
        case 2: .id(try getText())
        default: throw .unsupported("version selector")
        }
    }

    mutating func getDeclaredChecksum() throws(MetadataError) -> DeclaredChecksum {
        guard let algorithm = ObjectChecksum.Algorithm(rawValue: try getByte()) else {
            throw .unsupported("checksum algorithm")
        }
        return DeclaredChecksum(algorithm: algorithm, value: try getBytes())
    }
}
