internal import DiskFormat
internal import ObjectModel
internal import Synchronization
internal import SystemInterface

/// What goes into the packed segment: whole records, appended in batches.
enum PackedItem: Sendable {
    /// Shards of one caller: one as a rule, many when compaction copies.
    case shards([PackedShard])
    /// Tombstones of one erasure; their own sequences are given at writing.
    case tombstones([Tombstone])

    /// Bytes in a segment.
    var length: Int {
        switch self {
        case .shards(let shards): shards.reduce(0) { $0 + $1.layout.length }
        case .tombstones(let tombstones): tombstones.count * Tombstone.recordLength
        }
    }

    /// Records.
    var count: Int {
        switch self {
        case .shards(let shards): shards.count
        case .tombstones(let tombstones): tombstones.count
        }
    }

    var privilege: ShardDisk.Privilege {
        guard case .shards(let shards) = self, shards.allSatisfy({ $0.copiedFrom == nil }) else { return .reserve }
        return shards.allSatisfy(\.isRewrite) ? .rewrite : .ordinary
    }
}

/// A shard small enough to be written as a whole record among others.
struct PackedShard: Sendable {
    /// Its sequence is given at writing, unless it is a copy.
    var header: ShardRecordHeader
    var body: [BufferSlice]
    /// Leaf table and trailer, which follow the body.
    var end: [UInt8]
    var bodyLength: Int
    /// The record this is a copy of: a copy keeps its sequence, and is not published by the commit.
    var copiedFrom: IndexEntry?
    /// Its bytes lie in other shards, which are given up for it.
    var isRewrite = false

    var layout: RecordLayout { header.layout(in: .packed) }
}

extension ShardDisk {
    /// Writes whole records to the packed segment, with whatever others write just now. Durable on return.
    func commitPacked(_ item: PackedItem) async throws(ShardStorageError) -> [IndexEntry] {
        try await packedCommits.submit(item, cost: item.length) { items in await commitRound(items) }
    }

    /// One round: as few batches as room allows, each one contiguous write and one sync.
    private func commitRound(_ items: [PackedItem]) async -> [Result<[IndexEntry], ShardStorageError>] {
        var results: [Result<[IndexEntry], ShardStorageError>?] = Array(repeating: nil, count: items.count)
        // Erasures first: where room is short they are what brings it back.
        let order = items.indices.sorted { left, right in
            (items[left].privilege == .reserve ? 0 : 1, left) < (items[right].privilege == .reserve ? 0 : 1, right)
        }
        var rest = order[...]
        while let first = rest.first {
            let privilege = items[first].privilege
            let limit = configuration.segmentLength / 2
            var batch: [Int] = []
            var length = 0
            while let next = rest.first, items[next].privilege == privilege,
                batch.isEmpty || length + items[next].length <= limit
            {
                length += items[next].length
                batch.append(rest.removeFirst())
            }
            let outcome = await commitBatch(batch.map { items[$0] }, privilege)
            for (position, index) in batch.enumerated() { results[index] = outcome.map { $0[position] } }
        }
        return results.map { $0 ?? .failure(.closed) }
    }

    private func commitBatch(
        _ items: [PackedItem],
        _ privilege: Privilege
    ) async -> Result<[[IndexEntry]], ShardStorageError> {
        do throws(ShardStorageError) {
            let batch = try await place(items, privilege)
            defer { state.withLock { $0.segments[batch.segment.segment]?.openWriters -= 1 } }
            try await write(batch)
            publish(batch)
            return .success(batch.entries)
        } catch {
            return .failure(error)
        }
    }

    private func write(_ batch: PackedBatch) async throws(ShardStorageError) {
        let encoded = batch.encoded(pool, directFrom: configuration.directBatchLength)
        do throws(FileError) {
            try await batch.file.commit([FileWrite([encoded.piece], at: encoded.offset)])
        } catch  where error.code == .full {
            // The range may hold records of a batch that nobody was promised: nothing is ever written over them.
            abandon(batch)
            throw .full
        } catch {
            throw fail(error)
        }
        state.withLock { $0.segments[batch.segment.segment]?.tail = encoded.tail }
    }

    /// Gives each record its offset and its sequence, making room first where there is none.
    private func place(_ items: [PackedItem], _ privilege: Privilege) async throws(ShardStorageError) -> PackedBatch {
        let length = items.reduce(0) { $0 + $1.length }
        let count = items.reduce(0) { $0 + $1.count }
        while true {
            let batch = try state.withLock { state throws(ShardStorageError) -> PackedBatch? in
                try state.checkWritable()
                guard let id = state.openSegments[.packed],
                    let room = state.segments[id]?.room(for: length, count: count)
                else { return nil }
                var batch = PackedBatch(
                    segment: room.header,
                    file: room.file,
                    offset: room.end,
                    length: length,
                    prefix: room.tail
                )
                for item in items { batch.add(item, &state) }
                state.segments[id]?.openWriters += 1
                return batch
            }
            if let batch { return batch }
            try await makeRoom(.packed, length: length, count: count, privilege)
        }
    }

    private func publish(_ batch: PackedBatch) {
        state.withLock { state in
            for entry in batch.entries.joined() {
                state.segments[batch.segment.segment]?.seal(offset: entry.offset, bodyLength: entry.bodyLength)
            }
            for entry in batch.published { state.publish(entry, in: index) }
        }
    }

    /// After a write that found no room: the segment takes no more records.
    private func abandon(_ batch: PackedBatch) {
        state.withLock { state in
            state.openSegments[.packed] = nil
            state.segments[batch.segment.segment]?.phase = .closed
        }
    }
}
