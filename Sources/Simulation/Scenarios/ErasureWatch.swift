import ClusterProtocol
import DiskFormat
import Metadata
import ObjectModel
import Synchronization
import SystemInterface

/// Asks the committed metadata at each erasure whether the shard counts there: then it must not be erased, whatever
/// repair makes of it afterwards.
final class ErasureWatch: Sendable {
    private struct Place: Hashable {
        var shard: ShardID
        var disk: DiskID
    }

    private struct State {
        /// The stamp of the record that was written last.
        var stamps: [Place: UInt64] = [:]
        var judged = 0
    }

    private let state = Mutex(State())
    private let metadata: @Sendable () -> MemoryMetadataDatabase?
    private let report: @Sendable (BrokenPromise) -> Void

    /// `metadata`: of the store that decides, while it runs. What is erased meanwhile was decided by one that ran
    /// before, and is judged once the next has caught up, by what that finds.
    init(
        metadata: @escaping @Sendable () -> MemoryMetadataDatabase?,
        report: @escaping @Sendable (BrokenPromise) -> Void
    ) {
        self.metadata = metadata
        self.report = report
    }

    /// Erasures that were judged.
    var judged: Int { state.withLock { $0.judged } }

    /// Takes note of a message that is about to be carried out.
    func note(_ message: TransportMessage) {
        if let request = try? ShardRequest(encoded: message.header) { note(request) }
    }

    func note(_ request: ShardRequest) {
        switch request {
        case .erase(let disk, let shards): for shard in shards { judge(Place(shard: shard, disk: disk)) }
        case .eraseRecord(let disk, let shard, let stamp):
            let place = Place(shard: shard, disk: disk)
            // Another record of it stays.
            if state.withLock({ $0.stamps[place] ?? stamp == stamp }) { judge(place) }
        case .write(let disk, let header, _, _), .rewrite(let disk, let header, _, _), .begin(let disk, let header):
            state.withLock { $0.stamps[Place(shard: header.shard, disk: disk)] = header.writeStamp }
        default: break
        }
    }

    private func judge(_ place: Place) {
        guard let metadata = metadata() else { return }
        state.withLock { $0.judged += 1 }
        guard metadata.counts(place.shard, on: place.disk) else { return }
        report(BrokenPromise("\(place.shard) counts on \(place.disk), and is erased there"))
    }
}
