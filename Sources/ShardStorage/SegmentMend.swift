internal import DiskFormat
internal import Synchronization
internal import SystemInterface

extension ShardDisk {
    /// Compares a segment's header, its copy and its footer with what they should be, and writes again what is not so;
    /// true when something was. A superseded or open segment's footer is no matter, and nothing is written over another
    /// segment that somebody put under this name: it may be all there is of that one.
    func mend(_ id: UInt64) async throws(ShardStorageError) -> Bool {
        guard let segment = state.withLock({ $0.segments[id] }), !segment.isSuperseded, segment.isMovable else {
            return false
        }
        do throws(FileError) {
            let file = try await fileSystem.open(segment.path, .write)
            guard try await !isAnothers(file, than: segment) else { return false }
            let wasHeaderBad = try await mendHeader(segment, file)
            let wasFooterBad = try await mendFooter(segment, file)
            return wasHeaderBad || wasFooterBad
        } catch  where error.code == .notFound {
            // Removed by compaction meanwhile.
            return false
        } catch {
            throw changeError(error)
        }
    }

    private func mendHeader(_ segment: SegmentState, _ file: any File) async throws(FileError) -> Bool {
        let block = segment.header.encoded()
        let expected = block + block
        let buffer = pool.take(expected.count)
        // A block that cannot be read is given another place by its medium when it is written.
        let count = try await file.readAround(buffer, count: expected.count, from: 0).count
        if buffer.mutableBytes[..<count].elementsEqual(expected) { return false }
        try await file.write([pool.slice(copying: expected)], at: 0)
        try await file.sync()
        return true
    }

    private func mendFooter(_ segment: SegmentState, _ file: any File) async throws(FileError) -> Bool {
        guard case .closed = segment.phase else { return false }
        let length = try await file.length()
        let table = SegmentTable(header: segment.header, file: file, length: length, pool: pool)
        let walk: SegmentWalk
        do throws(FileError) {
            guard try await table.readFooter() == nil else { return false }
            walk = try await table.walk()
        } catch  where error.code != .medium {
            throw error
        } catch {
            // Its first and last blocks would be written in part, for which they are read: left to compaction.
            return false
        }
        // With unreadable records before it the table would not be whole: they are repaired first, and compacted away.
        guard walk.rot.isEmpty, walk.unreadable.isEmpty else { return false }
        let footer = SegmentFooter(entries: walk.entries)
        let sequence = state.withLock { $0.takeSequence() }
        let bytes = footer.encoded(at: segment.end, in: segment.header, sequence: sequence)
        try await file.write([pool.slice(copying: bytes)], at: segment.end)
        try await file.truncate(to: segment.end + bytes.count)
        try await file.sync()
        return true
    }
}
