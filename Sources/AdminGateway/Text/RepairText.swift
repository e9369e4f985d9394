/// Repair in words.
package enum RepairText {
    /// One line, for the status.
    package static func line(_ repair: RepairReport) -> String {
        guard !repair.isDone else { return "idle, nothing to do" }
        let total = repair.bytesDone + repair.bytesLeft
        var text =
            "\(repair.active ? "running" : "waiting"), \(Words.bytes(repair.bytesDone)) of \(Words.bytes(total)) done"
        if let seconds = repair.etaSeconds { text += ", about \(Words.span(seconds)) left" }
        if repair.blobsWithoutSpare > 0 {
            text += "; \(Words.plural(repair.blobsWithoutSpare, "blob")) without a spare shard, first"
        } else if repair.active, repair.makesWay {
            text += "; makes way for clients"
        }
        return text
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
