/// A node under whose name several processes run: its machine was cloned, or its data folder copied, and both started.
package struct CopiedNodeReport: Codable, Hashable, Sendable {
    package var site: String
    package var name: String
    /// Where each of them takes calls, and where it calls from if that tells more.
    package var processes: [String]

    package init(site: String, name: String, processes: [String]) {
        self.site = site
        self.name = name
        self.processes = processes
    }

    /// `SITE/NODE`.
    var place: String { "\(site)/\(name)" }
}

extension StatusReport {
    /// Which of its disks come and go, and what is on them, says nothing while several processes answer for them.
    func isCopied(_ disk: DiskReport) -> Bool { isCopied(node: disk.node) }
    func isCopied(_ disk: UnusedDiskReport) -> Bool { isCopied(node: disk.node) }
    private func isCopied(node: String) -> Bool { copiedNodes.contains { $0.name == node } }
}

extension DiskReport {
    /// What is seen of it would otherwise ask for it to be brought back or taken out.
    var isInDoubt: Bool { state.needsAttention || state == .suspect || state == .hanging }
}
