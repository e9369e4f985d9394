import ArgumentParser
import Coordination
import LinuxSystem
import ObjectModel
import StorageNode
import SystemInterface

/// A disk given by `--disk`: `PATH[,site=NAME][,node=NAME]`.
struct DiskOption: ExpressibleByArgument, Sendable {
    var path: String
    var site: String?
    var node: String?

    init?(argument: String) {
        let parts = argument.split(separator: ",", omittingEmptySubsequences: false).map(String.init)
        guard let path = parts.first, !path.isEmpty else { return nil }
        self.path = path
        for part in parts.dropFirst() {
            let pair = part.split(separator: "=", maxSplits: 1).map(String.init)
            guard pair.count == 2, !pair[1].isEmpty else { return nil }
            switch pair[0] {
            case "site": site = pair[1]
            case "node": node = pair[1]
            default: return nil
            }
        }
    }
}

/// Sites, nodes and disks as the command line gives them.
struct Topology: Sendable {
    var sites: Int
    var nodes: Int
    var disks: Int
    var given: [DiskOption]

    /// The most of each that one process takes: beyond it, run nodes of their own.
    static let limit = 1_024

    /// Disks are dealt over the sites and nodes in turn; each has a name of its own in the whole store.
    func slots(in folder: DataFolder) throws -> [StoreSlot] {
        guard given.isEmpty else { return try givenSlots() }
        guard (1...Self.limit).contains(sites), (1...Self.limit).contains(nodes), (1...Self.limit).contains(disks)
        else {
            throw ServeError("--sites, --nodes and --disks must be from 1 to \(Self.limit)")
        }
        guard nodes >= sites, disks >= nodes else {
            throw ServeError("give at least as many --nodes as --sites, and as many --disks as --nodes")
        }
        return (0..<disks).map { index in
            let node = index % nodes
            let site = SiteName("site-\(node % sites + 1)")
            let nodeName = NodeName("node-\(node + 1)")
            let name = "disk-\(index + 1)"
            let path = folder.disk(site: site, node: nodeName, name: name)
            return Self.slot(site: site, node: nodeName, name: name, path: path, createsRoot: true)
        }
    }

    private func givenSlots() throws -> [StoreSlot] {
        try DiskFolders.checkDistinct(given.map(\.path))
        var names: Set<String> = []
        return try given.enumerated().map { index, disk in
            let last = disk.path.split(separator: "/").last.map(String.init) ?? "disk-\(index + 1)"
            let name = names.contains(last) ? disk.path : last
            guard names.insert(name).inserted else { throw ServeError("--disk \(disk.path) is given twice") }
            return Self.slot(
                site: SiteName(disk.site ?? "site-1"),
                node: NodeName(disk.node ?? "node-1"),
                name: name,
                path: disk.path,
                createsRoot: false
            )
        }
    }

    /// A folder in `--data` is made when it is missing; a disk given by its path must be mounted.
    private static func slot(
        site: SiteName,
        node: NodeName,
        name: String,
        path: String,
        createsRoot: Bool
    ) -> StoreSlot {
        StoreSlot(site: site, node: node, name: name, path: path) { () async throws(FileError) in
            try await LinuxFileSystem.open(root: path, name: name, createsRoot: createsRoot)
        }
    }
}
