/// `--dry-run` of `cairn admin disk replace` and `disk retire`.
package enum DiskLossText {
    package static func text(_ report: DiskLossReport) -> String {
        var lines = [rebuild(report)]
        if !report.isReplaced { lines.append(standIns(report)) }
        lines += risk(report) + report.classes.map { promise($0, report) }
        if let refusal = report.refusal { lines.append("! This is refused as things are: \(refusal)") }
        return (lines + ["Nothing was changed."]).joined(separator: "\n")
    }

    private static func rebuild(_ report: DiskLossReport) -> String {
        guard report.groupsMoved > 0 else { return "Nothing would be made anew." }
        // What would be refused may well not be empty.
        let new = report.refusal == nil ? "the empty disk" : "an empty disk"
        let place = report.isReplaced ? "on \(new) at \(report.path)" : "on other disks"
        let text = "Would make \(Words.plural(report.groupsMoved, "place")) anew \(place), \(Words.bytes(report.bytes))"
        guard let seconds = report.seconds else { return text + "." }
        return text + ": \(Words.span(seconds)) or more at \(report.megabytesPerSecond) MB/s a disk."
    }

    private static func standIns(_ report: DiskLossReport) -> String {
        guard report.groupsLeft > 0 else { return "The disk would be in use no more." }
        return "In \(Words.plural(report.groupsLeft, "group")) no disk is left that could take its place: it would "
            + "keep it there. Replace it with `cairn admin disk replace`."
    }

    private static func risk(_ report: DiskLossReport) -> [String] {
        var lines: [String] = []
        if report.bytesBelowK > 0 {
            lines.append(
                "! About \(Words.bytes(report.bytesBelowK)) cannot be made anew: fewer shards are left than reading "
                    + "needs."
            )
        }
        guard report.seconds != nil else { return lines }
        return lines + [
            "What lies there lacks a shard until that is made anew from others: "
                + LossPlanText.odds(of: report.riskMeanwhile) + "."
        ]
    }

    private static func promise(_ item: DiskLossReport.Class, _ report: DiskLossReport) -> String {
        let meanwhile = ProtectionText.survives(item.meanwhile, journal: report.journal)
        let then = ProtectionText.survives(item.then, journal: report.journalThen)
        let isWithoutSpare = min(item.meanwhile.spares, report.journal?.spares ?? 1) <= 0
        return (isWithoutSpare ? "! " : "")
            + "\(item.name) survives meanwhile \(meanwhile) (then: \(then))."
    }
}

/// `--dry-run` of `cairn admin disk add`.
package enum AdditionText {
    package static func text(_ report: DiskAdditionReport, isRebalanced: Bool) -> String {
        let added =
            "Would add: \(report.disks.joined(separator: ", ")); taken for as large as the smallest disk in use, "
            + "\(Words.bytes(report.capacity)) each."
        let moves =
            isRebalanced ? MovesText.plan(report.moves) : "They would hold nothing until: cairn admin rebalance"
        return [added, moves, "Nothing was changed."].joined(separator: "\n")
    }
}
