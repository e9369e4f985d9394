internal import DiskFormat
package import ObjectModel
internal import Synchronization
internal import SystemInterface

// Making, growing and closing segments. Everything here runs under the structure lock.
extension ShardDisk {
    /// What a caller may take when the file system is short of room.
    enum Privilege: Sendable {
        /// New bytes of a client: never from the reserve.
        case ordinary
        /// Bytes whose old place is to be given up for the new one, and checkpoints, for which log files are: part of
        /// the reserve, so that the rest is left for what brings that place back.
        case rewrite
        /// Tombstones and copies, which bring room back: the reserve is for them.
        case reserve
    }

    /// Sees to it that the open segment of `kind` has room for `count` records of `length` bytes in all.
    func makeRoom(
        _ kind: SegmentKind,
        length: Int,
        count: Int,
        _ privilege: Privilege
    ) async throws(ShardStorageError) {
        try await structure.run { () async throws(ShardStorageError) in
            let current = try state.withLock { state throws(ShardStorageError) -> SegmentState? in
                try state.checkWritable()
                return state.openSegments[kind].flatMap { state.segments[$0] }
            }
            if let current, current.accepts(length, count: count) {
                let needed = current.endWithFooter(adding: length, count: count)
                if needed > current.allocated { try await grow(current, to: needed, privilege) }
            } else {
                if let current { try await retire(current.id) }
                try await createSegment(kind, length: length, count: count, privilege)
            }
        }
    }

    /// Takes a segment out of use, with its footer when nobody writes to it any more.
    func retire(_ segment: UInt64) async throws(ShardStorageError) {
        state.withLock { state in
            guard let kind = state.segments[segment]?.header.kind else { return }
            state.segments[segment]?.phase = .closing
            if state.openSegments[kind] == segment { state.openSegments[kind] = nil }
        }
        try await finishClosing(segment)
    }

    private func grow(
        _ segment: SegmentState,
        to needed: Int,
        _ privilege: Privilege
    ) async throws(ShardStorageError) {
        guard let file = segment.file else { throw .invalid("segment without a file") }
        let comfortable = max(needed, min(segment.header.plannedLength, segment.allocated + configuration.growthLength))
        let end = try await allocate(file, from: segment.allocated, needed: needed, comfortable: comfortable, privilege)
        state.withLock { $0.segments[segment.id]?.allocated = end }
    }

    /// Allocates up to `comfortable`, or at least up to `needed`; returns how far.
    private func allocate(
        _ file: any File,
        from start: Int,
        needed: Int,
        comfortable: Int,
        _ privilege: Privilege
    ) async throws(ShardStorageError) -> Int {
        let smaller = comfortable > needed ? [comfortable, Block.rounded(needed)] : [Block.rounded(needed)]
        for end in smaller where try await mayTake(end - start, privilege) {
            do throws(FileError) {
                try await file.allocate(start..<end)
                return end
            } catch  where error.code == .full {
                continue
            } catch {
                throw fail(error)
            }
        }
        while mayRelease(privilege), try await releaseReserve() {
            do throws(FileError) {
                try await file.allocate(start..<Block.rounded(needed))
                return Block.rounded(needed)
            } catch  where error.code == .full {
                continue
            } catch {
                throw fail(error)
            }
        }
        throw .full
    }

    private func createSegment(
        _ kind: SegmentKind,
        length: Int,
        count: Int,
        _ privilege: Privilege
    ) async throws(ShardStorageError) {
        let needed = SegmentHeader.recordsOffset + length + SegmentFooter.length(entryCount: count, in: kind)
        let planned = max(configuration.segmentLength, Block.rounded(needed))
        let (header, file) = try await createFile(kind, planned: planned)
        do throws(ShardStorageError) {
            let comfortable = max(needed, min(planned, configuration.growthLength))
            let allocated = try await allocate(file, from: 0, needed: needed, comfortable: comfortable, privilege)
            try await writeHeader(header, to: file)
            register(header, file, allocated: allocated)
        } catch {
            // An empty segment means nothing; recovery removes one that is left.
            try? await fileSystem.remove(SegmentState.path(header.segment))
            throw error
        }
    }

    /// The empty file of a new segment, and its header. The id of a file that is there is passed over, whatever that
    /// file may be.
    private func createFile(
        _ kind: SegmentKind,
        planned: Int
    ) async throws(ShardStorageError) -> (header: SegmentHeader, file: any File) {
        while true {
            let id = try await takeSegmentID()
            let identity = identity
            let header = SegmentHeader(
                kind: kind,
                segment: id,
                salt: random.next(),
                cluster: identity.cluster,
                disk: identity.disk,
                diskEpoch: identity.epoch,
                created: time.wall.milliseconds,
                plannedLength: planned
            )
            do throws(FileError) {
                return (header, try await fileSystem.open(SegmentState.path(id), .createNew.direct()))
            } catch  where error.code == .exists {
                continue
            } catch {
                throw changeError(error)
            }
        }
    }

