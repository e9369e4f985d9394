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

    /// Why none of its disks is given up meanwhile.
    package var refusal: AdminError {
        AdminError(
            .conflict,
            CopyText.problem(self) + ": " + CopyText.refusal,
            advice: CopyText.refusalAdvice
        )
    }
}

extension DiskLossReport {
    /// The report while several processes run as the disk's node, if so.
    package func refused(for node: CopiedNodeReport?) -> DiskLossReport {
        var report = self
        if let node { report.refusal = node.refusal.message }
        return report
    }
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
