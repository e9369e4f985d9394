package import ObjectModel
internal import Synchronization

/// An index in memory: sorted runs of 56-byte entries, about 75 MB for a million shards.
///
/// Blob ids rise with time, so most inserts go to the end, where runs are filled up.
package final class MemoryShardIndex: ShardIndex {
    /// Entries of a run at most: inserts in the middle move no more than this many.
    fileprivate static let runLength = 256

    fileprivate struct Runs {
        fileprivate var runs: [[PackedEntry]] = []
        var count = 0
    }

    private let state = Mutex(Runs())

    package init() {}

    package var count: Int { state.withLock { $0.count } }

    package func lookup(_ shard: ShardID) -> IndexEntry? {
        state.withLock { $0.lookup(shard) }
    }

    package func apply(_ changes: [IndexChange]) {
        state.withLock { state in
            for change in changes {
                switch change {
                case .insert(let entry): state.insert(PackedEntry(entry))
                case .remove(let shard): state.remove(shard)
                }
            }
        }
    }

    package func entries(after shard: ShardID?, limit: Int) -> [IndexEntry] {
        state.withLock { $0.entries(after: shard, limit: limit) }
    }
}

extension MemoryShardIndex.Runs {
    /// The run that holds `shard`, or would.
    private func run(of shard: ShardID) -> Int {
        var low = 0
        var high = runs.count
        while low < high {
            let middle = (low + high) / 2
            if runs[middle][0].shard <= shard { low = middle + 1 } else { high = middle }
        }
        return max(0, low - 1)
    }

    /// The first position in a run that is not before `shard`.
    private func position(of shard: ShardID, in run: Int) -> Int {
        var low = 0
        var high = runs[run].count
        while low < high {
            let middle = (low + high) / 2
            if runs[run][middle].shard < shard { low = middle + 1 } else { high = middle }
        }
        return low
    }

    func lookup(_ shard: ShardID) -> IndexEntry? {
        guard !runs.isEmpty else { return nil }
        let run = run(of: shard)
        let position = position(of: shard, in: run)
        guard position < runs[run].count, runs[run][position].shard == shard else { return nil }
        return runs[run][position].entry
    }

    mutating func insert(_ entry: PackedEntry) {
        guard !runs.isEmpty else {
            runs = [[entry]]
            count = 1
            return
        }
        let run = run(of: entry.shard)
        let position = position(of: entry.shard, in: run)
        if position < runs[run].count, runs[run][position].shard == entry.shard {
            runs[run][position] = entry
            return
        }
        count += 1
        let limit = MemoryShardIndex.runLength
        if runs[run].count < limit {
            runs[run].insert(entry, at: position)
        } else if position == runs[run].count {
            runs.insert([entry], at: run + 1)
        } else {
            let tail = Array(runs[run][(limit / 2)...])
            runs[run].removeSubrange((limit / 2)...)
            runs.insert(tail, at: run + 1)
            if position > limit / 2 {
                runs[run + 1].insert(entry, at: position - limit / 2)
            } else {
                runs[run].insert(entry, at: position)
            }
        }
    }

    mutating func remove(_ shard: ShardID) {
        guard !runs.isEmpty else { return }
        let run = run(of: shard)
        let position = position(of: shard, in: run)
        guard position < runs[run].count, runs[run][position].shard == shard else { return }
        runs[run].remove(at: position)
        count -= 1
        if runs[run].isEmpty { runs.remove(at: run) }
    }

    func entries(after shard: ShardID?, limit: Int) -> [IndexEntry] {
        guard limit > 0, !runs.isEmpty else { return [] }
        var run = 0
        var position = 0
        if let shard {
            run = self.run(of: shard)
            position = self.position(of: shard, in: run)
            if position < runs[run].count, runs[run][position].shard == shard { position += 1 }
        }
        var result: [IndexEntry] = []
        while run < runs.count, result.count < limit {
            result += runs[run][position...].prefix(limit - result.count).map(\.entry)
            run += 1
            position = 0
        }
        return result
    }
}

/// An `IndexEntry` in 56 bytes. Offsets are multiples of 64, lengths and segments fit 32 bits (`ShardDisk` sees to it).
private struct PackedEntry {
    private let blob: BlobID
    private let writeStamp: UInt64
    private let sequence: UInt64
    private let segment: UInt32
    private let offset: UInt32
    private let bodyLength: UInt32
    private let bodyCapacity: UInt32
    private let trailerCapacity: UInt32
    private let headerLength: UInt16
    private let index: UInt8

    init(_ entry: IndexEntry) {
        blob = entry.shard.blob
        index = entry.shard.index
        writeStamp = entry.writeStamp
        sequence = entry.sequence
        segment = UInt32(clamping: entry.segment)
        offset = UInt32(clamping: entry.offset / 64)
        bodyLength = UInt32(clamping: entry.bodyLength)
        bodyCapacity = UInt32(clamping: entry.bodyCapacity)
        trailerCapacity = UInt32(clamping: entry.trailerCapacity)
        headerLength = UInt16(clamping: entry.headerLength)
    }

    var shard: ShardID { ShardID(blob: blob, index: index) }

    var entry: IndexEntry {
        IndexEntry(
            shard: shard,
            writeStamp: writeStamp,
            sequence: sequence,
            segment: UInt64(segment),
            offset: Int(offset) * 64,
            headerLength: Int(headerLength),
            bodyLength: Int(bodyLength),
            bodyCapacity: Int(bodyCapacity),
            trailerCapacity: Int(trailerCapacity)
        )
    }
}
