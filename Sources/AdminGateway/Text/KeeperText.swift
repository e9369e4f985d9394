/// The journal's keepers in words that status and doctor share.
enum KeeperText {
    /// What it means that not all keepers are current, for the end of a sentence.
    static func consequence(_ journal: JournalReport) -> String {
        let current = journal.current
        if current < journal.needed { return ": changes wait, and soon the store stops" }
        return current == journal.needed ? ": one more that goes, and the store stops" : ""
    }

    /// That a start was forced, or the metadata put back, and that has not been accepted; nil when there is no such
    /// start.
    static func forced(_ report: StatusReport) -> String? {
        guard let start = report.forcedStart, !start.isAccepted else { return nil }
        let ago = "\(Words.span(max(0, report.time - start.time))) ago"
        let cause =
            start.forgotten == nil
            ? "a start was forced \(ago) with too few journal keepers"
            : "the metadata was put back to an earlier moment, with the journal: disks were found \(ago) to hold what "
                + "was written since"
        return cause + ": objects may be missing, and nothing is erased that was only inferred to be garbage"
    }

    /// What ends that.
    static let acceptance = "look for them by cairn salvage; then cairn admin journal accept-loss"

    /// Disks that are being emptied and cannot leave.
    static func waiting(_ disks: [String]) -> String {
        "\(Ward.names(disks)) cannot leave: the journal is kept there, and no other disk can take that over"
    }

    /// What lets them leave.
    static let standIn = "bring back disks that are away, or add one (cairn admin disk add --node NODE)"

    /// Fewer keepers than there should be.
    static func wanting(_ journal: JournalReport) -> String {
        let count = journal.keepers.count
        let bearable = count - journal.needed
        return "the journal has \(Words.plural(count, "keeper")) of \(journal.wanted): with "
            + "\(bearable == 0 ? "any" : "more than \(bearable)") of them lost the store stops"
    }
}
