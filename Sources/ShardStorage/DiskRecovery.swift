internal import DiskFormat
internal import ObjectModel
internal import SystemInterface

/// Rebuilds what a disk holds from its segments alone (`Docs/DiskFormat.md`, Recovery). Deterministic.
final class DiskRecovery {
    private let fileSystem: any FileSystem
    private let pool: BufferPool
    private let time: any TimeSource
    private let index: any ShardIndex
    private var state: DiskState
    private var report = RecoveryReport()
    /// By shard: the highest sequence that a tombstone kills.
    private var erased: [ShardID: UInt64] = [:]
    /// Sealed records with a bad leaf: they count only where there is no good record of their shard.
    private var damaged: [IndexEntry] = []
    /// Segments in which the medium may hide records.
    private var notWhole = 0
    /// The highest id that a header vouches for, of those that are given out.
    private var highestSegment: UInt64 = 0
    /// More than what the medium hides can have been given: what is written from here on is newer than all of it.
    private static let hiddenSequences: UInt64 = 1 << 32

    init(
        fileSystem: any FileSystem,
        identity: DiskIdentity,
        pool: BufferPool,
        time: any TimeSource,
        index: any ShardIndex
    ) {
        self.fileSystem = fileSystem
        self.pool = pool
        self.time = time
        self.index = index
        state = DiskState(identity: identity, nextSegment: identity.segmentLimit)
    }

    func run() async throws(FileError) -> (DiskState, RecoveryReport) {
        try await fileSystem.createDirectory(DiskFolder.segments)
        try await fileSystem.createDirectory(DiskFolder.reserve)
        // What was there may be names that a killed process made and had not synced: records that follow in such a
        // file would be acknowledged, and gone with its name at the next loss of power.
        for folder in [RelativePath.root, DiskFolder.segments, DiskFolder.reserve] {
            try await fileSystem.syncDirectory(folder)
        }
        for name in try await fileSystem.list(DiskFolder.segments) {
            guard let id = SegmentHeader.segment(fileName: name) else { continue }
            try await recover(id, name)
        }
        report.lastSequence = state.nextSequence - 1
        if notWhole > 0 {
            state.hidesRecords = true
            state.nextSequence += Self.hiddenSequences
        }
        settleNextSegment()
        settleShards()
        resumeSegments()
        report.segments = state.segments.count
        return (state, report)
    }

    /// No id is used twice: the identity says from where on none was, and so do segments that are above it, as beside
    /// an older copy of the identity. A limit above all ids that are given out comes of a version that took it from a
    /// file's name. How far the ids really had come is lost with it, as segments may have been removed since: they go
    /// on half-way to the end, which is further than any disk comes.
    private func settleNextSegment() {
        if state.identity.segmentLimit > SegmentHeader.newIDLimit {
            state.identity.segmentLimit = highestSegment + (SegmentHeader.newIDLimit - highestSegment) / 2
        }
        state.nextSegment = max(state.identity.segmentLimit, highestSegment + 1)
    }

    // MARK: One segment

