/// `cairn admin node maintenance` for people.
enum MaintenanceText {
    static func text(_ report: MaintenanceReport) -> String {
        guard !report.nodes.isEmpty else { return "No node is in maintenance." }
        return report.nodes.map { "\($0.name) is in maintenance for another \(Words.span($0.secondsLeft))." }
            .joined(separator: "\n")
    }

    /// Behind the answer to the question what is at risk meanwhile. `node`: as the operator called it.
    static func begun(_ report: MaintenanceReport, of node: String) -> String {
        text(report) + """


            Its disks are waited for until then. Stop the node, do the work, start it again: what it missed is \
            repaired. When it is back: cairn admin node maintenance end \(node)
            """
    }
}
