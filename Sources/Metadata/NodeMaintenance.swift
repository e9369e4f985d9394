internal import ObjectInterface
package import ObjectModel
package import SystemInterface

/// A node that its operators have taken down for a while, or are about to: until then its disks are waited for, however
/// long they are away.
package struct NodeMaintenance: Hashable, Sendable {
    package var site: SiteName
    package var node: NodeName
    package var until: WallTime

    package init(site: SiteName, node: NodeName, until: WallTime) {
        self.site = site
        self.node = node
        self.until = until
    }

    /// Nodes of a store at a time: they are kept in one row.
    package static let limit = 1_000

    private func isFor(_ site: SiteName, _ node: NodeName) -> Bool { self.site == site && self.node == node }

    static func removing(_ site: SiteName, _ node: NodeName, from all: [Self]) -> [Self] {
        all.filter { !$0.isFor(site, node) }
    }
}

extension NodeMaintenance: RowCodable {
    func encode(into writer: inout ByteWriter) {
        writer.put(site.name)
        writer.put(node.name)
        writer.put(until)
    }

    init(from reader: inout ByteReader) throws(MetadataError) {
        site = SiteName(try reader.getText())
        node = NodeName(try reader.getText())
        until = try reader.getTime()
    }
}

/// All that are noted, by site and node; those that are over among them.
private struct NodeMaintenances: RowCodable {
    var nodes: [NodeMaintenance]

    init(_ nodes: [NodeMaintenance]) {
        self.nodes = nodes.sorted { ($0.site.name, $0.node.name) < ($1.site.name, $1.node.name) }
    }

    func encode(into writer: inout ByteWriter) {
        writer.put(list: nodes) { writer, node in node.encode(into: &writer) }
    }

    init(from reader: inout ByteReader) throws(MetadataError) {
        nodes = try reader.getList(size: 3) { (reader) throws(MetadataError) in try NodeMaintenance(from: &reader) }
    }
}

extension MetadataView {
    func maintenances() throws(MetadataError) -> [NodeMaintenance] {
        guard let row = try tables.get(.meta, MetadataState.maintenancesKey) else { return [] }
        return try NodeMaintenances(row: row).nodes
    }
}

// What must hold of each change, and what it does to the rows.

extension MetadataTransaction {
    /// Forgets those that were over at `now` with it.
    func beginMaintenance(_ maintenance: NodeMaintenance, now: WallTime) throws(MetadataError) {
        let noted = try view.maintenances()
        let over = noted.filter { $0.until <= now }
        guard noted.count - over.count < NodeMaintenance.limit else {
            throw .refused(.invalidArgument, "At most \(NodeMaintenance.limit) nodes are in maintenance at a time.")
        }
        let ends = over.map { MetadataEffect.maintenanceEnded($0.site, $0.node) }
        try perform(ends + [.maintenancePut(maintenance)])
    }

    func endMaintenance(_ site: SiteName, _ node: NodeName) throws(MetadataError) -> Bool {
        let noted = try view.maintenances()
        guard NodeMaintenance.removing(site, node, from: noted).count < noted.count else { return false }
        try perform([.maintenanceEnded(site, node)])
        return true
    }

    func putMaintenance(_ maintenance: NodeMaintenance) throws(MetadataError) {
        let others = NodeMaintenance.removing(maintenance.site, maintenance.node, from: try view.maintenances())
        try keep(others + [maintenance])
    }

    /// No error when there is none.
    func removeMaintenance(_ site: SiteName, _ node: NodeName) throws(MetadataError) {
        try keep(NodeMaintenance.removing(site, node, from: try view.maintenances()))
    }

    private func keep(_ nodes: [NodeMaintenance]) throws(MetadataError) {
        if nodes.isEmpty {
            try tables.remove(.meta, MetadataState.maintenancesKey)
        } else {
            try tables.put(.meta, MetadataState.maintenancesKey, NodeMaintenances(nodes).encoded())
        }
    }
}
