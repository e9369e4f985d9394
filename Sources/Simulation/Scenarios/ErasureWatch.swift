import ClusterProtocol
import DiskFormat
import ObjectModel
import Synchronization
import SystemInterface

/// Asks the committed metadata at each erasure whether the shard counts there: then it must not be erased, whatever
/// repair makes of it afterwards.
package final class ErasureWatch: Sendable {
    private struct Place: Hashable {
        var shard: ShardID
        var disk: DiskID
    }

    private struct Writer: Hashable {
        var disk: DiskID
        var handle: UInt64
    }

    /// The records of a shard on a disk, by their stamps.
    private struct Records {
        /// The one that was written last, of those that were answered.
        private var last: UInt64?
        /// Whether another was written beside that one: which of them came last is not known.
        private var isUnsure = false
        /// Those of which it is not known whether they were written, or ever will be.
        private var open: Set<UInt64> = []
        /// Those of them that were open beside others.
        private var overlapping: Set<UInt64> = []

        /// Whether the disk surely holds this one, if it holds any.
        func isLast(_ stamp: UInt64) -> Bool { open.isEmpty && !isUnsure && last ?? stamp == stamp }

        mutating func begin(_ stamp: UInt64) {
            open.insert(stamp)
            if open.count > 1 { overlapping.formUnion(open) }
        }

        mutating func write(_ stamp: UInt64) {
            isUnsure = overlapping.contains(stamp)
            last = stamp
            drop(stamp)
        }

        mutating func drop(_ stamp: UInt64) {
            open.remove(stamp)
            overlapping.remove(stamp)
        }
    }

    private struct State {
        var records: [Place: Records] = [:]
        /// Those that are written piece by piece.
        var writers: [Writer: ShardHeader] = [:]
        var judged = 0
    }

    private let state = Mutex(State())
    private let counts: @Sendable (ShardID, DiskID) -> Bool?
    private let report: @Sendable (BrokenPromise) -> Void

    /// `counts`: whether a shard counts on a disk, by the metadata of the store that decides; nil while none runs. What
    /// is erased then was decided by one that ran before, and is not judged.
    package init(
        counts: @escaping @Sendable (ShardID, DiskID) -> Bool?,
        report: @escaping @Sendable (BrokenPromise) -> Void
    ) {
        self.counts = counts
        self.report = report
    }

    /// Erasures that were judged.
    package var judged: Int { state.withLock { $0.judged } }

    /// Takes note of a message that is about to be carried out; what it asks for, if that is a disk's to do.
    func begin(_ message: TransportMessage) -> ShardRequest? {
        guard let request = try? ShardRequest(encoded: message.header) else { return nil }
        begin(request)
        return request
    }

    /// Takes note of a call that is about to be carried out.
    package func begin(_ request: ShardRequest) {
        switch request {
        case .erase(let disk, let shards): for shard in shards { judge(Place(shard: shard, disk: disk)) }
        case .eraseRecord(let disk, let shard, let stamp):
            let place = Place(shard: shard, disk: disk)
            // Another record of it stays.
            if state.withLock({ $0.records[place]?.isLast(stamp) ?? true }) { judge(place) }
        case .write(let disk, let header, _, _), .rewrite(let disk, let header, _, _), .begin(let disk, let header):
            note(header, on: disk) { $0.begin($1) }
        default: break
        }
    }

    /// Takes note of the answer.
    func end(_ request: ShardRequest, _ answer: TransportMessage) {
        switch request {
        case .write, .rewrite, .begin, .seal, .abort:
            if let response = try? ShardResponse(encoded: answer.header) { end(request, response) }
        default: break
        }
    }

    /// Takes note of what came of a call. What is never answered stays open.
    package func end(_ request: ShardRequest, _ response: ShardResponse) {
        switch (request, response) {
        case (.write(let disk, let header, _, _), .done), (.rewrite(let disk, let header, _, _), .done):
            note(header, on: disk) { $0.write($1) }
        case (.write(let disk, let header, _, _), .failure(let failure)),
            (.rewrite(let disk, let header, _, _), .failure(let failure)),
            (.begin(let disk, let header), .failure(let failure)):
            if failure.isRefusal { note(header, on: disk) { $0.drop($1) } }
        case (.begin(let disk, let header), .handle(let handle)):
            state.withLock { $0.writers[Writer(disk: disk, handle: handle)] = header }
        case (.seal(let disk, let handle, _, _), .done):
            if let header = endWriter(disk, handle) { note(header, on: disk) { $0.write($1) } }
        case (.abort(let disk, let handle), .done):
            if let header = endWriter(disk, handle) { note(header, on: disk) { $0.drop($1) } }
        default: break
        }
    }

    private func note(_ header: ShardHeader, on disk: DiskID, _ change: (inout Records, UInt64) -> Void) {
        let place = Place(shard: header.shard, disk: disk)
        state.withLock { change(&$0.records[place, default: Records()], header.writeStamp) }
    }

    private func endWriter(_ disk: DiskID, _ handle: UInt64) -> ShardHeader? {
        state.withLock { $0.writers.removeValue(forKey: Writer(disk: disk, handle: handle)) }
    }

    private func judge(_ place: Place) {
        guard let isCounted = counts(place.shard, place.disk) else { return }
        state.withLock { $0.judged += 1 }
        if isCounted { report(BrokenPromise("\(place.shard) counts on \(place.disk), and is erased there")) }
    }
}

extension ShardFailure {
    /// Nothing was written.
    fileprivate var isRefusal: Bool {
        switch self {
        case .full, .leaseEnded, .invalid, .noSuchDisk: true
        default: false
        }
    }
}
