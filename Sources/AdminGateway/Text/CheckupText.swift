/// `cairn admin doctor` for people.
package enum CheckupText {
    package static func text(_ checkup: Checkup) -> String {
        var lines = [headline(checkup.findings)]
        for finding in checkup.findings {
            lines.append("")
            lines.append("\(finding.severity == .hint ? "-" : "!") \(finding.severity.rawValue): \(finding.problem)")
            lines.append("    why   \(finding.cause)")
            lines.append("    do    \(finding.action)")
            if let command = finding.command { lines.append("    run   \(command)") }
        }
        let protection = [
            checkup.protection.map { "May be lost     " + ProtectionText.survives($0, journal: checkup.journal) },
            checkup.protection.flatMap { ProtectionText.shardsAlone($0, journal: checkup.journal) }
                .map { "by shards alone " + $0 },
            checkup.durability.map { "By the model    " + ProtectionText.nines($0) },
            checkup.durability.map { "which supposes  " + ProtectionText.assumptions($0) },
        ].compactMap { $0 }
        if !protection.isEmpty { lines += [""] + protection }
        return lines.joined(separator: "\n")
    }

    private static func headline(_ findings: [Finding]) -> String {
        let problems = findings.count { $0.severity != .hint }
        guard problems > 0 else { return "Healthy: no problem found." }
        return problems == 1 ? "1 problem:" : "\(Words.count(problems)) problems, the worst first:"
    }
}

/// What a store survives, in words.
enum ProtectionText {
    /// With the journal going on as well, which `journal` may be lost of.
    static func survives(_ shards: ProtectionReport, journal: ProtectionReport?) -> String {
        if shards.spares >= 0, let journal, journal.spares < 0 {
            return "nothing more: the journal is \(Words.plural(-journal.spares, "keeper")) short of those it needs"
        }
        return survives(shards.limited(by: journal))
    }

    /// Where the journal stops before anything is below k: what the shards would bear.
    static func shardsAlone(_ shards: ProtectionReport, journal: ProtectionReport?) -> String? {
        guard let journal, shards.spares >= 0, journal.isLess(than: shards) else { return nil }
        return survives(shards)
    }

    static func survives(_ protection: ProtectionReport) -> String {
        guard protection.spares >= 0 else {
            return
                "nothing more: some blobs are \(Words.plural(-protection.spares, "shard")) short of what reading needs"
        }
        let counts = [(protection.disks, "disk"), (protection.nodes, "node"), (protection.sites, "site")]
        let some = counts.filter { $0.0 > 0 }.map { "any \(Words.plural($0.0, $0.1))" }
        let none = counts.filter { $0.0 == 0 }.map { "no \($0.1)" }
        var text = ([some.joined(separator: ", or ")] + none).filter { !$0.isEmpty }.joined(separator: "; ")
        if protection.sites > 0, protection.sparesWithoutSite > 0 {
            text += "; or a site and any \(Words.plural(protection.sparesWithoutSite, "disk"))"
        }
        return text
    }

    /// More nines than this say nothing of a real store (Docs/Placement.md).
    private static let mostNines = 11.0

    static func nines(_ report: DurabilityReport) -> String {
        "\(nines(report.nines)) nines a year, \(nines(report.ninesByDisks)) by disks alone"
    }

    static func count(_ nines: Double) -> String { Self.nines(nines) }

    private static func nines(_ count: Double) -> String {
        count > mostNines ? "over \(Int(mostNines))" : tenths(count)
    }

    /// What the nines rest on.
    static func assumptions(_ report: DurabilityReport) -> String {
        "\(tenths(report.diskFailuresPerYear * 100)) % of disks fail a year, each made good within "
            + "\(tenths(report.repairHours)) h; 1 site in "
            + "\(Words.count(Int((1 / max(report.siteLossPerYear, 1e-9)).rounded()))) is destroyed"
    }

    /// One digit behind the point, without a locale.
    static func tenths(_ value: Double) -> String {
        let tenths = Int((max(0, min(value, 1e12)) * 10).rounded())
        return "\(tenths / 10).\(tenths % 10)"
    }
}
