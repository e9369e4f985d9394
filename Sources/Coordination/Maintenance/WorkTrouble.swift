internal import ObjectInterface
import Synchronization
package import SystemInterface

/// What a store does by itself, beside what is told of it elsewhere: how repair goes, verification and the scrub.
package enum StoreWork: String, Sendable, CaseIterable {
    case checkpoints, garbage, keepers, metadata, moves, orphans, repack, repair, rewrites
}

/// Why a work of the background does not get on. What fails is tried again, and is told once it has failed for a while.
package final class WorkTrouble: Sendable {
    /// For so long a failure may be one that the next try mends.
    package static let patience = Duration.seconds(60)

    private let trouble = Mutex<(reason: String, since: MonotonicTime)?>(nil)
    private let time: any TimeSource

    package init(time: any TimeSource) { self.time = time }

    /// How the last try ended: nil when nothing was wrong.
    package func note(_ reason: String?) {
        let now = time.monotonic
        trouble.withLock { trouble in
            trouble = reason.map { ($0, trouble?.since ?? now) }
        }
    }

    /// The last reason, if every try for a while has failed.
    package var lasting: String? {
        let now = time.monotonic
        return trouble.withLock { trouble in
            guard let trouble, now.duration(since: trouble.since) >= Self.patience else { return nil }
            return trouble.reason
        }
    }

    /// Tries, and notes how it ended.
    func noting(_ work: () async throws -> Void) async {
        do {
            try await work()
            note(nil)
        } catch {
            if !Task.isCancelled { note((error as? StorageError)?.message ?? "\(error)") }
        }
    }
}
