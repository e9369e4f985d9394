import Coordination
import SystemInterface

/// One thing that an operator may set, from the start on.
enum OperatorSetting: Sendable {
    /// Everything is read, and coded again, within this time.
    case scrub(every: Duration)
    /// Others take the places of a disk that has been away for so long.
    case outAfter(Duration)
}

/// What an operator may set and a seed sets otherwise: what takes weeks or an hour in production happens within a run.
struct OperatorSettings: Sendable {
    /// How often a scrub looks whether something is due.
    private static let scrubPoll = Duration.milliseconds(200)

    /// Within which everything is read, and everything coded again; nil leaves it at weeks, of which no run sees one.
    var scrubPeriod: Duration?
    /// How long a disk may be away before others take its places; nil for ever.
    var outAfter: Duration?

    init(_ settings: [OperatorSetting] = []) {
        for setting in settings {
            switch setting {
            case .scrub(let period): scrubPeriod = period
            case .outAfter(let patience): outAfter = patience
            }
        }
    }

    /// `folder`: where the scrub keeps its position over a crash.
    func apply(to configuration: inout StoreConfiguration, folder: any FileSystem) {
        configuration.outAfter = outAfter
        guard let scrubPeriod else { return }
        configuration.scrub = ScrubSettings(period: scrubPeriod, codingPeriod: scrubPeriod)
        configuration.scrub.poll = Self.scrubPoll
        configuration.stateFolder = folder
    }
}
