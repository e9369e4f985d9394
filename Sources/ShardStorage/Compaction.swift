internal import DiskFormat
package import ObjectModel
internal import Synchronization
internal import SystemInterface

/// What one compaction did.
package struct CompactionReport: Hashable, Sendable {
    /// Segments whose live records were copied elsewhere.
    package var compacted: [UInt64] = []
    /// Segments whose files were removed.
    package var removed: [UInt64] = []
    package var copiedShards = 0
    package var copiedBytes = 0
    /// Shards that could not be verified, and so not be copied: their segments stay until they are repaired.
    package var bad: [ShardID] = []

    package init() {}
}

extension ShardDisk {
    /// Rewrites the live records of segments that are largely dead, and removes those superseded earlier, when their
    /// time is up or room is short; gives back room that is held for records which do not come. Works on a full disk,
    /// from the reserve. One at a time; call it now and then.
    package func compact() async throws(ShardStorageError) -> CompactionReport {
        try await compaction.run { () async throws(ShardStorageError) in
            var report = CompactionReport()
            try state.withLock { state throws(ShardStorageError) in try state.checkWritable() }
            try await finishIdleSegments()
            try await closeLargelyDead()
            try await trimQuietSegments()
            try await removeSuperseded(&report)
            while let segment = nextCandidate(besides: report.compacted) {
                do throws(ShardStorageError) {
                    guard try await compact(segment, &report) else { continue }
                    report.compacted.append(segment.id)
                } catch .full {
                    break
                }
                try await removeSuperseded(&report)
            }
            try await removeSuperseded(&report)
            try await refillReserve()
            return report
        }
    }

    /// Where room is short, an open segment that is largely dead is closed, so that it can be compacted: it may be long
    /// until it is full, and its dead records are room that a client has freed.
    private func closeLargelyDead() async throws(ShardStorageError) {
        guard try await isShortOfRoom() else { return }
        let dead = state.withLock { state in
            state.openSegments.values.filter { id in
                guard let segment = state.segments[id] else { return false }
                return segment.deadBytes >= configuration.growthLength / 4
                    && Double(segment.deadBytes) > configuration.compactionThreshold * Double(segment.occupiedBytes)
            }.sorted()
        }
        try await structure.run { () async throws(ShardStorageError) in
            for segment in dead { try await retire(segment) }
        }
    }

    /// The segment that costs least to compact among those worth it.
    private func nextCandidate(besides done: [UInt64]) -> SegmentState? {
        state.withLock { state in
            let candidates = state.segments.values.filter { segment in
                guard case .closed = segment.phase, segment.isMovable, !done.contains(segment.id),
                    segment.passedOverAt != state.removals
                else { return false }
                return segment.liveBytes == 0
                    || Double(segment.deadBytes) > configuration.compactionThreshold * Double(segment.occupiedBytes)
            }
            if let cheapest = candidates.min(by: { ($0.liveBytes, $0.id) < ($1.liveBytes, $1.id) }) { return cheapest }
            return smallSegment(state, besides: done)
        }
    }

    /// Segments that restarts left small are gathered when they have become many.
    private func smallSegment(_ state: DiskState, besides done: [UInt64]) -> SegmentState? {
        let small = state.segments.values.filter { segment in
            guard case .closed = segment.phase else { return false }
            return segment.isMovable && !done.contains(segment.id) && segment.end < configuration.segmentLength / 8
                && segment.passedOverAt != state.removals
        }
        guard small.count >= Self.smallSegmentCount else { return nil }
        return small.min { $0.id < $1.id }
    }

    private static let smallSegmentCount = 8

    /// Copies what lives in a segment, and what must stay of its tombstones; false when it is not worth it or not
    /// possible.
    private func compact(
        _ segment: SegmentState,
        _ report: inout CompactionReport
    ) async throws(ShardStorageError) -> Bool {
        let entries: [SegmentFooter.Entry]
        do throws(ShardStorageError) {
            entries = try await self.entries(of: segment)
        } catch .corrupt {
            // What cannot be told cannot be copied; the others are no worse for it.
            state.withLock { $0.segments[segment.id]?.passedOverAt = $0.removals }
            return false
        }
        let live = entries.compactMap { IndexEntry($0, in: segment.id) }.filter { index.lookup($0.shard) == $0 }
        let tombstones = keptTombstones(entries)
        let kept = segment.liveBytes + tombstones.count * Tombstone.recordLength
        let isSmall = segment.end < configuration.segmentLength / 8
        let limit = isSmall ? 1 : 1 - configuration.compactionThreshold / 2
        guard Double(kept) < limit * Double(segment.occupiedBytes) || isSmall && !live.isEmpty || kept == 0 else {
            state.withLock { $0.segments[segment.id]?.passedOverAt = $0.removals }
            return false
        }
        var copies = SegmentCopies()
        do throws(ShardStorageError) {
            try await copy(live, from: segment, &copies)
            if !tombstones.isEmpty { _ = try await commitPacked(.tombstones(tombstones)) }
            guard copies.bad.isEmpty, try await areGood(copies) else {
                report.bad += copies.bad
                drop(copies)
                state.withLock { $0.segments[segment.id]?.passedOverAt = $0.removals }
                return false
            }
            if configuration.buggify.strikes(.compactionCutShort) { throw ShardStorageError.full }
            await configuration.buggify.pause(.compactionLate, time)
            try await mark(segment, copied: copies.pairs.count)
        } catch {
            drop(copies)
            throw error
        }
        switchOver(segment.id, copies)
        report.copiedShards += copies.pairs.count
        report.copiedBytes += copies.pairs.reduce(0) { $0 + $1.new.bodyLength }
        return true
    }

