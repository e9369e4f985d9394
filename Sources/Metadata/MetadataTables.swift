/// The tables of the metadata: ordered maps from keys to rows. The number is the one in exports.
enum MetadataTable: UInt8, CaseIterable, Sendable {
    /// Single rows: `MetadataState` and others by name.
    case meta = 1
    /// By name.
    case buckets = 2
    /// By name.
    case users = 3
    /// By bucket number and key.
    case versions = 4
    /// By id.
    case uploads = 5
    /// By bucket number, key, time of creation, id; no content.
    case uploadOrder = 6
    /// By time of creation and id; no content.
    case uploadTimes = 7
    /// By upload and number.
    case parts = 8
    /// Live blobs by id.
    case blobs = 9
    /// Blobs that nothing names, by id.
    case deadBlobs = 10
    /// By blob and owner; no content.
    case references = 11
    /// Live blobs with missing shards, by spares and id.
    case repairs = 12
    /// Live blobs with frames that nothing names, by the share that is named and id; no content.
    case sparse = 13
    /// Active write leases.
    case leases = 14
    /// By id.
    case disks = 15
    /// By number.
    case groups = 16
    /// Live blobs with shards that are to be moved, by group and id.
    case moves = 17
    /// By name.
    case classes = 18
}

/// The seam between what metadata means, written once, and where its rows are kept.
///
/// Confined to one transaction or one read; all that it reads is of one moment and sees this transaction's own writes.
protocol MetadataTables: AnyObject {
    func get(_ table: MetadataTable, _ key: RowKey) throws(MetadataError) -> [UInt8]?
    /// Adds or replaces a row.
    func put(_ table: MetadataTable, _ key: RowKey, _ row: [UInt8]) throws(MetadataError)
    /// No error when there is none.
    func remove(_ table: MetadataTable, _ key: RowKey) throws(MetadataError)
    /// Rows in key order from `start` on, below `end` (nil: to the table's end), until `visit` answers false.
    /// `visit` may read other tables; it must not change this one nor scan it.
    func scan(
        _ table: MetadataTable,
        from start: RowKey,
        below end: RowKey?,
        _ visit: (RowKey, [UInt8]) throws(MetadataError) -> Bool
    ) throws(MetadataError)
    /// Removes every row of every table.
    func removeAll() throws(MetadataError)
}

extension MetadataTables {
    /// Up to `limit` rows at once, for callers that change the table while they go through it.
    func rows(
        _ table: MetadataTable,
        from start: RowKey,
        below end: RowKey? = nil,
        limit: Int
    ) throws(MetadataError) -> [(key: RowKey, row: [UInt8])] {
        var rows: [(key: RowKey, row: [UInt8])] = []
        guard limit > 0 else { return rows }
        try scan(table, from: start, below: end) { (key, row) throws(MetadataError) in
            rows.append((key, row))
            return rows.count < limit
        }
        return rows
    }

    /// Every row whose key begins with `prefix`.
    func scan(
        _ table: MetadataTable,
        prefix: RowKey,
        _ visit: (RowKey, [UInt8]) throws(MetadataError) -> Bool
    ) throws(MetadataError) {
        try scan(table, from: prefix, below: prefix.successor, visit)
    }

    func isEmpty(_ table: MetadataTable, prefix: RowKey) throws(MetadataError) -> Bool {
        try rows(table, from: prefix, below: prefix.successor, limit: 1).isEmpty
    }
}
