internal import BlobStorage
package import DiskFormat
package import Metadata
package import ObjectModel
internal import Placement
internal import ShardStorage

/// A blob as the disks at hand hold it, wherever its shards lie.
package struct FoundBlob: Sendable {
    package var id: BlobID
    package var scheme: Scheme
    /// Bytes stored.
    package var length: Int
    package var frames: FrameIndex
    package var ingestDigest: ContentDigest
    /// By shard index: the disks that hold it.
    package var holders: [[DiskID]]
    /// What the trailers say it holds; nil when no identity was asked for, or none can be read.
    package var identity: IdentityBlock?

    /// Shards of which no disk has a record.
    package var missing: [UInt8] { holders.indices.filter { holders[$0].isEmpty }.map { UInt8($0) } }
    package var presentCount: Int { holders.count { !$0.isEmpty } }
    package var isReadable: Bool { presentCount >= scheme.dataCount }
    /// Ways to read it that differ in where a shard is taken from.
    var readings: Int { max(1, holders.map(\.count).max() ?? 1) }

    /// Logical bytes of the whole blob.
    var logicalLength: Int {
        switch frames {
        case .uniform: length
        case .explicit(let frames): frames.reduce(0) { $0 + $1.logicalLength }
        }
    }

    /// The logical bytes before a frame; nil when there is no such frame.
    func logicalOffset(ofFrame index: Int) -> Int? {
        switch frames {
        case .uniform:
            let (offset, overflow) = index.multipliedReportingOverflow(by: Limits.frameLength)
            return index >= 0 && !overflow && offset <= length ? offset : nil
        case .explicit(let frames):
            guard index >= 0, index <= frames.count else { return nil }
            return frames[..<index].reduce(0) { $0 + $1.logicalLength }
        }
    }

    /// Where to read it, taking the `reading`-th holder of shards that several disks hold.
    func location(reading: Int) -> BlobLocation {
        let anywhere = holders.first { !$0.isEmpty }?.first ?? DiskID(Identifier128(high: 0, low: 0))
        let members = holders.map { $0.isEmpty ? anywhere : $0[reading % $0.count] }
        let group = ClusterMap.Group(id: GroupID(0), epoch: 0, scheme: scheme, members: members)
        return BlobLocation(blob: id, length: length, group: group, missing: missing)
    }
}

extension RecoveryCluster {
    /// Finds a blob that metadata names; its scheme is that of its group.
    package func find(_ record: BlobRecord, scheme: Scheme) -> FoundBlob {
        FoundBlob(
            id: record.id,
            scheme: scheme,
            length: record.length,
            frames: record.frames,
            ingestDigest: record.ingestDigest,
            holders: holders(of: record.id, count: scheme.shardCount)
        )
    }

    /// Finds a blob by its shards alone: what most of the readable trailers say of it. nil when none can be read.
    package func find(_ id: BlobID) async -> FoundBlob? {
        var candidates: [(header: ShardHeader, trailer: ShardTrailer, count: Int)] = []
        var identity: IdentityBlock?
        for index in 0..<Scheme.maximumShardCount {
            let shard = ShardID(blob: id, index: UInt8(index))
            for disk in holders(of: shard) {
                guard let (header, trailer) = try? await disk.shards.describe(shard) else { continue }
                identity = identity ?? trailer.identity
                if let place = candidates.firstIndex(where: { Self.agree($0.header, $0.trailer, header, trailer) }) {
                    candidates[place].count += 1
                } else {
                    candidates.append((header, trailer, 1))
                }
            }
        }
        guard let best = candidates.max(by: { $0.count < $1.count }) else { return nil }
        return FoundBlob(
            id: id,
            scheme: best.header.scheme,
            length: best.trailer.blobLength,
            frames: best.trailer.frames,
            ingestDigest: best.trailer.ingestDigest,
            holders: holders(of: id, count: best.header.scheme.shardCount),
            identity: identity
        )
    }

    private static func agree(
        _ one: ShardHeader,
        _ first: ShardTrailer,
        _ other: ShardHeader,
        _ second: ShardTrailer
    ) -> Bool {
        one.scheme == other.scheme && first.blobLength == second.blobLength && first.frames == second.frames
            && first.ingestDigest == second.ingestDigest && first.shardDigests == second.shardDigests
    }

    private func holders(of blob: BlobID, count: Int) -> [[DiskID]] {
        (0..<count).map { index in
            holders(of: ShardID(blob: blob, index: UInt8(index))).map(\.identity.disk)
        }
    }
}
