/// A node that is taken down for a while, or is back.
package struct MaintenanceRequest: Codable, Hashable, Sendable {
    /// `NODE`, or `SITE/NODE` where several have that name.
    package var node: String
    /// For how long from now on; nil when it is over.
    package var seconds: Int?

    package init(node: String, seconds: Int?) {
        self.node = node
        self.seconds = seconds
    }
}

/// The nodes in maintenance: their disks are waited for, however long they are away.
package struct MaintenanceReport: Codable, Hashable, Sendable {
    package struct Node: Codable, Hashable, Sendable {
        package var site: String
        package var node: String
        package var secondsLeft: Int

        package init(site: String, node: String, secondsLeft: Int) {
            self.site = site
            self.node = node
            self.secondsLeft = secondsLeft
        }

        package var name: String { "\(site)/\(node)" }
    }

    /// By site and node.
    package var nodes: [Node]

    package init(nodes: [Node]) { self.nodes = nodes }
}
