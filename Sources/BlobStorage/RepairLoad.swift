package import ObjectModel

/// What putting shards of a blob back asks of disks, and of the lines between sites.
package struct RepairLoad: Hashable, Sendable {
    /// Bytes read from, or written to, each disk. What is written is read back, too, but that was just written.
    package var disks: [DiskID: Int]
    /// Bytes that come from another site, or go to one.
    package var crossing: Int

    package init(disks: [DiskID: Int], crossing: Int) {
        self.disks = disks
        self.crossing = crossing
    }
}

extension BlobStore {
    /// Of `repair`, as far as can be said before: k others are read, the nearest.
    package func load(repairing request: RepairRequest) -> RepairLoad {
        let sources = candidates(request.location, tried: Set(request.shards.map { Int($0) }), excluding: [])
        return load(request, sources: sources.prefix(request.location.scheme.dataCount).map { $0 })
    }

    /// Of `move`, as far as can be said before: each shard is read where it lies.
    package func load(moving request: RepairRequest) -> RepairLoad {
        load(request, sources: request.shards.map { Int($0) })
    }

    private func load(_ request: RepairRequest, sources: [Int]) -> RepairLoad {
        let disks = sources.map { request.location.members[$0] } + request.shards.map { request.members[Int($0)] }
        let bytes = request.location.geometry.shardLength
        let load = disks.reduce(into: [:]) { $0[$1, default: 0] += bytes }
        return RepairLoad(disks: load, crossing: bytes * view.countElsewhere(disks))
    }
}
