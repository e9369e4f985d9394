internal import DiskFormat
package import ObjectModel

/// Which slots the folders given to a node are: a disk keeps the slot that it says it was served in, in whatever order,
/// at whatever path and beside whatever others it is given.
package struct SlotNaming: Sendable {
    private let cluster: ClusterID
    private let node: NodeName
    private let remembered: [String: String]

    /// `remembered`: by path, the slot that a folder was at the node's last start.
    package init(cluster: ClusterID, node: NodeName, remembered: [String: String]) {
        self.cluster = cluster
        self.node = node
        self.remembered = remembered
    }

    /// One name for each folder, no two alike.
    ///
    /// What does not say itself where it belongs, because it is empty, away or another's, is the slot that its path was
    /// before, so that an empty disk stands in for the one that broke there; else the first `disk-N` that is free.
    package func names(of disks: [GivenDisk]) -> [String] {
        var names: [Int: String] = [:]
        var taken: Set<String> = []
        func give(_ name: String?, to index: Int) {
            guard let name, names[index] == nil, taken.insert(name).inserted else { return }
            names[index] = name
        }
        // Of two disks of one slot the one that was formatted later is in use: it has replaced the other.
        let newestFirst = disks.indices.sorted { (Self.age(disks[$0]), $0) < (Self.age(disks[$1]), $1) }
        for index in newestFirst { give(own(disks[index])?.slot, to: index) }
        for index in disks.indices where own(disks[index]) == nil { give(remembered[disks[index].path], to: index) }
        var number = 0
        for index in disks.indices {
            while names[index] == nil {
                number += 1
                give("disk-\(number)", to: index)
            }
        }
        return disks.indices.compactMap { names[$0] }
    }

    /// The identity of a disk of this node.
    private func own(_ disk: GivenDisk) -> DiskIdentity? {
        disk.identity.flatMap { $0.cluster == cluster && $0.node == node ? $0 : nil }
    }

    /// For comparison: less of a disk that was formatted later. No bits on a disk make it overflow.
    private static func age(_ disk: GivenDisk) -> Int64 { ~(disk.identity?.created ?? 0) }

    /// Why a disk that was given the slot `name` is not one that this node has served there; nil when it is.
    package func remark(on disk: GivenDisk, named name: String) -> String? {
        switch disk.finding {
        case .empty: return "its folder is empty: it is new, or not mounted"
        case .occupied(let what): return "no disk is in its folder, which holds \(what): it is not formatted over"
        case .unusable(let reason): return reason
        case .disk(let identity):
            guard identity.cluster == cluster else {
                return "it belongs to another store, \(identity.cluster), and is not touched"
            }
            guard identity.node == node else { return "it was served by node \(identity.node) last" }
            guard let slot = identity.slot, slot != name else { return nil }
            return "it was \(slot), and a disk that was formatted later is that now: it was replaced"
        }
    }

    /// Two folders that hold one and the same disk, of which one is a copy; nil where there are none.
    package static func copies(among disks: [GivenDisk]) -> (first: String, second: String)? {
        var paths: [DiskID: String] = [:]
        for disk in disks {
            guard let id = disk.identity?.disk else { continue }
            if let first = paths.updateValue(disk.path, forKey: id) { return (first, disk.path) }
        }
        return nil
    }
}
