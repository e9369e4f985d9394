import ClusterProtocol
import DiskFormat
import ObjectModel
import Synchronization
import SystemInterface

/// Watches what is erased on the disks of a cluster.
final class ErasureWatch: Sendable {
    private struct Place: Hashable {
        var shard: ShardID
        var disk: DiskID
    }

    private let erased = Mutex<Set<Place>>([])

    /// Takes note of a message that is about to be carried out.
    func note(_ message: TransportMessage) {
        guard let request = try? ShardRequest(encoded: message.header) else { return }
        switch request {
        case .erase(let disk, let shards):
            erased.withLock { erased in
                for shard in shards { erased.insert(Place(shard: shard, disk: disk)) }
            }
        case .eraseRecord(let disk, let shard, _): erased.withLock { _ = $0.insert(Place(shard: shard, disk: disk)) }
        case .write(let disk, let header, _, _), .rewrite(let disk, let header, _, _), .begin(let disk, let header):
            erased.withLock { _ = $0.remove(Place(shard: header.shard, disk: disk)) }
        default: break
        }
    }

    /// Whether the shard was erased there and not written since.
    func wasErased(_ shard: ShardID, on disk: DiskID) -> Bool {
        erased.withLock { $0.contains(Place(shard: shard, disk: disk)) }
    }
}

/// A node's service behind the watch.
struct WatchedService: TransportService {
    let service: any TransportService
    let watch: ErasureWatch

    func answer(_ message: TransportMessage) async -> TransportMessage {
        watch.note(message)
        return await service.answer(message)
    }
}
