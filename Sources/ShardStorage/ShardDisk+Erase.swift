internal import DiskFormat
package import ObjectModel
internal import Synchronization
internal import SystemInterface

/// What to erase.
package struct ShardErasure: Hashable, Sendable {
    package var shard: ShardID
    /// Only the record with this stamp; nil for whichever is there.
    package var writeStamp: UInt64?

    package init(_ shard: ShardID, writeStamp: UInt64? = nil) {
        self.shard = shard
        self.writeStamp = writeStamp
    }
}

extension ShardDisk {
    /// Erases shards: none of them is visible or comes back once this has returned; returns how many there were.
    ///
    /// Tombstones are durable before any byte of a body is given back. Works on a full disk. A shard that is not here,
    /// or has another stamp, is passed over.
    @discardableResult
    package func erase(_ erasures: [ShardErasure]) async throws(ShardStorageError) -> Int {
        try state.withLock { state throws(ShardStorageError) in try state.checkWritable() }
        var dead: [IndexEntry] = []
        var seen: Set<ShardID> = []
        for erasure in erasures where seen.insert(erasure.shard).inserted {
            guard let entry = index.lookup(erasure.shard),
                erasure.writeStamp == nil || erasure.writeStamp == entry.writeStamp
            else { continue }
            dead.append(entry)
        }
        for start in stride(from: 0, to: dead.count, by: Self.eraseBatch) {
            try await eraseBatch(Array(dead[start..<min(start + Self.eraseBatch, dead.count)]))
        }
        return dead.count
    }

    @discardableResult
    package func erase(_ shards: [ShardID]) async throws(ShardStorageError) -> Int {
        try await erase(shards.map { ShardErasure($0) })
    }

    /// Tombstones of one write at most: half a megabyte.
    private static let eraseBatch = 4_096

    private func eraseBatch(_ dead: [IndexEntry]) async throws(ShardStorageError) {
        let tombstones = dead.map {
            Tombstone(
                sequence: 0,
                shard: $0.shard,
                deadSequence: $0.sequence,
                deadStamp: $0.writeStamp,
                deadSegment: $0.segment,
                deadOffset: $0.offset
            )
        }
        _ = try await commitPacked(.tombstones(tombstones))
        // Compaction may have moved a record meanwhile: what the index says now is what is given back.
        let gone = state.withLock { state in
            dead.compactMap { entry -> IndexEntry? in
                if state.pendingShards[entry.shard] != nil {
                    let through = state.pendingShards[entry.shard]?.erasedThrough ?? 0
                    state.pendingShards[entry.shard]?.erasedThrough = max(through, entry.sequence)
                }
                guard let current = index.lookup(entry.shard), current.sequence <= entry.sequence else { return nil }
                index.apply([.remove(entry.shard)])
                state.count(current, by: -1)
                state.noteDead(current.shard, in: current.segment)
                return current
            }
        }
        for entry in gone { await giveBack(entry) }
    }

    /// Punches the body of an erased record where that brings whole blocks back.
    private func giveBack(_ entry: IndexEntry) async {
        checksums.remove(segment: entry.segment, offset: entry.offset)
        guard let kind = state.withLock({ $0.segments[entry.segment]?.header.kind }) else { return }
        let start = entry.offset + entry.layout(kind).bodyOffset
        let length = kind == .aligned ? Block.rounded(entry.bodyCapacity) : entry.bodyCapacity
        guard length >= ShardDiskConfiguration.punchLength,
            let file = try? await writableFile(of: entry.segment)
        else { return }
        await punchBody(entry.segment, file, start..<start + length)
    }

    /// Gives the whole blocks inside a dead body back. A punch that fails costs room, nothing else.
    func punchBody(_ segment: UInt64, _ file: any File, _ body: Range<Int>) async {
        let start = Block.rounded(body.lowerBound)
        let end = body.upperBound / Block.size * Block.size
        guard end - start >= ShardDiskConfiguration.punchLength else { return }
        do throws(FileError) {
            try await file.punch(start..<end)
            state.withLock { $0.segments[segment]?.punchedBytes += end - start }
        } catch  where error.code == .medium {
            fail(error)
        } catch {
            return
        }
    }

    private func writableFile(of segment: UInt64) async throws(FileError) -> any File {
        if let file = state.withLock({ $0.segments[segment]?.file }) { return file }
        return try await fileSystem.open(SegmentState.path(segment), .write)
    }
}
