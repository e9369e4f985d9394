/// A work that the store does by itself, and why it does not get on with it.
package struct TroubleReport: Codable, Hashable, Sendable {
    package enum Work: String, Codable, Sendable, CaseIterable {
        case checkpoints, garbage, keepers, metadata, moves, orphans, repack, repair, rewrites
        /// Of a later version.
        case other
    }

    package var work: Work
    package var reason: String

    package init(work: Work, reason: String) {
        self.work = work
        self.reason = reason
    }
}
