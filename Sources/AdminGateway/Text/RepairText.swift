/// Repair in words.
package enum RepairText {
    /// One line, for the status.
    package static func line(_ repair: RepairReport) -> String {
        let state = repair.paused ? "PAUSED \(pause(repair))" : repair.active ? "running" : "waiting"
        guard !repair.isDone else { return repair.paused ? "\(state); nothing is missing" : "idle, nothing to do" }
        let total = repair.bytesDone + repair.bytesLeft
        var text =
            "\(state), \(Words.bytes(repair.bytesDone)) of \(Words.bytes(total)) done"
        if let seconds = repair.etaSeconds { text += ", about \(Words.span(seconds)) left" }
        if repair.paused {
            text += "; \(Words.plural(repair.blobsWithoutSpare, "blob")) without a spare shard, repaired all the same"
        } else if repair.blobsWithoutSpare > 0 {
            text += "; \(Words.plural(repair.blobsWithoutSpare, "blob")) without a spare shard, first"
        } else if repair.active, repair.makesWay {
            text += "; makes way for clients"
        }
        return text
    }

    /// For how long, behind a word that says that it is paused.
    static func pause(_ repair: RepairReport) -> String {
        repair.pauseSecondsLeft.map { "for another \(Words.span($0))" } ?? "until it is resumed"
    }

    /// What status and doctor say of it.
    static func pauseProblem(_ report: StatusReport) -> String {
        let missing =
            report.missingShards > 0
            ? "\(Words.plural(report.missingShards, "shard")) missing" : "what is lost from now on stays so"
        return "repair is paused \(pause(report.repair)): \(missing), and only blobs without a spare shard are repaired"
    }

    static let resume = "cairn admin repair resume"

    /// What an operator has just begun.
    static func paused(_ repair: RepairReport) -> String {
        """
        Repair is paused \(pause(repair)): what is lost meanwhile stays lost, and each further loss hits fewer spares.
        Only blobs without a spare shard are repaired, and reads go on. End it as soon as you can: \(resume)
        \(text(repair))
        """
    }

    package static func text(_ repair: RepairReport) -> String {
        """
        Repair: \(line(repair)).
        While clients ask for something it takes \(Words.rate(repair.diskRate)) of each disk at most; \
        of the lines between sites \(repair.wanRate.map { "\(Words.rate($0)) at most" } ?? "what they carry").
        Blobs without a spare shard come first and are held to neither.
        """
    }
}
