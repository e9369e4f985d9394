/// `cairn admin status` for people: first how it is and what to do, then the figures.
package enum StatusText {
    package static func text(_ report: StatusReport) -> String {
        let diagnosis = Diagnosis(report)
        var lines = [diagnosis.headline]
        for finding in diagnosis.findings {
            lines.append("  \(finding.severity == .notice ? "-" : "!") \(finding.text)")
            lines.append("      \(finding.action)")
        }
        lines.append("")
        lines += figures(report)
        lines.append("")
        lines += disks(report.disks) + unused(report.unusedDisks)
        return lines.joined(separator: "\n")
    }

    /// The table of disks, alone.
    static func disks(_ disks: [DiskReport]) -> [String] {
        var table = TextTable(
            ("DISK", .left),
            ("STATE", .left),
            ("USED", .right),
            ("OF", .right),
            ("FULL", .right),
            ("LIVE", .right),
            ("DEAD", .right),
            ("MISSING", .right),
            ("ID", .left),
            ("PATH", .left)
        )
        for disk in disks {
            let isKnown = disk.state.isReadable
            func bytes(_ count: Int) -> String { isKnown ? Words.bytes(count) : "-" }
            table.add(
                disk.place,
                disk.state == .healthy ? "healthy" : disk.state.rawValue.uppercased(),
                bytes(disk.used),
                bytes(disk.capacity),
                isKnown ? Words.percent(disk.used, of: disk.capacity) : "-",
                bytes(disk.liveBytes),
                bytes(disk.deadBytes),
                Words.count(disk.missingShards),
                String(disk.id.prefix(8)),
                disk.path
            )
        }
        return table.lines
    }

    /// What stands in slots beside the disks of the table.
    static func unused(_ disks: [UnusedDiskReport]) -> [String] {
        guard !disks.isEmpty else { return [] }
        return ["", "Not in use:"] + disks.map { "  \($0.name): \($0.reason)" }
    }

    private static func figures(_ report: StatusReport) -> [String] {
        let maintained = report.maintained.map { "\($0.name), for another \(Words.span($0.secondsLeft))" }
        let figures = [
            ("Store", store(report)),
            (
                "Objects",
                "\(Words.count(report.objects)), \(Words.bytes(report.bytes)) of \(Words.bytes(report.capacity)) "
                    + "(\(Words.percent(report.bytes, of: report.capacity)))"
            ),
            ("Groups", groups(report.groups)), ("Shards", shards(report)), ("Repair", RepairText.line(report.repair)),
            ("Verified", verified(report)), ("Scrub", ScrubText.summary(report.scrub)),
            ("Journal", journal(report.journal)),
            ("Recovery kit", report.recoveryKitTaken ? "taken" : "NOT TAKEN"),
        ]
        let more =
            (report.moves.map { [("Moves", MovesText.text($0))] } ?? [])
            + (maintained.isEmpty ? [] : [("Maintenance", maintained.joined(separator: "; "))])
        return (figures + more).map { label, value in
            label + String(repeating: " ", count: 14 - label.count) + value
        }
    }

    private static func store(_ report: StatusReport) -> String {
        "\(report.clusterID.prefix(8)), \(report.scheme): any \(report.dataShards) of \(report.totalShards) shards give"
            + " the data; \(Words.plural(Set(report.disks.map(\.site)).count, "site")), "
            + "\(Words.plural(Set(report.disks.map { "\($0.site)/\($0.node)" }).count, "node")), "
            + Words.plural(report.disks.count, "disk")
    }

    private static func groups(_ groups: GroupsReport) -> String {
        var text = "\(Words.count(groups.whole)) of \(Words.count(groups.total)) whole"
        if groups.degraded > 0 { text += ", \(Words.count(groups.degraded)) degraded" }
        if groups.unwritable > 0 { text += ", \(Words.count(groups.unwritable)) not writable" }
        if groups.closed > 0 { text += "; \(Words.count(groups.closed)) of removed classes" }
        return text
    }

    private static func shards(_ report: StatusReport) -> String {
        guard report.missingShards > 0 || report.blobsBelowK > 0 else { return "none missing" }
        // Each blob counts by the k of its own class.
        return "\(Words.count(report.missingShards)) missing; \(Words.plural(report.blobsBelowK, "blob")) with fewer "
            + "than reading needs"
    }

    private static func verified(_ report: StatusReport) -> String {
        let verification = report.verification
        let last = verification.lastFullPass.map { "last full pass \(Words.span(report.time - $0)) ago" }
        return "\(Words.count(verification.shardsVerified)) of \(Words.count(verification.shardsExpected)) shards, "
            + "\(Words.count(verification.shardsPresent)) present; \(last ?? "no full pass since the start")"
            + (verification.active ? ", one is running" : "")
    }

    private static func journal(_ journal: JournalReport) -> String {
        "\(journal.current) of \(Words.plural(journal.keepers.count, "keeper")) current, \(journal.needed) needed; "
            + "incarnation \(Words.count(journal.incarnation)), sequence \(Words.count(journal.sequence))"
    }
}
