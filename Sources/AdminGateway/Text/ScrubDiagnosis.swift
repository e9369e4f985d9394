/// What an operator should do about the scrub.
enum ScrubDiagnosis {
    private static let daySeconds = 86_400

    static func findings(_ report: ScrubReport) -> [Diagnosis.Finding] {
        damaged(report) + late(report) + paused(report) + unkept(report)
    }

    private static func damaged(_ report: ScrubReport) -> [Diagnosis.Finding] {
        guard !report.damagedObjects.isEmpty else { return [] }
        return [
            Diagnosis.Finding(
                severity: .warning,
                text: "\(Words.plural(report.damagedObjects.count, "object")) not as they came in, though their shards "
                    + "agree: \(report.damagedObjects.prefix(5).joined(separator: ", "))",
                action: "store them again from their source; `cairn admin scrub status` lists them"
            )
        ]
    }

    private static func late(_ report: ScrubReport) -> [Diagnosis.Finding] {
        var findings: [Diagnosis.Finding] = []
        let late = report.disks.filter { $0.oldestUnverified > report.days * daySeconds }
        if let worst = late.max(by: { $0.oldestUnverified < $1.oldestUnverified }) {
            let action =
                late.contains { $0.paused }
                ? "run: cairn admin scrub resume"
                : "bring disks that are away back; else start with a higher --scrub-rate, or more --scrub-days"
            findings.append(
                Diagnosis.Finding(
                    severity: .notice,
                    text: "\(Words.plural(late.count, "disk")) not verified within \(report.days) days; disk "
                        + "\(worst.place) has bytes that were last read \(Words.span(worst.oldestUnverified)) ago",
                    action: action
                )
            )
        }
        if report.oldestUncoded > report.codingDays * daySeconds {
            findings.append(
                Diagnosis.Finding(
                    severity: .notice,
                    text: "stripes were last coded again \(Words.span(report.oldestUncoded)) ago, and "
                        + "\(report.codingDays) days are promised",
                    action: "start with a higher --scrub-rate, or more --re-encode-days"
                )
            )
        }
        return findings
    }

    private static func paused(_ report: ScrubReport) -> [Diagnosis.Finding] {
        let count = report.disks.count { $0.paused }
        guard report.paused || count > 0 else { return [] }
        return [
            Diagnosis.Finding(
                severity: .notice,
                text: report.paused ? "the scrub is paused" : "the scrub is paused on \(Words.plural(count, "disk"))",
                action: "when it may read again: cairn admin scrub resume"
            )
        ]
    }

    private static func unkept(_ report: ScrubReport) -> [Diagnosis.Finding] {
        guard !report.problem.isEmpty else { return [] }
        return [
            Diagnosis.Finding(
                severity: .notice,
                text: "scrub: \(report.problem)",
                action: "look at the data folder: permissions, and room"
            )
        ]
    }
}
