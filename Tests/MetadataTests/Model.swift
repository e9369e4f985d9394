import Metadata
import ObjectInterface
import ObjectModel

/// What a store must hold, kept in the plainest way: names, and everything else counted anew from them.
struct Model {
    var versions: [String: VersionRecord] = [:]
    var parts: [String: [Int: PartRecord]] = [:]
    /// All blobs ever recorded and not forgotten, with their missing shards.
    var blobs: [BlobID: BlobRecord] = [:]
    var classes: [String: Scheme] = [:]
    /// The default of the bucket.
    var bucketClass: String?

    private var extents: [Extent] {
        versions.values.flatMap(\.extents) + parts.values.flatMap { $0.values.flatMap(\.extents) }
    }

    var live: [BlobRecord] {
        let named = Set(extents.map(\.blob))
        return blobs.values.filter { named.contains($0.id) }.sorted { $0.id < $1.id }
    }

    var dead: [BlobRecord] {
        let named = Set(extents.map(\.blob))
        return blobs.values.filter { !named.contains($0.id) }.sorted { $0.id < $1.id }
    }

    var missing: [MissingShard] {
        live.flatMap { blob in
            blob.missing.map {
                MissingShard(
                    shard: ShardID(blob: blob.id, index: $0),
                    group: blob.group,
                    spares: 2 - blob.missing.count
                )
            }
        }
        .sorted { ($0.spares, $0.shard) < ($1.spares, $1.shard) }
    }

    var moving: [MovingShard] {
        live.flatMap { blob in
            blob.moving.map { MovingShard(shard: ShardID(blob: blob.id, index: $0), group: blob.group) }
        }
    }

    /// Logical bytes of the frames of a blob that something names, frame by frame.
    func liveBytes(_ blob: BlobRecord) -> Int {
        var total = 0
        var position = 0
        for index in 0..<blob.frames.count(storedLength: blob.length) {
            guard let (frame, _) = blob.frames.frame(index, storedLength: blob.length) else { continue }
            let range = position..<position + frame.logicalLength
            let isNamed = extents.contains { extent in
                guard extent.blob == blob.id else { return false }
                let start = Self.start(of: extent.firstFrame, blob) + extent.offset
                return range.overlaps(start..<start + extent.length)
            }
            if isNamed { total += frame.logicalLength }
            position = range.upperBound
        }
        return total
    }

    private static func start(of frame: Int, _ blob: BlobRecord) -> Int {
        (0..<frame).reduce(0) {
            $0 + (blob.frames.frame($1, storedLength: blob.length)?.frame.logicalLength ?? 0)
        }
    }

    var statistics: MetadataStatistics {
        MetadataStatistics(
            buckets: 1,
            versions: versions.count,
            uploads: parts.count,
            blobs: live.count,
            deadBlobs: dead.count,
            missingShards: live.reduce(0) { $0 + $1.missing.count },
            movingShards: live.reduce(0) { $0 + $1.moving.count },
            blobsBelowQuorum: live.filter { $0.missing.count > 2 }.count,
            bytes: versions.values.reduce(0) { $0 + $1.length }
        )
    }

    /// Everything a store says, compared with what it must say.
    func check(_ store: any ReplicatedMetadata, _ place: String) async throws {
        let statistics = try await store.statistics()
        try expect(statistics == self.statistics, "\(place): \(statistics), not \(self.statistics)")
        let classes = try await store.classes()
        try expect(
            classes == self.classes.sorted { $0.key < $1.key }.map { StorageClass(name: $0.key, scheme: $0.value) },
            "\(place): classes \(classes), not \(self.classes)"
        )
        let bucketClass = try await store.bucket("b")?.storageClass
        try expect(bucketClass == self.bucketClass, "\(place): default \(String(describing: bucketClass))")
        let names = try await store.names().names
        let expected = versions.keys.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
        try expect(names == expected, "\(place): names \(names), not \(expected)")
        for (key, version) in versions {
            let detail = try await store.version(bucket: "b", key: key)
            try expect(detail?.version == version, "\(place): \(key) is \(String(describing: detail?.version))")
            for extent in version.extents {
                try expect(detail?.blobs[extent.blob] == blobs[extent.blob], "\(place): blob \(extent.blob) of \(key)")
            }
        }
        for (upload, parts) in parts {
            let found = try await store.parts(of: UploadID(upload), after: 0, limit: 99)
            try expect(found == parts.sorted { $0.key < $1.key }.map(\.value), "\(place): parts of \(upload)")
        }
        try expect(try await store.blobs(after: nil, limit: .max) == live, "\(place): live blobs")
        try expect(try await store.deadBlobs(after: nil, limit: .max) == dead, "\(place): dead blobs")
        let missing = try await store.missingShards(limit: .max)
        try expect(missing == self.missing, "\(place): missing \(missing), not \(self.missing)")
        let moving = try await store.movingShards(after: nil, limit: .max)
        try expect(moving == self.moving, "\(place): moving \(moving), not \(self.moving)")
        let sparse = Dictionary(
            uniqueKeysWithValues: try await store.sparseBlobs(share: 1, limit: .max).map { ($0.blob.id, $0.liveBytes) }
        )
        for blob in live {
            let bytes = liveBytes(blob)
            let total = (0..<blob.frames.count(storedLength: blob.length)).reduce(0) {
                $0 + (blob.frames.frame($1, storedLength: blob.length)?.frame.logicalLength ?? 0)
            }
            try expect(sparse[blob.id] ?? total == bytes, "\(place): \(blob.id) has \(bytes) of \(total) live")
            try expect((sparse[blob.id] == nil) == (bytes == total), "\(place): \(blob.id) in the sparse ones")
        }
    }
}
