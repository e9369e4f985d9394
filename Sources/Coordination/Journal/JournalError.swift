internal import ClusterProtocol
package import DiskFormat
package import ObjectModel

/// Why a journal cannot be started or written to. After any of these this coordinator must not serve.
package enum JournalError: Error, Hashable, Sendable, CustomStringConvertible {
    /// Fewer keepers than needed could be reached and know their log.
    case tooFewKeepers(reached: Int, needed: Int, missing: [DiskID])
    /// No keeper has ever been written to, and the caller did not say that the store is new.
    case noJournal
    /// A newer coordinator has taken over.
    case superseded(incarnation: UInt32)
    /// Records of this range are unreadable on every keeper that was reached.
    case damagedRecords(Range<UInt64>)
    /// The database ends before the journal begins: it must be rebuilt from the checkpoint.
    case databaseBehind(database: JournalPosition, journal: JournalPosition)
    /// The database holds changes that the keepers do not: these are not the keepers it was written with.
    case databaseAhead(database: JournalPosition, journal: JournalPosition)
    /// The database and the journal hold different changes at this place.
    case databaseDiverged(at: JournalPosition)
    /// The records could not be applied.
    case replayFailed(String)
    /// J keepers could not be reached for too long.
    case quorumLost([DiskID: String])
    /// Something in the log cannot be understood.
    case format(JournalFormatError)
    /// The journal is no longer running.
    case stopped
    /// A call that makes no sense now.
    case invalid(String)

    package var description: String { text(naming: \.description) }

    /// With names of disks that their operator knows them by.
    package func text(naming name: (DiskID) -> String) -> String {
        switch self {
        case .tooFewKeepers(let reached, let needed, let missing):
            "the journal needs \(needed) of its keepers and \(reached) answered; missing: "
                + missing.map(name).joined(separator: ", ")
                + ". Bring their disks back. If they are gone for good, start once with --force-journal: changes that "
                + "only the missing keepers have are then lost"
        case .noJournal:
            "no disk holds a journal, but this store is not new: check that all disks are mounted"
        case .superseded(let incarnation):
            "another coordinator (incarnation \(incarnation)) has taken over: this one stops"
        case .damagedRecords(let range):
            "journal records \(range.lowerBound) to \(range.upperBound) cannot be read on any disk: bring missing "
                + "disks back"
        case .databaseBehind(let database, let journal):
            "the database ends at \(database), before the journal's beginning at \(journal): run cairn metadata rebuild"
        case .databaseAhead(let database, let journal):
            "the database is at \(database), newer than every keeper's journal that is here (\(journal)): keep a copy "
                + "of the database, and bring the disks with the newer journals back. Do not make it anew: what "
                + "only it knows would be lost"
        case .databaseDiverged(let position):
            "database and journal differ at \(position): run cairn metadata rebuild"
        case .replayFailed(let reason): "the journal's records could not be applied: \(reason)"
        case .quorumLost(let failures):
            "too few journal keepers answer ("
                + failures.sorted { $0.key < $1.key }.map { "\(name($0.key)): \($0.value)" }.joined(separator: "; ")
                + "): mend their disks or bring them back, then start again. Replace and erase none of them before: "
                + "what is on them may be on no other"
        case .format(let error): "the journal cannot be understood: \(error)"
        case .stopped: "the journal has been stopped"
        case .invalid(let reason): reason
        }
    }
}
