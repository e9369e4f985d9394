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

    /// False also where nothing can be said of it, as of a header that has rotted.
    private func isLost(_ segment: SegmentState) async -> Bool {
        let buffer = pool.take(Block.size)
        do throws(FileError) {
            let file = try await fileSystem.open(segment.path, .read)
            let count = try await file.read(into: buffer, at: 0, count: Block.size, from: 0)
            let bytes = UnsafeRawBufferPointer(rebasing: buffer.mutableBytes[..<count])
            guard let found = try? SegmentHeader.decode(bytes) else { return false }
            return found.salt != segment.header.salt
        } catch {
            return error.code == .notFound || error.code == .invalid
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
