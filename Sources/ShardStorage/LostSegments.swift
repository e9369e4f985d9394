internal import DiskFormat
internal import Synchronization
internal import SystemInterface

extension ShardDisk {
    /// Takes segments out of use whose names lead elsewhere or nowhere by now: removed, renamed or exchanged beneath
    /// their open files. What is appended there is there for this process alone, and gone with it. To be called now and
    /// then.
    package func leaveLostSegments() async {
        await structure.run {
            for segment in state.withLock({ $0.segments.values.filter { $0.file != nil } }) {
                if await isLost(segment) { state.withLock { $0.leave(segment.id) } }
            }
        }
    }

    /// False also where nothing can be said of it.
    private func isLost(_ segment: SegmentState) async -> Bool {
        do throws(FileError) {
            return try await isAnothers(try await fileSystem.open(segment.path, .read), than: segment)
        } catch {
            return error.code == .notFound || error.code == .invalid
        }
    }

    /// Whether a file that was opened by a segment's name is another segment's, by either copy of its header. False
    /// where both have rotted.
    func isAnothers(_ file: any File, than segment: SegmentState) async throws(FileError) -> Bool {
        let length = SegmentHeader.markOffset
        let buffer = pool.take(length)
        let count = try await file.readAround(buffer, count: length, from: 0).count
        return [0, SegmentHeader.copyOffset].contains { offset in
            guard offset < count else { return false }
            let bytes = UnsafeRawBufferPointer(rebasing: buffer.mutableBytes[offset..<count])
            guard let found = try? SegmentHeader.decode(bytes) else { return false }
            return found.salt != segment.header.salt
        }
    }
}

extension DiskState {
    /// Nothing more is written to the segment, a footer neither; what is in it is looked for under its name from here
    /// on, found bad, and made anew. While somebody writes there it only takes no others.
    fileprivate mutating func leave(_ id: UInt64) {
        guard var segment = segments[id], segment.file != nil else { return }
        if openSegments[segment.header.kind] == id { openSegments[segment.header.kind] = nil }
        segment.phase = .closing
        if segment.openWriters == 0 {
            segment.phase = .closed
            segment.file = nil
            segment.entries = []
            segment.pendingHeaders = []
        }
        segments[id] = segment
        readFiles[id] = nil
        directFiles[id] = nil
    }
}
