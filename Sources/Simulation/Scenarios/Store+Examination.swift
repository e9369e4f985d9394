import BlobStorage
import Coordination
import DiskFormat
import Metadata
import ObjectModel
import Placement
import ShardStorage
import StorageNode

/// What a scenario looks up in a store from outside of it.
extension Store {
    /// What it lacks to be whole, every shard counted; empty when it is.
    func lack() async -> String {
        let away = absentSlots
        if !away.isEmpty { return "away: \(away)" }
        // Still read from, and let go a moment later.
        if hosted.contains(where: { $0.disk.shards.failure != nil }) { return "a disk has failed" }
        do {
            let missing = try await metadata.missingShardCount()
            let moving = blobs.view.map.groups.values.reduce(0) { $0 + $1.former.count }
            if moving > 0 { return "\(moving) places are being moved" }
            let draining = try await metadata.disks().filter { $0.state == .draining }
            if !draining.isEmpty { return "to be emptied yet: \(draining.map(\.slot))" }
            let rewrites = try await metadata.classRewrites()
            if let rewrite = rewrites.first {
                return "being rewritten: \(rewrite) \(classRewriter.progress(of: rewrite).map { "\($0)" } ?? "")"
            }
            let report = verifier.report
            let isWhole = missing == 0 && report.isCurrent && report.shardsVerified == report.shardsExpected
            return isWhole ? "" : "\(missing) missing, \(report)"
        } catch {
            return "\(error)"
        }
    }

    /// Every live blob with the disks that its shards stand on.
    func liveBlobs() async throws -> [BlobID: [DiskID]] {
        var found: [BlobID: [DiskID]] = [:]
        var last: BlobID?
        while true {
            let page = try await metadata.blobs(after: last, limit: 256)
            guard let end = page.last else { return found }
            last = end.id
            for blob in page { found[blob.id] = blobs.view.group(blob.group)?.holders(moving: blob.moving) ?? [] }
        }
    }

    /// The shards on these disks that metadata does not place there, in words.
    func leakedShards(on disks: [HostedDisk]) async throws -> [String] {
        let live = try await liveBlobs()
        var leaked: [(shard: ShardID, disk: DiskID)] = []
        for disk in disks {
            let id = disk.shards.identity.disk
            for entry in disk.shards.inventory(after: nil, limit: .max) {
                let members = live[entry.shard.blob] ?? []
                let isPlaced = members.indices.contains(Int(entry.shard.index)) && members[Int(entry.shard.index)] == id
                if !isPlaced { leaked.append((entry.shard, id)) }
            }
        }
        guard !leaked.isEmpty else { return [] }
        let held = try await metadata.activeLeases().map { ($0.lease, ", its lease is \($0.holder)'s") }
        let leases = Dictionary(held) { first, _ in first }
        return leaked.map { shard, disk in
            let kind = live[shard.blob] == nil ? "" : ", of a live blob"
            return "\(shard) on \(disk)\(leases[shard.blob.writeLease] ?? "")\(kind)"
        }
    }

    /// Live blobs that nothing names, in words: metadata itself leaks them, and places their shards.
    ///
    /// `isEmptied`: there is neither an object nor an upload, so that only checkpoints may name any.
    package func leakedBlobs(isEmptied: Bool) async throws -> [String] {
        let before = try await metadata.checkpoints()
        let live = try await liveBlobs()
        // One that was made meanwhile, and the one that it replaced, named theirs.
        let checkpoints = before + (try await metadata.checkpoints())
        let kept = Set(checkpoints.flatMap(\.pieces).flatMap(\.extents).map(\.blob))
        var leaked: [String] = []
        for blob in live.keys.sorted() where !kept.contains(blob) {
            let owners = try await metadata.owners(of: blob)
            // It may have died since it was listed.
            guard owners.isEmpty || isEmptied, try await metadata.blob(blob) != nil else { continue }
            leaked.append("\(blob) is live, and \(owners.isEmpty ? "nothing" : "\(owners)") names it")
        }
        return leaked
    }

    /// What each shard of an object's blobs is like on these disks, for the report of a failure.
    func describeShards(of key: String, on disks: [HostedDisk]) async -> [String] {
        var found = absentSlots.map { "\($0.slot): \($0.reason)" }
        for blob in (try? await metadata.blobs(after: nil, limit: 4_096)) ?? [] {
            let owners = (try? await metadata.owners(of: blob.id)) ?? []
            guard owners.contains(where: { $0.key == key }), let group = blobs.view.group(blob.group) else { continue }
            found.append("\(blob.id) missing \(blob.missing) moving \(blob.moving)")
            for (index, disk) in group.holders(moving: blob.moving).enumerated() {
                let shard = ShardID(blob: blob.id, index: UInt8(index))
                let shards = disks.first { $0.shards.identity.disk == disk }?.shards
                let verdict = try? await shards?.verify(shard)
                let isUsable = blobs.view.isUsable(disk)
                found.append("\(index): \(verdict.map { "\($0)" } ?? "none")\(isUsable ? "" : " unusable")")
            }
        }
        return found
    }
}
