/// `cairn admin node list` and `remove` for people.
enum NodeText {
    static func text(_ report: NodesReport) -> String {
        guard !report.nodes.isEmpty else { return "No node has joined yet." }
        var table = TextTable(("NODE", .left), ("STATE", .left), ("DISKS", .right), ("ADDRESS", .left))
        for node in report.nodes {
            let state = node.state == .up ? "up" : node.state.rawValue.uppercased()
            table.add("\(node.site)/\(node.name)", state, "\(node.disks)", node.address)
        }
        return table.lines.joined(separator: "\n")
    }

    static func removed(_ node: NodesReport.Node) -> String {
        "Node \(node.site)/\(node.name) is no member any more: started again, it is refused. Its name stays taken; "
            + "with a token of `cairn admin node token --replace \(node.name)` it would join anew."
    }
}