    /// The records of a segment that is closed.
    func entries(of segment: SegmentState) async throws(ShardStorageError) -> [SegmentFooter.Entry] {
        let (file, _) = try await file(of: segment.id)
        do throws(FileError) {
            let length = try await file.length()
            return try await SegmentTable(header: segment.header, file: file, length: length, pool: pool).entries()
        } catch {
            throw Self.readError(error)
        }
    }

    /// Tombstones that some segment's record still needs.
    private func keptTombstones(_ entries: [SegmentFooter.Entry]) -> [Tombstone] {
        state.withLock { state in
            entries.compactMap { entry in
                guard case .tombstone(let sequence, let deadSegment) = entry.content,
                    state.hidesRecords || state.deadRecords[entry.shard] != nil
                else { return nil }
                return Tombstone(
                    sequence: 0,
                    shard: entry.shard,
                    deadSequence: sequence,
                    deadStamp: entry.writeStamp,
                    deadSegment: deadSegment,
                    deadOffset: 0
                )
            }
        }
    }

    /// Reads every copy back.
    private func areGood(_ copies: SegmentCopies) async throws(ShardStorageError) -> Bool {
        for pair in copies.pairs {
            do throws(ShardStorageError) {
                guard try await verify(pair.new).isGood else { return false }
            } catch .corrupt {
                return false
            }
        }
        return true
    }

    /// Says in the old segment itself that its records lie elsewhere now; durable on return.
    private func mark(_ segment: SegmentState, copied: Int) async throws(ShardStorageError) {
        let mark = SupersededMark(time: time.wall.milliseconds, copiedCount: UInt32(clamping: copied))
        do throws(FileError) {
            let file = try await fileSystem.open(segment.path, .write)
            guard try await !isAnothers(file, than: segment) else { return }
            try await file.write([pool.slice(copying: mark.encoded(in: segment.header))], at: SegmentHeader.markOffset)
            try await file.sync()
        } catch  where error.code == .notFound {
            // Somebody has removed it meanwhile, and the copies came from the file that was still open.
        } catch {
            throw changeError(error)
        }
    }

    /// Lets the index point to the copies, except of records that were erased or written anew meanwhile.
    private func switchOver(_ segment: UInt64, _ copies: SegmentCopies) {
        state.withLock { state in
            for (old, new) in copies.pairs {
                guard index.lookup(old.shard) == old else {
                    state.noteDead(new.shard, in: new.segment)
                    continue
                }
                index.apply([.insert(new)])
                state.count(old, by: -1)
                state.count(new, by: 1)
                state.noteDead(old.shard, in: old.segment)
            }
            state.segments[segment]?.phase = .superseded(time.monotonic)
        }
    }

    /// Copies of a compaction that came to nothing are dead records.
    private func drop(_ copies: SegmentCopies) {
        state.withLock { state in
            for pair in copies.pairs { state.noteDead(pair.new.shard, in: pair.new.segment) }
        }
    }

    // MARK: Removing

    /// Removes superseded segments whose time is up, or all of them when room is short.
    private func removeSuperseded(_ report: inout CompactionReport) async throws(ShardStorageError) {
        let isShort = try await isShortOfRoom()
        let now = time.monotonic
        let due = state.withLock { state in
            state.segments.values.filter { segment in
                guard case .superseded(let since) = segment.phase, segment.liveBytes == 0 else { return false }
                return isShort || now.duration(since: since) >= configuration.quarantine
            }.sorted { $0.id < $1.id }
        }
        for segment in due {
            // A segment is given up only when nothing points to it, looked at once more.
            do throws(FileError) {
                try await remove(segment)
                try await fileSystem.syncDirectory(DiskFolder.segments)
            } catch {
                throw changeError(error)
            }
            state.withLock { $0.forget(segment.id) }
            report.removed.append(segment.id)
        }
    }

    /// No error when somebody else was first, or has put another segment there, which stays.
    private func remove(_ segment: SegmentState) async throws(FileError) {
        do throws(FileError) {
            guard try await !isAnothers(try await fileSystem.open(segment.path, .read), than: segment) else { return }
            try await fileSystem.remove(segment.path)
        } catch  where error.code == .notFound || error.code == .invalid {
            return
        }
    }

    private func isShortOfRoom() async throws(ShardStorageError) -> Bool {
        do throws(FileError) {
            let available = try await fileSystem.space().available
            return state.withLock { $0.missingReserve > 0 } || available < 2 * configuration.growthLength
        } catch {
            throw changeError(error)
        }
    }
}

/// The records copied out of one segment.
struct SegmentCopies: Sendable {
    var pairs: [(old: IndexEntry, new: IndexEntry)] = []
    var bad: [ShardID] = []
}
