package import ObjectModel

/// What a shard record's header says: written at reservation, before any byte of the body.
package struct ShardHeader: Hashable, Sendable {
    package var shard: ShardID
    package var group: GroupID
    /// The epoch of the group at writing.
    package var groupEpoch: UInt32
    package var scheme: Scheme
    /// Drawn anew for every write of a shard: seeds the leaf checksums, so that a stale or misdirected block cannot
    /// pass, and tells two records of one shard apart.
    package var writeStamp: UInt64
    /// The most bytes the body may take; fixed at reservation.
    package var bodyCapacity: Int

    package init(
        shard: ShardID,
        group: GroupID,
        groupEpoch: UInt32,
        scheme: Scheme,
        writeStamp: UInt64,
        bodyCapacity: Int
    ) {
        self.shard = shard
        self.group = group
        self.groupEpoch = groupEpoch
        self.scheme = scheme
        self.writeStamp = writeStamp
        self.bodyCapacity = bodyCapacity
    }
}

/// What a shard record's trailer says: written at sealing, and the proof that the record is whole.
package struct ShardTrailer: Hashable, Sendable {
    /// Bytes of the blob (stored, after compression); with the scheme it gives the geometry.
    package var blobLength: Int
    /// Digest of each of the k+m shard bodies, in order: a repaired shard is proved equal to the lost one.
    package var shardDigests: [ContentDigest]
    /// Digest of the blob's logical bytes as the client's checksum saw them (all frames decoded, in order).
    package var ingestDigest: ContentDigest
    package var frames: FrameIndex
    /// Data keys of the blob, by slot (1 …), sealed; empty while nothing is encrypted.
    package var dataKeys: [DataKey]
    /// Evidence of whose bytes these are, in m+1 of the shards; nil in the others.
    package var identity: IdentityBlock?
    /// Optional fields of a later version: kept when a record is copied.
    package var unknownFields: [TaggedField]

    package init(
        blobLength: Int,
        shardDigests: [ContentDigest],
        ingestDigest: ContentDigest,
        frames: FrameIndex,
        dataKeys: [DataKey] = [],
        identity: IdentityBlock? = nil,
        unknownFields: [TaggedField] = []
    ) {
        self.blobLength = blobLength
        self.shardDigests = shardDigests
        self.ingestDigest = ingestDigest
        self.frames = frames
        self.dataKeys = dataKeys
        self.identity = identity
        self.unknownFields = unknownFields
    }
}

/// A data key as it lies on disk: it belongs to one upload (one PUT or one part attempt).
package struct DataKey: Hashable, Sendable {
    package var slot: UInt8
    /// The key, wrapped; opaque here.
    package var wrapped: [UInt8]
    /// The base of the upload's nonces.
    package var nonceBase: [UInt8]

    package init(slot: UInt8, wrapped: [UInt8], nonceBase: [UInt8]) {
        self.slot = slot
        self.wrapped = wrapped
        self.nonceBase = nonceBase
    }
}

/// What was known of a blob's content when it was sealed, as readable evidence (DESIGN §6).
package struct IdentityBlock: Hashable, Sendable {
    /// How `bytes` are to be read; the number is the one on disk.
    package enum Encoding: UInt8, Sendable {
        case json = 1
        /// JSON in an LZ4 block, behind its length (4 bytes).
        case compressedJSON = 2
        /// Sealed with a key: names are patient data.
        case sealed = 3
    }

    package var encoding: Encoding
    package var bytes: [UInt8]

    package init(encoding: Encoding, bytes: [UInt8]) {
        self.encoding = encoding
        self.bytes = bytes
    }
}
