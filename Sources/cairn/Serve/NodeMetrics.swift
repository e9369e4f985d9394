import Coordination
import ObjectModel

extension MetricText {
    /// How the nodes are, in all and each; `inMaintenance`: those whose disks are waited for.
    mutating func addNodes(_ nodes: Set<NodeMember>, inMaintenance: Int, of store: Store) {
        let standings = nodes.sorted { ($0.site, $0.name) < ($1.site, $1.name) }
            .map { (node: $0, standing: store.standing(of: $0.name)) }
        for standing in NodeStanding.allCases {
            add(
                "cairn_nodes",
                "Nodes by how they are.",
                standings.count { $0.standing == standing },
                Self.label("state", standing.rawValue)
            )
        }
        for (node, standing) in standings {
            let label = [Self.label("node", node.name.name), Self.label("site", node.site.name)].joined(separator: ",")
            add("cairn_node_up", "1 while the node is up; see cairn_nodes.", standing == .up ? 1 : 0, label)
        }
        add("cairn_nodes_in_maintenance", "Nodes whose disks are waited for.", inMaintenance)
    }
}
