package import DiskFormat
package import ObjectInterface
package import ObjectModel
package import SystemInterface

/// A disk that the store knows.
package struct DiskRecord: Hashable, Sendable {
    package enum State: UInt8, Sendable {
        /// Takes new shards.
        case active = 1
        /// Gone for good: its shards are repaired elsewhere; the same disk coming back is stale.
        case retired = 2
        /// Served, but being emptied: its shards are moved elsewhere, and nothing new is moved to it.
        case draining = 3
    }

    package var id: DiskID
    package var site: SiteName
    package var node: NodeName
    /// The operator's name of the slot, e.g. `disk-3`: unique within the node.
    package var slot: String
    package var state: State
    /// Rises when a disk's role changes, so that a stale one is told.
    package var epoch: UInt32

    /// Whether it may stand in groups and is to be served.
    package var isInUse: Bool { state != .retired }

    package init(id: DiskID, site: SiteName, node: NodeName, slot: String, state: State, epoch: UInt32) {
        self.id = id
        self.site = site
        self.node = node
        self.slot = slot
        self.state = state
        self.epoch = epoch
    }
}

/// A blob that metadata names.
package struct BlobRecord: Hashable, Sendable {
    package var id: BlobID
    package var group: GroupID
    /// Bytes stored (after compression).
    package var length: Int
    package var frames: FrameIndex
    package var ingestDigest: ContentDigest
    package var dataKeys: [DataKey]
    /// Shards that are not on their disks, ascending: to be repaired.
    package var missing: [UInt8]
    /// Shards that still lie on the disk that stood in their place before, ascending: to be moved
    /// (`GroupRecord.former`). None of them is missing.
    package var moving: [UInt8]
    /// Of a blob that is to be committed: the epoch of its group that its shards were written under. nil, and of no
    /// meaning, in what metadata gives back.
    package var groupEpoch: UInt32?

    package init(
        id: BlobID,
        group: GroupID,
        length: Int,
        frames: FrameIndex,
        ingestDigest: ContentDigest,
        dataKeys: [DataKey] = [],
        missing: [UInt8] = [],
        moving: [UInt8] = [],
        groupEpoch: UInt32? = nil
    ) {
        self.id = id
        self.group = group
        self.length = length
        self.frames = frames
        self.ingestDigest = ingestDigest
        self.dataKeys = dataKeys
        self.missing = missing
        self.moving = moving
        self.groupEpoch = groupEpoch
    }
}

/// A run of an object's bytes in a blob. An object's extents follow one another in order.
package struct Extent: Hashable, Sendable {
    package var blob: BlobID
    /// The frame of the blob in which it begins.
    package var firstFrame: Int
    /// Logical bytes to skip from the beginning of `firstFrame`.
    package var offset: Int
    /// Logical bytes.
    package var length: Int

    package init(blob: BlobID, firstFrame: Int, offset: Int, length: Int) {
        self.blob = blob
        self.firstFrame = firstFrame
        self.offset = offset
        self.length = length
    }
}

/// One version of an object, with where its bytes are.
package struct VersionRecord: Hashable, Sendable {
    package var bucket: String
    package var key: String
    /// The version's place among the versions of its key: given inside the transaction, rises by at least one.
    package var number: UInt64
    package var owner: UserID
    package var modified: WallTime
    package var length: Int
    package var eTag: String
    package var checksum: ObjectChecksum?
    package var attributes: ObjectAttributes
    package var tags: [ObjectTag]
    package var extents: [Extent]
    /// Of a multipart object, in order; empty for a single PUT.
    package var parts: [PartSummary]
    /// The upload whose completion made this version; nil when a PUT or a copy did, or a version of Cairn that did not
    /// note it.
    package var madeBy: UploadID?

    package init(
        bucket: String,
        key: String,
        number: UInt64,
        owner: UserID,
        modified: WallTime,
        length: Int,
        eTag: String,
        checksum: ObjectChecksum?,
        attributes: ObjectAttributes,
        tags: [ObjectTag],
        extents: [Extent],
        parts: [PartSummary],
        madeBy: UploadID? = nil
    ) {
        self.bucket = bucket
        self.key = key
        self.number = number
        self.owner = owner
        self.modified = modified
        self.length = length
        self.eTag = eTag
        self.checksum = checksum
        self.attributes = attributes
        self.tags = tags
        self.extents = extents
        self.parts = parts
        self.madeBy = madeBy
    }

    package var summary: ObjectSummary {
        ObjectSummary(
            key: key,
            owner: owner,
            length: length,
            eTag: eTag,
            modified: modified,
            attributes: attributes,
            checksum: checksum,
            tags: tags,
            parts: parts
        )
    }
}

/// A part of an upload in progress; a later part of the same number replaces it.
package struct PartRecord: Hashable, Sendable {
    package var upload: UploadID
    package var summary: PartSummary
    package var extents: [Extent]

    package init(upload: UploadID, summary: PartSummary, extents: [Extent]) {
        self.upload = upload
        self.summary = summary
        self.extents = extents
    }
}

/// A multipart upload in progress.
package struct UploadRecord: Sendable {
    package var upload: Upload
    package var tags: [ObjectTag]

    package init(upload: Upload, tags: [ObjectTag]) {
        self.upload = upload
        self.tags = tags
    }
}

package struct UserRecord: Hashable, Sendable {
    package var id: UserID
    /// The operator's name of the user, unique.
    package var name: String
    package var displayName: String
    package var email: String
    package var accessKey: String
    /// The secret key, sealed under the master key: never in clear in metadata, journal or disks.
    package var sealedSecret: [UInt8]

    package init(
        id: UserID,
        name: String,
        displayName: String,
        email: String,
        accessKey: String,
        sealedSecret: [UInt8]
    ) {
        self.id = id
        self.name = name
        self.displayName = displayName
        self.email = email
        self.accessKey = accessKey
        self.sealedSecret = sealedSecret
    }
}

/// A version with the blobs its extents name: all that a read needs.
package struct VersionDetail: Sendable {
    package var version: VersionRecord
    package var blobs: [BlobID: BlobRecord]

    package init(version: VersionRecord, blobs: [BlobID: BlobRecord]) {
        self.version = version
        self.blobs = blobs
    }
}

/// How much of a blob is still referred to.
package struct BlobUsage: Hashable, Sendable {
    package var blob: BlobRecord
    /// Logical bytes of all frames.
    package var logicalLength: Int
    /// Logical bytes of distinct frames that some version or part still names; copies do not count twice.
    package var liveBytes: Int
    package var references: Int

    package init(blob: BlobRecord, logicalLength: Int, liveBytes: Int, references: Int) {
        self.blob = blob
        self.logicalLength = logicalLength
        self.liveBytes = liveBytes
        self.references = references
    }
}

/// A version or part that names bytes of a blob, as a repack must know it.
package struct BlobOwner: Hashable, Sendable {
    package var owner: MoveTransaction.Move.Owner
    /// All its extents, in whatever blobs they lie.
    package var extents: [Extent]
    /// Of the object, or of the one that the upload is to become.
    package var bucket: String
    package var key: String
    package var contentType: String

    package init(
        owner: MoveTransaction.Move.Owner,
        extents: [Extent],
        bucket: String,
        key: String,
        contentType: String
    ) {
        self.owner = owner
        self.extents = extents
        self.bucket = bucket
        self.key = key
        self.contentType = contentType
    }
}

extension BlobRecord {
    /// The frames that an extent touches; nil when it does not lie within the blob.
    package func frames(of extent: Extent) -> Range<Int>? { BlobContent(self).frames(of: extent) }
}