    private func recover(_ id: UInt64, _ name: String) async throws(FileError) {
        // No segment of a disk has such an id (`takeSegmentID`), and none could follow it.
        guard id < SegmentHeader.idLimit else { return report.unreadableSegments.append(name) }
        let path = SegmentState.path(id)
        let file = try await fileSystem.open(path, .write)
        let length = try await file.length()
        guard let head = try await readHead(file, of: id), head.header.segment == id,
            head.header.disk == state.identity.disk, head.header.cluster == state.identity.cluster
        else {
            try await handleUnreadable(file, path, name, length)
            return
        }
        // A name alone proves nothing: a copy under another one would use up the ids below it.
        if id < SegmentHeader.newIDLimit { highestSegment = max(highestSegment, id) }
        let table = SegmentTable(header: head.header, file: file, length: length, pool: pool)
        let found = try await table.findFooter()
        if head.isSuperseded {
            state.segments[id] = SegmentState(
                header: head.header,
                file: nil,
                phase: .superseded(time.monotonic),
                end: length,
                allocated: length
            )
            var entries = found?.footer.entries
            if entries == nil {
                let walk = try await table.walk()
                if !walk.isWhole { try noteNotWhole(id) }
                entries = walk.entries
            }
            // Not looked at for its records, but they are still there.
            for entry in entries ?? [] where IndexEntry(entry, in: id) != nil { state.noteDead(entry.shard, in: id) }
        } else if let (footer, offset) = found {
            var segment = SegmentState(
                header: head.header,
                file: nil,
                phase: .closed,
                end: offset,
                allocated: length
            )
            segment.punchedBytes = try await punchedBytes(path, length)
            segment.isMovable = head.header.features.allowsChanges
            state.segments[id] = segment
            take(footer.entries, damaged: [], in: id)
        } else {
            try await walk(head.header, path, length)
        }
    }

    /// What a segment file of `length` bytes lacks of them: dead bodies that were given back.
    private func punchedBytes(_ path: String, _ length: Int) async throws(FileError) -> Int {
        let used = try await fileSystem.status(path)?.allocated ?? length
        return max(0, length - max(used, 0))
    }

    /// The segment's header, from the first valid copy, and whether it has a superseded mark; nil when it has none.
    private func readHead(
        _ file: any File,
        of id: UInt64
    ) async throws(FileError) -> (header: SegmentHeader, isSuperseded: Bool)? {
        let count = SegmentHeader.recordsOffset
        let buffer = pool.take(count)
        // Without its mark a superseded segment counts as if its compaction had been cut off before it.
        let around = try await file.readAround(buffer, count: count, from: 0)
        guard around.count == count else { return nil }
        let bytes = UnsafeRawBufferPointer(rebasing: buffer.mutableBytes[..<count])
        let copy = UnsafeRawBufferPointer(rebasing: bytes[SegmentHeader.copyOffset...])
        guard let header = (try? SegmentHeader.decode(bytes)) ?? (try? SegmentHeader.decode(copy)) else {
            if !around.unreadable.isEmpty { try noteNotWhole(id) }
            return nil
        }
        let slot = UnsafeRawBufferPointer(rebasing: bytes[SegmentHeader.markOffset...])
        let mark = try? RecordHeader.decode(slot, at: header.place(SegmentHeader.markOffset), in: header.kind).header
        if case .supersededMark = mark { return (header, true) }
        return (header, false)
    }

    /// A file without a readable header: removed when a crash left it before its first record, else left alone.
    private func handleUnreadable(
        _ file: any File,
        _ path: String,
        _ name: String,
        _ length: Int
    ) async throws(FileError) {
        var window = FileWindow(file: file, length: length, size: 1 << 20, pool: pool)
        // Records are written only after the header is durable.
        let records = SegmentHeader.recordsOffset..<max(length, SegmentHeader.recordsOffset)
        if try await window.endOfContent(in: records) == nil {
            try await fileSystem.remove(path)
            report.emptySegments += 1
        } else {
            report.unreadableSegments.append(name)
        }
    }

