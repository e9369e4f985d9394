internal import DiskFormat
internal import Synchronization
internal import SystemInterface

// Room that was preallocated for records that do not come.
extension ShardDisk {
    /// Gives back what lies behind the records of open segments that nothing was appended to for
    /// `configuration.quietTime`: an archive that is written to now and then holds no room for what is not there. The
    /// next record takes room again.
    func trimQuietSegments() async throws(ShardStorageError) {
        try await structure.run { () async throws(ShardStorageError) in
            for id in quietSegments() { await trim(id) }
        }
    }

    /// Open segments that have lain still long enough; notes since when the others do.
    private func quietSegments() -> [UInt64] {
        let now = time.monotonic
        return state.withLock { state in
            state.openSegments.values.sorted().filter { id in
                guard let segment = state.segments[id] else { return false }
                guard let quiet = segment.quiet, quiet.end == segment.end, segment.openWriters == 0 else {
                    state.segments[id]?.quiet = SegmentState.Quiet(end: segment.end, since: now)
                    return false
                }
                return now.duration(since: quiet.since) >= configuration.quietTime
            }
        }
    }

    /// Under the structure lock, which whoever needs more room than is left takes; and nobody writes where no room has
    /// been taken. A file that cannot be cut costs room, nothing else.
    private func trim(_ id: UInt64) async {
        let found = state.withLock { state -> (any File, Int)? in
            guard let segment = state.segments[id], let file = segment.file, segment.openWriters == 0 else {
                return nil
            }
            let end = Block.rounded(segment.endWithFooter(adding: 0, count: 0))
            guard segment.allocated > end else { return nil }
            state.segments[id]?.allocated = end
            return (file, end)
        }
        guard let (file, end) = found else { return }
        do throws(FileError) {
            try await file.truncate(to: end)
        } catch  where error.code == .medium {
            fail(error)
        } catch {
            return
        }
    }
}
