import Coordination
import Logging

/// Writes what happens to a store into the program's log, one line each.
struct EventLog: Sendable {
    let logger: Logger

    /// Of this store, from here on.
    func follow(_ store: Store) {
        if store.journal.wasForced {
            logger.warning(
                """
                the start was forced: what only lost journal keepers knew is missing, and nothing is erased that only \
                seems to be garbage, until `cairn admin journal accept-loss`
                """
            )
        }
        store.events.observe { [logger] event in
            var metadata: Logger.Metadata = [:]
            for (name, value) in event.details { metadata[name] = "\(value)" }
            logger.log(level: event.isWarning ? .warning : .notice, "\(event.text)", metadata: metadata)
        }
    }
}
