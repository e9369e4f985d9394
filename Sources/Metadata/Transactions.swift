package import ObjectInterface
package import ObjectModel
package import SystemInterface

/// New bytes made visible: blobs that are durable on their disks and the versions or parts that name them.
///
/// One transaction, several writes: a pack of small objects commits with each object's own condition. A blob that no
/// write of the transaction ended up naming is not recorded; the caller erases it.
package struct WriteTransaction: Sendable {
    /// The lease of all the new blobs; refused with `.unavailable` when it has ended.
    package var lease: WriteLease?
    package var blobs: [BlobRecord]
    package var writes: [Write]

    package init(lease: WriteLease?, blobs: [BlobRecord], writes: [Write]) {
        self.lease = lease
        self.blobs = blobs
        self.writes = writes
    }

    package enum Write: Sendable {
        /// Makes the key's current version; `number` is given inside the transaction. Replaces the one before
        /// (in a bucket that was never versioned). Every blob an extent names must be live or in `blobs`: a copy
        /// whose source's blob died meanwhile fails with `.noSuchKey`.
        case version(VersionRecord, WriteCondition)
        /// Adds or replaces a part; `.noSuchUpload` when the upload has ended.
        case part(PartRecord, bucket: String, key: String)
    }
}

/// What one write of a transaction came to.
package struct CommitOutcome: Hashable, Sendable {
    /// The version's number; 0 for a part.
    package var number: UInt64
    package init(number: UInt64) { self.number = number }
}

/// The moves of a repack: versions and parts that now find their bytes in new blobs.
package struct MoveTransaction: Sendable {
    package struct Move: Sendable {
        package enum Owner: Hashable, Sendable {
            case version(bucket: String, key: String, number: UInt64)
            case part(UploadID, number: Int)
        }

        package var owner: Owner
        /// What the owner must hold now, unchanged; else this move is refused and the others go on.
        package var before: [Extent]
        package var after: [Extent]
        /// Of a version: the label of its class from then on; nil leaves it as it is.
        package var storageClass: String?

        package init(owner: Owner, before: [Extent], after: [Extent], storageClass: String? = nil) {
            self.owner = owner
            self.before = before
            self.after = after
            self.storageClass = storageClass
        }
    }

    package var lease: WriteLease
    package var blobs: [BlobRecord]
    package var moves: [Move]

    package init(lease: WriteLease, blobs: [BlobRecord], moves: [Move]) {
        self.lease = lease
        self.blobs = blobs
        self.moves = moves
    }
}

/// Completes an upload: the named parts, in order, become the key's current version; the upload and all its parts end.
package struct CompleteTransaction: Sendable {
    package var request: CompleteUploadRequest
    package var modified: WallTime
    /// The object's ETag and checksum, made of the parts as the caller read them.
    package var eTag: String
    package var checksum: ObjectChecksum?
    /// The parts as the caller read them: `.invalidPart` when one has changed since.
    package var parts: [PartRecord]

    package init(
        request: CompleteUploadRequest,
        modified: WallTime,
        eTag: String,
        checksum: ObjectChecksum?,
        parts: [PartRecord]
    ) {
        self.request = request
        self.modified = modified
        self.eTag = eTag
        self.checksum = checksum
        self.parts = parts
    }
}

/// A shard as it was looked for: on this disk.
package struct PlacedShard: Hashable, Sendable {
    package var shard: ShardID
    package var disk: DiskID

    package init(_ shard: ShardID, on disk: DiskID) {
        self.shard = shard
        self.disk = disk
    }
}

/// A shard that was written where its group's places were under an epoch.
package struct NewShard: Hashable, Sendable {
    package var shard: ShardID
    package var groupEpoch: UInt32

    package init(_ shard: ShardID, groupEpoch: UInt32) {
        self.shard = shard
        self.groupEpoch = groupEpoch
    }
}

/// A blob that lacks shards.
package struct MissingBlob: Hashable, Sendable {
    package var blob: BlobID
    /// As of `MissingShard`.
    package var spares: Int

    package init(_ blob: BlobID, spares: Int) {
        self.blob = blob
        self.spares = spares
    }
}

/// A shard that is not where metadata places it.
package struct MissingShard: Hashable, Sendable {
    package var shard: ShardID
    package var group: GroupID
    /// Shards of the blob that are present beyond k; negative when fewer than k are left.
    package var spares: Int

    package init(shard: ShardID, group: GroupID, spares: Int) {
        self.shard = shard
        self.group = group
        self.spares = spares
    }
}
