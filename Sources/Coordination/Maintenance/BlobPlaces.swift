internal import BlobStorage
internal import Metadata
internal import ObjectModel
internal import Placement

extension BlobLocation {
    /// Where the shards of a blob are, by its record and its group. `missing`: those that are not to be read.
    init(_ blob: BlobRecord, in group: ClusterMap.Group, missing: [UInt8]? = nil) {
        self.init(
            blob: blob.id,
            length: blob.length,
            group: group,
            missing: missing ?? blob.missing,
            moving: blob.moving
        )
    }
}

extension RepairRequest {
    /// To put shards of a blob where they belong: those that it lacks, or others. `missing` as for its location.
    init(_ blob: BlobRecord, in group: ClusterMap.Group, shards: [UInt8]? = nil, missing: [UInt8]? = nil) {
        self.init(
            location: BlobLocation(blob, in: group, missing: missing),
            group: group,
            frames: blob.frames,
            ingestDigest: blob.ingestDigest,
            shards: shards ?? blob.missing
        )
    }
}
