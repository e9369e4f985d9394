internal import Metadata
import Synchronization
internal import SystemInterface

/// Whether clients ask for something, so that work in the background makes way for them.
///
/// Requests count as they begin or are committed; one long transfer alone is not seen once it lasts longer than
/// `quiet`.
final class ClientActivity: Sendable {
    /// How long no client may have asked for anything until none is taken to.
    private let quiet: Duration
    private let metadata: any ReplicatedMetadata
    private let time: any TimeSource
    /// What clients had asked for at the last look, and when that was more than before.
    private let requests = Mutex<(count: UInt64, changed: MonotonicTime)?>(nil)

    init(metadata: any ReplicatedMetadata, quiet: Duration, time: any TimeSource) {
        self.quiet = quiet
        self.metadata = metadata
        self.time = time
    }

    /// Whether clients have asked for something of late; the first look cannot say, and takes it that they have.
    var isBusy: Bool {
        let (count, now) = (metadata.requests, time.monotonic)
        return requests.withLock { requests in
            guard let last = requests else {
                requests = (count, now)
                return true
            }
            if last.count != count { requests = (count, now) }
            return last.count != count || now.duration(since: last.changed) < quiet
        }
    }
}
