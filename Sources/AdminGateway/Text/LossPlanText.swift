/// `cairn admin plan lose` for people: first the verdict, then what it rests on.
package enum LossPlanText {
    package static func text(_ report: LossPlanReport) -> String {
        let rows =
            [
                ("Lost", places(report.lost)), ("Away already", places(report.away)), ("Reads", reads(report)),
                ("Writes", writes(report)), ("Metadata", metadata(report)), ("Acknowledged", acknowledged(report)),
                ("Rebuild", rebuild(report)), ("Meanwhile", risk(report)),
            ] + survives("Survives then", report.protectionAfter, report.journalAfter)
            + survives("Survives now", report.protectionBefore, report.journalBefore)
            + [
                ("Now by model", ProtectionText.nines(report.durability)),
                ("  supposing", ProtectionText.assumptions(report.durability)),
            ]
        var lines = [verdict(report), ""] + rows.map(line)
        if !report.isComplete {
            lines.append("More shards are missing than were looked at: ask again once repair has ended.")
        }
        lines += [
            "", "Nothing was changed. A coordinator on a lost machine is not counted: another takes over by the kit.",
        ]
        return lines.joined(separator: "\n")
    }

    /// What goes on while something is away that will be back.
    static func meanwhile(_ report: LossPlanReport) -> String {
        // What comes back brings what it has.
        var report = report
        report.mayLoseChanges = false
        let rows =
            [
                ("Away", places(report.lost)), ("Away already", places(report.away)), ("Reads", reads(report)),
                ("Writes", writes(report)), ("Metadata", metadata(report)),
            ] + survives("Survives then", report.protectionAfter, report.journalAfter)
        return ([verdict(report), ""] + rows.map(line)).joined(separator: "\n")
    }

    private static func survives(
        _ label: String,
        _ shards: ProtectionReport?,
        _ journal: ProtectionReport?
    ) -> [(String, String)] {
        guard let shards else { return [(label, "nothing is stored")] }
        let alone = ProtectionText.shardsAlone(shards, journal: journal).map { [("  shards alone", $0)] } ?? []
        return [(label, ProtectionText.survives(shards, journal: journal))] + alone
    }

    private static func line(_ label: String, _ value: String) -> String {
        label + String(repeating: " ", count: 15 - label.count) + value
    }

    private static func verdict(_ report: LossPlanReport) -> String {
        let after = report.after
        if after.belowK > 0 {
            return "DATA COULD NOT BE READ: \(share(after.belowK, after)) would have fewer shards than reading needs."
                + (report.before.belowK > 0 ? " Of these \(Words.count(report.before.belowK)) have so now." : "")
        }
        if report.mayLoseChanges {
            return "CHANGES COULD BE LOST: the last acknowledged ones may be on the lost journal keepers alone."
        }
        if stops(report) {
            return "THE STORE WOULD STOP: too few journal keepers would be left. All data would be there."
        }
        if after.writes == .refused {
            let which = after.areSomeWritten ? " of some class" : ""
            return "NOT WRITABLE: everything could be read, new objects\(which) would be refused."
        }
        if report.protectionAfter?.spares == 0 || report.journalAfter?.spares == 0 {
            return "NO SPARE LEFT: all goes on, and one disk more must not go."
        }
        if after.writes == .degraded { return "DEGRADED: all goes on; new objects get fewer shards." }
        return "BEARABLE: everything goes on."
    }

    private static func stops(_ report: LossPlanReport) -> Bool { report.keepersLeft < report.keepersNeeded }

    private static func share(_ groups: Int, _ outcome: OutcomeReport) -> String {
        "\(Words.count(groups)) of \(Words.plural(outcome.groups, "group"))"
            + " (\(Words.percent(groups, of: outcome.groups)))"
    }

    private static func places(_ places: [String]) -> String {
        guard !places.isEmpty else { return "none" }
        return "\(Words.plural(places.count, "disk")): \(Ward.names(places))"
    }

    private static func reads(_ report: LossPlanReport) -> String {
        let after = report.after
        var text = "\(share(after.whole, after)) whole, \(share(after.degraded, after)) with shards missing"
        if after.belowK > 0 {
            text += ", \(share(after.belowK, after)) below k"
            if report.bytesBelowK > 0 { text += ": about \(Words.bytes(report.bytesBelowK)) unreadable" }
        }
        return text
    }

    private static func writes(_ report: LossPlanReport) -> String {
        guard !stops(report) else { return "none while the store is stopped" }
        let text =
            switch report.after.writes {
            case .full: "go on in full"
            case .degraded: "go on degraded, with k + 1 shards at least"
            case .refused: "refused (503)"
            }
        let after = report.after
        return text
            + "; groups: \(Words.count(after.fullWrites)) in full, \(Words.count(after.degradedWrites)) degraded, "
            + "\(Words.count(after.noWrites)) none"
    }

    private static func metadata(_ report: LossPlanReport) -> String {
        "\(report.keepersLeft) of \(Words.plural(report.keepers, "journal keeper")) left, "
            + "\(report.keepersNeeded) needed: "
            + (stops(report) ? "the store stops until enough are back, reads too" : "changes go on")
    }

    /// Should what is lost never come back.
    private static func acknowledged(_ report: LossPlanReport) -> String {
        guard report.mayLoseChanges else {
            return stops(report)
                ? "nothing is lost: if they never come back, a start with --force-journal goes on with all of it"
                : "nothing is lost"
        }
        guard report.keepersLeft > 0 else {
            return "NO KEEPER LEFT: the journal would be gone; cairn salvage reads what the shards themselves tell"
        }
        return "the last changes may be lost: --force-journal would go on without them"
    }

    private static func rebuild(_ report: LossPlanReport) -> String {
        guard report.bytesToRebuild > 0 else {
            return report.after.belowK > report.before.belowK
                ? "nothing can be rebuilt before disks are back" : "nothing to do"
        }
        var text = Words.bytes(report.bytesToRebuild)
        if let seconds = report.rebuildSeconds {
            text += ", \(Words.span(seconds)) or more at \(report.megabytesPerSecond) MB/s a disk"
        }
        return text
            + (report.groupsWithoutStandIn > 0
                ? "; \(Words.plural(report.groupsWithoutStandIn, "group")) only on new disks" : ", on the disks left")
            + (stops(report) ? "; not before the store runs again" : "; begun by disk replace or retire")
    }

    private static func risk(_ report: LossPlanReport) -> String {
        report.rebuildSeconds == nil ? "-" : odds(of: report.riskMeanwhile)
    }

    /// Of the chance that something more falls below k until a rebuild is done.
    static func odds(of riskMeanwhile: Double) -> String {
        guard riskMeanwhile > 0 else { return "no risk by the model" }
        let odds = 1 / riskMeanwhile
        guard odds < 1e12 else { return "less than 1 in 10^12 that more is lost before it is done" }
        return "about 1 in \(Words.count(Int(odds))) that more falls below k before it is done"
    }
}
