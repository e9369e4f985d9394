package import ObjectModel

extension SpreadRule {
    /// What each disk should hold of blobs with `shardCount` shards of `bytes` each in sum.
    ///
    /// As much as its weight says, as far as the rule lets it: no site, node or disk gets more shards of a blob than it
    /// may hold, and what one may not take goes to the others by their weights. So a node added to one of three sites
    /// that hold a third of every blob takes its share from that site alone.
    package func shares(of bytes: Double, shardCount: Int, on disks: [PlacementDisk]) -> [DiskID: Double] {
        let sites = Dictionary(grouping: disks, by: \.site).sorted { $0.key < $1.key }.map { site, members in
            let nodes = Dictionary(grouping: members, by: \.node).sorted { $0.key < $1.key }.map { _, disks in
                let disks = disks.sorted { $0.id < $1.id }.map { disk in
                    Taker(disk: disk.id, weight: disk.weight, room: bytes)
                }
                return Taker(parts: disks, room: Double(perNode[site, default: 1]) * bytes)
            }
            return Taker(parts: nodes, room: Double(perSite) * bytes)
        }
        let whole = Taker(parts: sites, room: Double(shardCount) * bytes)
        var shares: [DiskID: Double] = [:]
        whole.take(whole.room, into: &shares)
        return shares
    }
}

/// What shards are divided over: a disk, or several takers that a node, a site or the cluster consists of.
private struct Taker {
    let disk: DiskID?
    let parts: [Self]
    let weight: Double
    /// Bytes that it can take at most.
    let room: Double

    init(disk: DiskID, weight: Double, room: Double) {
        (self.disk, self.parts, self.weight, self.room) = (disk, [], weight, room)
    }

    init(parts: [Self], room: Double) {
        disk = nil
        self.parts = parts
        weight = parts.reduce(0) { $0 + $1.weight }
        self.room = min(room, parts.reduce(0) { $0 + $1.room })
    }

    /// Divides an amount by the weights of the parts; those that would get more than they can take are filled, and the
    /// others share what is left.
    func take(_ amount: Double, into shares: inout [DiskID: Double]) {
        if let disk { shares[disk, default: 0] += amount }
        var left = min(amount, room)
        var hungry = parts
        while !hungry.isEmpty {
            let weight = hungry.reduce(0) { $0 + $1.weight }
            let perWeight = weight > 0 ? left / weight : 0
            let full = hungry.filter { $0.room < perWeight * $0.weight }
            guard !full.isEmpty else {
                for part in hungry { part.take(perWeight * part.weight, into: &shares) }
                return
            }
            for part in full { part.take(part.room, into: &shares) }
            left -= full.reduce(0) { $0 + $1.room }
            hungry.removeAll { $0.room < perWeight * $0.weight }
        }
    }
}
