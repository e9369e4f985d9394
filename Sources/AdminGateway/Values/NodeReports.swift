/// The nodes of a cluster, as `cairn admin node list` shows them.
package struct NodesReport: Codable, Hashable, Sendable {
    package struct Node: Codable, Hashable, Sendable {
        package var site: String
        package var name: String
        /// Where it was last heard of, `HOST:PORT`.
        package var address: String
        /// It beats.
        package var isPresent: Bool
        /// Its disks that are in use.
        package var disks: Int

        package init(site: String, name: String, address: String, isPresent: Bool, disks: Int) {
            self.site = site
            self.name = name
            self.address = address
            self.isPresent = isPresent
            self.disks = disks
        }
    }

    /// By site and name.
    package var nodes: [Node]

    package init(nodes: [Node]) { self.nodes = nodes }
}