    private func walk(_ header: SegmentHeader, _ path: String, _ length: Int) async throws(FileError) {
        let file = try await fileSystem.open(path, .write.direct())
        // What the page cache holds may not be on the medium: where the process died and not the machine it may not
        // have been synced, and where a sync has failed it never will be. So: flush, then look at the medium itself.
        try await file.sync()
        let medium = try await fileSystem.open(path, .read.direct())
        let walk = try await SegmentTable(header: header, file: medium, length: length, pool: pool).walk()
        report.walked += 1
        report.rot += walk.rot.map { RecoveryReport.Rot(segment: header.segment, range: $0) }
        state.nextSequence = max(state.nextSequence, walk.highestSequence + 1)
        let alignment = header.kind.alignment
        let end = ((walk.tailEnd ?? walk.end) + alignment - 1) / alignment * alignment
        var segment = SegmentState(header: header, file: file, phase: .closing, end: end, allocated: length)
        segment.entries = walk.entries
        segment.punchedBytes = try await punchedBytes(path, length)
        segment.isMovable = walk.isMovable && walk.isWhole && header.features.allowsChanges
        if !walk.isWhole { try noteNotWhole(header.segment) }
        // Only a tail of zeros is written to again: anything else may be what is left of something.
        if walk.tailEnd == nil, segment.isMovable {
            segment.tail = try await tail(of: medium, at: end)
            segment.phase = segment.tail == nil ? .closed : .open
        }
        // Without a footer it is walked at the next opening as well, and may show more then.
        if !segment.isMovable { segment.phase = .closed }
        state.segments[header.segment] = segment
        take(walk.entries, damaged: walk.damaged, in: header.segment)
    }

    /// The bytes before `end` in its block; nil when the medium cannot give them.
    private func tail(of medium: any File, at end: Int) async throws(FileError) -> [UInt8]? {
        do throws(FileError) {
            return try await medium.readBlocks(end % Block.size, at: end - end % Block.size, pool)?.copied()
        } catch  where error.code != .medium {
            throw error
        } catch {
            return nil
        }
    }

    /// Throws when there are so many that the disk has failed.
    private func noteNotWhole(_ segment: UInt64) throws(FileError) {
        notWhole += 1
        guard notWhole <= UnreadableBlocks.segments else {
            throw FileError(.medium, operation: "read", path: SegmentState.path(segment))
        }
    }

    // MARK: Shards

    private func take(_ entries: [SegmentFooter.Entry], damaged: Set<Int>, in segment: UInt64) {
        for entry in entries {
            state.nextSequence = max(state.nextSequence, entry.sequence + 1)
            if case .tombstone(let deadSequence, _) = entry.content {
                erased[entry.shard] = max(erased[entry.shard] ?? 0, deadSequence)
                continue
            }
            guard let found = IndexEntry(entry, in: segment) else {
                report.unsealed += 1
                continue
            }
            report.sealed += 1
            if damaged.contains(entry.offset) {
                self.damaged.append(found)
                continue
            }
            if let old = index.lookup(entry.shard) {
                let loser = old.sequence > found.sequence ? found : old
                state.noteDead(loser.shard, in: loser.segment)
                if loser == found { continue }
            }
            index.apply([.insert(found)])
        }
    }

    /// Takes out what tombstones kill, lets damaged records in where there is no good one, and counts what is live.
    private func settleShards() {
        for (shard, sequence) in erased {
            guard let entry = index.lookup(shard), entry.sequence <= sequence else { continue }
            index.apply([.remove(shard)])
            state.noteDead(shard, in: entry.segment)
        }
        for entry in damaged {
            // Only now is it known which bodies were given back: what is erased cannot be damaged.
            let isErased = entry.sequence <= erased[entry.shard] ?? 0
            if !isErased { report.damaged.append(entry.shard) }
            if !isErased, index.lookup(entry.shard) == nil {
                index.apply([.insert(entry)])
            } else {
                state.noteDead(entry.shard, in: entry.segment)
            }
        }
        var last: ShardID?
        while true {
            let entries = index.entries(after: last, limit: 1_024)
            guard let end = entries.last else { return }
            for entry in entries { state.count(entry, by: 1) }
            last = end.shard
        }
    }

    /// Of each kind the newest segment with a clean tail is appended to again; the others get their footers.
    private func resumeSegments() {
        for id in state.segments.keys.sorted() {
            guard let segment = state.segments[id], segment.isOpen else { continue }
            if let older = state.openSegments[segment.header.kind] { state.segments[older]?.phase = .closing }
            state.openSegments[segment.header.kind] = id
        }
    }
}