    private func writeHeader(_ header: SegmentHeader, to file: any File) async throws(ShardStorageError) {
        let block = header.encoded()
        let pieces = [pool.slice(copying: block + block)]
        do throws(FileError) {
            try await file.write(pieces, at: 0)
            try await file.sync()
            try await fileSystem.syncDirectory(DiskFolder.segments)
        } catch {
            throw changeError(error)
        }
    }

    private func register(_ header: SegmentHeader, _ file: any File, allocated: Int) {
        state.withLock { state in
            var segment = SegmentState(
                header: header,
                file: file,
                phase: .open,
                end: SegmentHeader.recordsOffset,
                allocated: allocated
            )
            segment.tail = []
            state.segments[header.segment] = segment
            state.openSegments[header.kind] = header.segment
        }
    }

    /// Writes the footer of a segment that takes no more records, once nobody writes to it. Idempotent.
    func finishClosing(_ id: UInt64) async throws(ShardStorageError) {
        let found = state.withLock { state -> (SegmentState, UInt64)? in
            guard let segment = state.segments[id], segment.isClosing, segment.openWriters == 0 else { return nil }
            return (segment, state.takeSequence())
        }
        guard let (segment, sequence) = found, let file = segment.file else { return }
        try await writeFooter(segment, sequence, to: file)
        state.withLock { state in
            state.segments[id]?.phase = .closed
            state.segments[id]?.file = nil
            state.segments[id]?.entries = []
            state.segments[id]?.pendingHeaders = []
            state.keepForReading(file, of: id, limit: configuration.openFileLimit)
        }
    }

    /// A closed segment whose footer could not be written is walked at the next start: no reason to fail.
    private func writeFooter(
        _ segment: SegmentState,
        _ sequence: UInt64,
        to file: any File
    ) async throws(ShardStorageError) {
        let footer = SegmentFooter(entries: segment.entries)
        let bytes = footer.encoded(at: segment.end, in: segment.header, sequence: sequence)
        do throws(FileError) {
            for header in segment.pendingHeaders {
                try await file.write([pool.slice(copying: header.bytes)], at: header.offset)
            }
            try await file.write([pool.slice(copying: bytes)], at: segment.end)
            try await file.truncate(to: segment.end + bytes.count)
            try await file.sync()
        } catch  where error.code == .full {
            return
        } catch {
            throw fail(error)
        }
    }

    /// Ends the open segments, for `close`.
    func closeOpenSegments() async throws(ShardStorageError) {
        try await structure.run { () async throws(ShardStorageError) in
            let open = state.withLock { $0.openSegments.values.sorted() }
            for segment in open { try await retire(segment) }
        }
    }

    /// A segment id never used before: ids are set aside in the identity, some hundred at a time.
    private func takeSegmentID() async throws(ShardStorageError) -> UInt64 {
        let (next, identity, refusal) = state.withLock { ($0.nextSegment, $0.identity, $0.refusal) }
        if let refusal { throw .invalid(refusal) }
        if next >= identity.segmentLimit {
            var raised = identity
            raised.segmentLimit = min(next + Self.segmentIDStep, SegmentHeader.newIDLimit)
            try await storeIdentity(raised)
        }
        state.withLock { $0.nextSegment = next + 1 }
        return next
    }

    /// Few enough that ids last for ever, many enough that the identity is rarely written.
    private static let segmentIDStep: UInt64 = 256

    private func storeIdentity(_ identity: DiskIdentity) async throws(ShardStorageError) {
        do throws(FileError) {
            try await Self.writeIdentity(identity, to: fileSystem)
        } catch {
            throw changeError(error)
        }
        state.withLock { $0.identity = identity }
    }

    /// Raises the disk's epoch, durably: from here on a copy of the disk with the old one is stale.
    package func raiseEpoch(to epoch: UInt32) async throws(ShardStorageError) {
        try await structure.run { () async throws(ShardStorageError) in
            var identity = identity
            guard epoch > identity.epoch else { return }
            identity.epoch = epoch
            try await storeIdentity(identity)
        }
    }

    /// Writes on the disk where it is served, durably, so that its node's next start knows it by that; nothing is
    /// written where it says so already. `slot`: nil of a name that an identity does not take.
    package func notePlace(site: SiteName, node: NodeName, slot: String?) async throws(ShardStorageError) {
        try await structure.run { () async throws(ShardStorageError) in
            var identity = identity
            (identity.site, identity.node, identity.slot) = (site, node, slot)
            guard identity != self.identity else { return }
            try await storeIdentity(identity)
        }
    }
}

extension DiskState {
    /// Keeps a file open for reading, and lets go of the one used longest ago when there are too many.
    mutating func keepForReading(_ file: any File, of segment: UInt64, limit: Int) {
        tick += 1
        readFiles[segment] = (file, tick)
        guard readFiles.count > limit else { return }
        let oldest = readFiles.min { $0.value.used < $1.value.used }
        if let oldest { readFiles[oldest.key] = nil }
    }

    /// The file to read a segment from, if it is open.
    mutating func readFile(_ segment: UInt64) -> (any File)? {
        if let file = segments[segment]?.file { return file }
        guard let kept = readFiles[segment] else { return nil }
        tick += 1
        readFiles[segment] = (kept.file, tick)
        return kept.file
    }
}
