internal import DiskFormat
internal import ObjectInterface
internal import ObjectModel
internal import SystemInterface

/// Typed reads of the tables: everything a read operation answers, and what a change evaluates its conditions on.
struct MetadataView {
    let tables: any MetadataTables

    // MARK: Single rows

    func state() throws(MetadataError) -> MetadataState {
        guard let row = try tables.get(.meta, MetadataState.key) else { return MetadataState() }
        return try MetadataState(row: row)
    }

    func keepers() throws(MetadataError) -> KeeperSet? {
        guard let row = try tables.get(.meta, MetadataState.keepersKey) else { return nil }
        return try KeeperSet(row: row)
    }

    func checkpoints() throws(MetadataError) -> [CheckpointRecord] {
        guard let row = try tables.get(.meta, MetadataState.checkpointsKey) else { return [] }
        return try KeptCheckpoints(row: row).checkpoints
    }

    // MARK: Buckets and users

    func bucket(_ name: String) throws(MetadataError) -> BucketRow? {
        guard let row = try tables.get(.buckets, .text(name)) else { return nil }
        return try BucketRow(row: row)
    }

    func existingBucket(_ name: String) throws(MetadataError) -> BucketRow {
        guard let bucket = try bucket(name) else { throw .refused(.noSuchBucket, "There is no bucket of this name.") }
        return bucket
    }

    func buckets(owner: UserID?) throws(MetadataError) -> [Bucket] {
        var buckets: [Bucket] = []
        try tables.scan(.buckets, from: [], below: nil) { (_, row) throws(MetadataError) in
            let bucket = try BucketRow(row: row).bucket
            if owner == nil || bucket.owner == owner { buckets.append(bucket) }
            return true
        }
        return buckets
    }

    func users() throws(MetadataError) -> [UserRecord] { try all(.users) }

    // MARK: Versions

    func version(_ bucket: BucketRow, key: String) throws(MetadataError) -> VersionRecord? {
        guard let row = try tables.get(.versions, .version(bucket: bucket.number, key: key)) else { return nil }
        return try VersionRow.decode(
            row,
            bucket: bucket.bucket.name,
            key: key,
            usualOwner: bucket.bucket.owner
        )
    }

    /// A version and the blobs that its extents name.
    func detail(_ bucket: BucketRow, key: String) throws(MetadataError) -> VersionDetail? {
        guard let version = try version(bucket, key: key) else { return nil }
        var blobs: [BlobID: BlobRecord] = [:]
        for extent in version.extents where blobs[extent.blob] == nil {
            guard let row = try blob(extent.blob) else { throw .corrupt("a version names blob \(extent.blob)") }
            blobs[extent.blob] = row.record(extent.blob)
        }
        return VersionDetail(version: version, blobs: blobs)
    }

    // MARK: Blobs

    func blob(_ id: BlobID) throws(MetadataError) -> BlobRow? {
        guard let row = try tables.get(.blobs, .blob(id)) else { return nil }
        return try BlobRow(row)
    }

    func blobs(_ table: MetadataTable, after id: BlobID?, limit: Int) throws(MetadataError) -> [BlobRecord] {
        var records: [BlobRecord] = []
        for (key, row) in try tables.rows(table, from: id.map { RowKey.blob($0).next } ?? [], limit: limit) {
            var reader = KeyReader(key)
            records.append(try BlobRow(row).record(try reader.blob()))
        }
        return records
    }

    func missingShards(limit: Int) throws(MetadataError) -> [MissingShard] {
        var shards: [MissingShard] = []
        guard limit > 0 else { return shards }
        try tables.scan(.repairs, from: [], below: nil) { (key, row) throws(MetadataError) in
            let entry = try RepairRow(key: key, row: row)
            for index in ShardMarks.indices(entry.missing) where shards.count < limit {
                let shard = ShardID(blob: entry.blob, index: index)
                shards.append(MissingShard(shard: shard, group: entry.group, spares: entry.spares))
            }
            return shards.count < limit
        }
        return shards
    }

    func missingBlobs(
        spares: ClosedRange<Int>,
        after last: MissingBlob?,
        limit: Int
    ) throws(MetadataError) -> [MissingBlob] {
        var blobs: [MissingBlob] = []
        guard limit > 0 else { return blobs }
        var start = RepairRow.key(ofSpares: spares.lowerBound)
        if let last, last.spares >= spares.lowerBound {
            start = RepairRow.key(ofSpares: last.spares, last.blob).next
        }
        let end = RepairRow.key(ofSpares: spares.upperBound + 1)
        try tables.scan(.repairs, from: start, below: end) { (key, row) throws(MetadataError) in
            let entry = try RepairRow(key: key, row: row)
            blobs.append(MissingBlob(entry.blob, spares: entry.spares))
            return blobs.count < limit
        }
        return blobs
    }

    /// In order of group and blob, those after `last`.
    func movingShards(
        of group: GroupID?,
        after last: MovingShard?,
        limit: Int
    ) throws(MetadataError) -> [MovingShard] {
        var shards: [MovingShard] = []
        guard limit > 0 else { return shards }
        let start =
            last.map { MoveRow(group: $0.group, blob: $0.shard.blob, moving: 0).key }
            ?? group.map(RowKey.group) ?? []
        try tables.scan(.moves, from: start, below: nil) { (key, row) throws(MetadataError) in
            let entry = try MoveRow(key: key, row: row)
            if let group, entry.group != group { return false }
            for index in ShardMarks.indices(entry.moving) where shards.count < limit {
                if let last, entry.blob == last.shard.blob, index <= last.shard.index { continue }
                shards.append(MovingShard(shard: ShardID(blob: entry.blob, index: index), group: entry.group))
            }
            return shards.count < limit
        }
        return shards
    }

