/// The files of a disk among which a write is acknowledged and lands nowhere, or elsewhere.
///
/// A disk that lies about a record of the journal has it in no place, or out of order, and its keeper believes that it
/// has it until the log is opened again. So it is one of the f keepers that may be lost, as one that lies about syncs:
/// the disk is one of those that a round may hurt, and at the round's end its log is opened again, so that what it
/// lacks is found and made up for before others may be hurt.
enum LiedFiles: String, CaseIterable, Sendable {
    case segments
    /// The journal's log and the keeper's promise.
    case journal
    /// Whatever is written next.
    case all

    init(draw: Int) { self = Self.allCases[draw % Self.allCases.count] }

    var pathPrefix: String {
        switch self {
        case .segments: "segments/"
        case .journal: "journal/"
        case .all: ""
        }
    }

    /// What a verification does not read may be concerned.
    var mustBeReopened: Bool { self != .segments }
}
