import ClusterProtocol
import DiskFormat
import ObjectModel
import Synchronization
import SystemInterface

/// Watches what is erased on the disks of a store.
final class ErasureWatch: Sendable {
    private struct Place: Hashable {
        var shard: ShardID
        var disk: DiskID
    }

    private struct State {
        /// What was erased and not written again.
        var erased: Set<Place> = []
        /// The stamp that was written last.
        var stamps: [Place: UInt64] = [:]
    }

    private let state = Mutex(State())

    /// Takes note of a message that is about to be carried out.
    func note(_ message: TransportMessage) {
        if let request = try? ShardRequest(encoded: message.header) { note(request) }
    }

    func note(_ request: ShardRequest) {
        state.withLock { state in
            switch request {
            case .erase(let disk, let shards):
                for shard in shards { state.erased.insert(Place(shard: shard, disk: disk)) }
            case .eraseRecord(let disk, let shard, let stamp):
                let place = Place(shard: shard, disk: disk)
                // Another record of it stays.
                if state.stamps[place] ?? stamp == stamp { state.erased.insert(place) }
            case .write(let disk, let header, _, _), .rewrite(let disk, let header, _, _), .begin(let disk, let header):
                let place = Place(shard: header.shard, disk: disk)
                state.erased.remove(place)
                state.stamps[place] = header.writeStamp
            default: break
            }
        }
    }

    /// Whether the shard was erased there and not written since.
    func wasErased(_ shard: ShardID, on disk: DiskID) -> Bool {
        state.withLock { $0.erased.contains(Place(shard: shard, disk: disk)) }
    }
}