    /// Places that are being moved, but of which no shard is to be moved any more.
    func finishedMoves() throws(MetadataError) -> [GroupID: [UInt8]] {
        var finished: [GroupID: [UInt8]] = [:]
        for group in try groups() where !group.former.isEmpty {
            let places = try finishedMoves(of: group)
            if !places.isEmpty { finished[group.id] = places }
        }
        return finished
    }

    private func finishedMoves(of group: GroupRecord) throws(MetadataError) -> [UInt8] {
        let open = ShardMarks.mask(group.former.keys)
        var left: UInt32 = 0
        try tables.scan(.moves, prefix: .group(group.id)) { (key, row) throws(MetadataError) in
            left |= try MoveRow(key: key, row: row).moving
            return left & open != open
        }
        return ShardMarks.indices(open & ~left)
    }

    func sparseBlobs(share: Double, limit: Int) throws(MetadataError) -> [BlobUsage] {
        var result: [BlobUsage] = []
        guard limit > 0 else { return result }
        try tables.scan(.sparse, from: [], below: nil) { (key, _) throws(MetadataError) in
            var reader = KeyReader(key)
            let bound: UInt16 = try reader.bigEndian()
            guard Double(bound) / SparseKey.whole <= share else { return false }
            let id = try reader.blob()
            guard let row = try blob(id) else { throw .corrupt("a sparse blob that is not there") }
            let usage = BlobUsage(
                blob: row.record(id),
                logicalLength: row.content.logicalLength,
                liveBytes: row.liveBytes,
                references: row.references
            )
            if Double(usage.liveBytes) < share * Double(usage.logicalLength) { result.append(usage) }
            return result.count < limit
        }
        return result
    }

    func owners(of blob: BlobID) throws(MetadataError) -> [BlobOwner] {
        var references: [ReferenceKey] = []
        var prefix = RowKey()
        prefix.append(blob)
        try tables.scan(.references, prefix: prefix) { (key, _) throws(MetadataError) in
            references.append(try ReferenceKey(key))
            return true
        }
        let names = references.contains(where: \.isVersion) ? try bucketsByNumber() : [:]
        var result: [BlobOwner] = []
        for reference in references {
            switch reference.owner {
            case .version(let number, let key): result.append(try versionOwner(names[number], key: key))
            case .part(let upload, let number): result.append(try partOwner(upload, number: number))
            case .checkpoint: continue
            }
        }
        return result
    }

    private func bucketsByNumber() throws(MetadataError) -> [UInt64: BucketRow] {
        var names: [UInt64: BucketRow] = [:]
        try tables.scan(.buckets, from: [], below: nil) { (_, row) throws(MetadataError) in
            let bucket = try BucketRow(row: row)
            names[bucket.number] = bucket
            return true
        }
        return names
    }

    private func versionOwner(_ bucket: BucketRow?, key: String) throws(MetadataError) -> BlobOwner {
        guard let bucket, let version = try version(bucket, key: key) else {
            throw .corrupt("a reference of a version that is not there")
        }
        return BlobOwner(
            owner: .version(bucket: version.bucket, key: key, number: version.number),
            extents: version.extents,
            bucket: version.bucket,
            key: key,
            contentType: version.attributes.contentType
        )
    }

    private func partOwner(_ id: UploadID, number: Int) throws(MetadataError) -> BlobOwner {
        guard let part = try part(id, number: number), let upload = try upload(id)?.upload else {
            throw .corrupt("a reference of a part that is not there")
        }
        return BlobOwner(
            owner: .part(id, number: number),
            extents: part.extents,
            bucket: upload.bucket,
            key: upload.key,
            contentType: upload.attributes.contentType
        )
    }

    // MARK: The cluster

    func group(_ id: GroupID) throws(MetadataError) -> GroupRecord? {
        guard let row = try tables.get(.groups, .group(id)) else { return nil }
        return try GroupRecord(row: row)
    }

    func groups() throws(MetadataError) -> [GroupRecord] { try all(.groups) }
    func disks() throws(MetadataError) -> [DiskRecord] { try all(.disks) }

    /// By name.
    func classes() throws(MetadataError) -> [StorageClass] { try all(.classes) }

    func storageClass(_ name: String) throws(MetadataError) -> StorageClass? {
        guard let row = try tables.get(.classes, .text(name)) else { return nil }
        return try StorageClass(row: row)
    }

    func activeLeases() throws(MetadataError) -> [(lease: WriteLease, holder: NodeName)] {
        var leases: [(lease: WriteLease, holder: NodeName)] = []
        try tables.scan(.leases, from: [], below: nil) { (key, row) throws(MetadataError) in
            var reader = KeyReader(key)
            let lease = WriteLease(incarnation: try reader.bigEndian(), number: try reader.bigEndian())
            leases.append((lease, NodeName(try row.text())))
            return true
        }
        return leases
    }

    private func all<Row: RowCodable>(_ table: MetadataTable) throws(MetadataError) -> [Row] {
        var result: [Row] = []
        try tables.scan(table, from: [], below: nil) { (_, row) throws(MetadataError) in
            result.append(try Row(row: row))
            return true
        }
        return result
    }
}
