internal import ObjectModel

/// Who names a blob, as it lies in the references table.
struct ReferenceKey {
    enum Owner {
        case version(bucket: UInt64, key: String)
        case part(UploadID, number: Int)
        /// The checkpoints that are kept, all together.
        case checkpoint
    }

    private static let versionKind: UInt8 = 1
    private static let partKind: UInt8 = 2
    private static let checkpointKind: UInt8 = 3

    var blob: BlobID
    var owner: Owner

    init(blob: BlobID, owner: Owner) {
        self.blob = blob
        self.owner = owner
    }

    var isVersion: Bool {
        if case .version = owner { true } else { false }
    }

    var key: RowKey {
        var key = RowKey()
        key.reserveCapacity(64)
        key.append(blob)
        switch owner {
        case .version(let bucket, let name):
            key.append(Self.versionKind)
            key.append(ordered: bucket)
            key.append(contentsOf: name.utf8)
        case .part(let upload, let number):
            key.append(Self.partKind)
            key.append(terminated: upload.text)
            key.append(bigEndian: UInt16(clamping: number))
        case .checkpoint: key.append(Self.checkpointKind)
        }
        return key
    }

    init(_ key: RowKey) throws(MetadataError) {
        var reader = KeyReader(key)
        blob = try reader.blob()
        let kind = reader.rest()
        var behind = KeyReader(key, at: kind.startIndex + 1)
        switch kind.first {
        case Self.versionKind:
            let bucket = try behind.ordered()
            owner = .version(bucket: bucket, key: try behind.rest().text())
        case Self.partKind:
            let upload = UploadID(try behind.terminated())
            owner = .part(upload, number: Int(try behind.bigEndian(UInt16.self)))
        case Self.checkpointKind: owner = .checkpoint
        default: throw .unsupported("owner of a blob")
        }
    }
}

/// A blob with missing shards: the key sorts by spares, so that the scarcest are repaired first.
struct RepairRow {
    var spares: Int
    var blob: BlobID
    var group: GroupID
    var missing: UInt32

    /// Added to the spares, which are at least -32, so that a byte holds them.
    private static let bias = 64

    init(spares: Int, blob: BlobID, group: GroupID, missing: UInt32) {
        self.spares = spares
        self.blob = blob
        self.group = group
        self.missing = missing
    }

    var key: RowKey { Self.key(ofSpares: spares, blob) }

    /// Where a blob with so many spares is, or without one, where the first of them would be.
    static func key(ofSpares spares: Int, _ blob: BlobID? = nil) -> RowKey {
        var key: RowKey = [UInt8(clamping: spares + Self.bias)]
        if let blob { key.append(blob) }
        return key
    }

    var row: [UInt8] {
        var writer = ByteWriter(capacity: 8)
        writer.put(group.number)
        writer.put(missing)
        return writer.bytes
    }

    init(key: RowKey, row: [UInt8]) throws(MetadataError) {
        guard let first = key.first else { throw .corrupt("key of a repair") }
        spares = Int(first) - Self.bias
        var keyReader = KeyReader(key, at: 1)
        blob = try keyReader.blob()
        var reader = ByteReader(row)
        group = GroupID(try reader.getUInt32())
        missing = try reader.getUInt32()
    }
}

/// A blob with shards that are to be moved.
struct MoveRow {
    var group: GroupID
    var blob: BlobID
    /// Bit i: shard i still lies on the disk that stood in its place before.
    var moving: UInt32

    init(group: GroupID, blob: BlobID, moving: UInt32) {
        self.group = group
        self.blob = blob
        self.moving = moving
    }

    var key: RowKey {
        var key = RowKey.group(group)
        key.append(blob)
        return key
    }

    var row: [UInt8] {
        var writer = ByteWriter(capacity: 5)
        writer.put(moving)
        return writer.bytes
    }

    init(key: RowKey, row: [UInt8]) throws(MetadataError) {
        var keyReader = KeyReader(key)
        group = GroupID(try keyReader.bigEndian())
        blob = try keyReader.blob()
        var reader = ByteReader(row)
        moving = try reader.getUInt32()
    }
}

/// A blob with frames that nothing names: the key sorts by the share that is named.
enum SparseKey {
    /// The share 1.
    static let whole = 65_535.0

    /// nil when every frame is named, or none is.
    static func key(_ id: BlobID, _ row: BlobRow) -> RowKey? {
        guard !row.usage.isOnce, row.references > 0 else { return nil }
        let logical = row.content.logicalLength
        let live = row.liveBytes
        guard live < logical else { return nil }
        var key = RowKey()
        key.append(bigEndian: UInt16(clamping: Int(Double(live) / Double(logical) * whole)))
        key.append(id)
        return key
    }
}
