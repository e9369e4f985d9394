/// How a node is; every command and metric means the same by it.
package enum NodeState: String, Codable, Sendable, CaseIterable {
    case up
    /// It answers and does not report, or has given no answer for some seconds.
    case suspect
    /// It gives no answer.
    case down
    /// It gives none, and its shards are, or are being, made anew elsewhere.
    case out
}

/// The nodes of a cluster, as `cairn admin node list` shows them.
package struct NodesReport: Codable, Hashable, Sendable {
    package struct Node: Codable, Hashable, Sendable {
        package var site: String
        package var name: String
        /// Where it was last heard of, `HOST:PORT`.
        package var address: String
        package var state: NodeState
        /// Something was heard of it lately: it is up or suspect.
        package var isPresent: Bool
        /// Its disks that are in use.
        package var disks: Int

        package init(site: String, name: String, address: String, state: NodeState, disks: Int) {
            self.site = site
            self.name = name
            self.address = address
            self.state = state
            isPresent = state == .up || state == .suspect
            self.disks = disks
        }
    }

    /// By site and name.
    package var nodes: [Node]

    package init(nodes: [Node]) { self.nodes = nodes }
}
