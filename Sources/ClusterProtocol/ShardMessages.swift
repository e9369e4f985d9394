package import DiskFormat
package import ObjectModel

/// A call to one disk of a storage node. Ids only, never paths (DESIGN §10).
///
/// Bulk bytes ride beside the encoded header as buffers: the body of `write`, the cells of `append`.
package enum ShardRequest: Sendable {
    /// Writes a whole shard; answered once it is durable.
    case write(DiskID, ShardHeader, ShardTrailer, leafChecksums: [UInt32])
    /// The same for bytes that lie elsewhere, in other shards or in the journal, and are given up there for this one:
    /// from the reserve if need be.
    case rewrite(DiskID, ShardHeader, ShardTrailer, leafChecksums: [UInt32])
    /// Reserves room for a shard that comes cell by cell; answered with a handle.
    case begin(DiskID, ShardHeader)
    /// The next bytes of the body, from `offset` on.
    case append(DiskID, handle: UInt64, offset: Int)
    /// Ends a shard; answered once it is durable.
    case seal(DiskID, handle: UInt64, ShardTrailer, leafChecksums: [UInt32])
    case abort(DiskID, handle: UInt64)
    /// Reads ranges of a shard's body, each widened to whole leaves.
    case read(DiskID, ShardID, ranges: [Range<Int>])
    case describe(DiskID, ShardID)
    /// Reads all of a shard and compares it with its checksums and digest.
    case verify(DiskID, ShardID)
    case erase(DiskID, [ShardID])
    /// Erases a shard as it was written under one stamp, and no other: a call that is carried out late takes nothing
    /// that was written since.
    case eraseRecord(DiskID, ShardID, writeStamp: UInt64)
    /// Shards on the disk after one, in order.
    case inventory(DiskID, after: ShardID?, limit: Int)
    case status(DiskID)

    package var disk: DiskID {
        switch self {
        case .write(let disk, _, _, _), .rewrite(let disk, _, _, _), .begin(let disk, _), .append(let disk, _, _),
            .seal(let disk, _, _, _),
            .abort(let disk, _), .read(let disk, _, _), .describe(let disk, _), .verify(let disk, _),
            .erase(let disk, _), .eraseRecord(let disk, _, _), .inventory(let disk, _, _), .status(let disk):
            disk
        }
    }

    /// The most shards one `erase` or `inventory` may name.
    package static let batchLimit = 4_096
}

/// The answer to a `ShardRequest`.
package enum ShardResponse: Sendable {
    case done
    case handle(UInt64)
    /// The buffers of all ranges, one after another, each range's bytes in `pieces` buffers.
    case read(ShardReadAnswer)
    case description(ShardHeader, ShardTrailer)
    case verified(isGood: Bool)
    case inventory([ShardInventoryEntry], isLast: Bool)
    case status(DiskStatus)
    case failure(ShardFailure)
}

/// What was read of a shard, not yet verified: whoever asked compares each leaf with its checksum.
package struct ShardReadAnswer: Hashable, Sendable {
    package struct Part: Hashable, Sendable {
        /// Bytes of the body from the beginning of `firstLeaf` on.
        package var firstLeaf: Int
        package var length: Int
        /// One per leaf.
        package var leafChecksums: [UInt32]

        package init(firstLeaf: Int, length: Int, leafChecksums: [UInt32]) {
            self.firstLeaf = firstLeaf
            self.length = length
            self.leafChecksums = leafChecksums
        }
    }

    package var writeStamp: UInt64
    /// One per range asked for.
    package var parts: [Part]

    package init(writeStamp: UInt64, parts: [Part]) {
        self.writeStamp = writeStamp
        self.parts = parts
    }
}

package struct ShardInventoryEntry: Hashable, Sendable {
    package var shard: ShardID
    package var writeStamp: UInt64
    package var bodyLength: Int

    package init(shard: ShardID, writeStamp: UInt64, bodyLength: Int) {
        self.shard = shard
        self.writeStamp = writeStamp
        self.bodyLength = bodyLength
    }
}

/// A disk as its node sees it.
package struct DiskStatus: Hashable, Sendable {
    /// Of each number, so that those of many disks can be added up whatever a node says: 16 PiB.
    static let countLimit = 1 << 54

    package var isUsable: Bool
    /// Why it is not usable, or, of one that is, why it takes no new shards; empty when nothing is wrong.
    package var reason: String
    package var capacity: Int
    /// Bytes new shards may still take.
    package var room: Int
    package var liveBytes: Int
    package var deadBytes: Int
    package var shardCount: Int

    package init(
        isUsable: Bool,
        reason: String = "",
        capacity: Int,
        room: Int,
        liveBytes: Int,
        deadBytes: Int,
        shardCount: Int
    ) {
        self.isUsable = isUsable
        self.reason = reason
        self.capacity = capacity
        self.room = room
        self.liveBytes = liveBytes
        self.deadBytes = deadBytes
        self.shardCount = shardCount
    }

    /// It is read, and takes nothing new: a write to it hangs, or it can make no new segment.
    package var hangs: Bool { isUsable && !reason.isEmpty }
}

/// Why a shard call failed.
package enum ShardFailure: Error, Hashable, Sendable {
    case notFound
    /// The record is there and not good.
    case corrupt
    /// No room for new bytes on the disk.
    case full
    /// The disk cannot be used: gone, failed, or not of this store.
    case diskUnusable(String)
    case noSuchDisk
    /// A handle that was never given, or whose writer has ended.
    case noSuchHandle
    /// The request breaks a rule of the protocol.
    case invalid(String)
    /// The write lease of the shard's blob has ended, or was never granted.
    case leaseEnded
    /// The node could not be reached; nothing was done.
    case unreachable
    /// It may or may not have been done.
    case unknownOutcome
}
