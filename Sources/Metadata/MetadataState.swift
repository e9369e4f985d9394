internal import DiskFormat
internal import ObjectModel

/// The one row that every change rewrites: where the store stands, what it gives out next, and its counts.
struct MetadataState: RowCodable {
    /// The last journal record applied.
    var position = JournalPosition.origin
    var incarnation: UInt32 = 0
    /// The next lease of this incarnation.
    var nextLease: UInt32 = 1
    /// The next version's number, of whatever key: so a key written again after its end never gets an old one.
    var nextVersion: UInt64 = 1
    var nextBucket: UInt64 = 1
    var statistics = MetadataStatistics()

    static let key: RowKey = .text("state")
    static let keepersKey: RowKey = .text("keepers")
    static let checkpointsKey: RowKey = .text("checkpoints")
    static let rewritesKey: RowKey = .text("rewrites")
    static let maintenancesKey: RowKey = .text("maintenance")
    static let forcedStartKey: RowKey = .text("forced start")
    static let grantedLeasesKey: RowKey = .text("granted leases")
    static let certificatesKey: RowKey = .text("certificates")
    /// Present while an import is not finished; never exported.
    static let importKey: RowKey = .text("import")

    init() {}

    func encode(into writer: inout ByteWriter) {
        position.encode(into: &writer)
        writer.put(incarnation)
        writer.put(nextLease)
        writer.put(nextVersion)
        writer.put(nextBucket)
        let counts = statistics
        for count in [
            counts.buckets, counts.versions, counts.uploads, counts.blobs, counts.deadBlobs, counts.missingShards,
            counts.blobsBelowQuorum, counts.bytes,
        ] { writer.put(count) }
        // Not there in rows of before there were moves.
        if counts.movingShards > 0 { writer.put(counts.movingShards) }
    }

    init(from reader: inout ByteReader) throws(MetadataError) {
        position = try JournalPosition(from: &reader)
        incarnation = try reader.getUInt32()
        nextLease = try reader.getUInt32()
        nextVersion = try reader.getInteger()
        nextBucket = try reader.getInteger()
        statistics = MetadataStatistics(
            buckets: try reader.getInt(),
            versions: try reader.getInt(),
            uploads: try reader.getInt(),
            blobs: try reader.getInt(),
            deadBlobs: try reader.getInt(),
            missingShards: try reader.getInt(),
            blobsBelowQuorum: try reader.getInt(),
            bytes: try reader.getInt()
        )
        if !reader.isAtEnd { statistics.movingShards = try reader.getInt() }
    }
}
