internal import DiskFormat
internal import ObjectModel
internal import Synchronization
internal import SystemInterface

/// A record of an aligned segment whose body has been written, about to be sealed.
struct SealItem: Sendable {
    var segment: UInt64
    /// Where table and trailer go.
    var endOffset: Int
    /// Table and trailer, in whole blocks.
    var end: BufferSlice
    var entry: IndexEntry
    /// A copy is not published by the commit.
    var isCopy: Bool
}

extension ShardDisk {
    /// Seals a record, with whatever others seal just now. Durable on return.
    func commitSeal(_ item: SealItem) async throws(ShardStorageError) {
        try await sealCommits.submit(item, cost: item.end.count) { items in
            let result = await sealRound(items)
            return Array(repeating: result, count: items.count)
        }
    }

    /// One round: outstanding headers in order, then tables and trailers, then one sync for each segment.
    private func sealRound(_ items: [SealItem]) async -> Result<Void, ShardStorageError> {
        do throws(ShardStorageError) {
            for segment in Set(items.map(\.segment)).sorted() {
                let here = items.filter { $0.segment == segment }
                try await seal(here, in: segment)
            }
            return .success(())
        } catch {
            return .failure(error)
        }
    }

    private func seal(_ items: [SealItem], in segment: UInt64) async throws(ShardStorageError) {
        let (file, headers) = try state.withLock { state throws(ShardStorageError) in
            try state.checkWritable()
            let headers = state.segments[segment]?.pendingHeaders ?? []
            state.segments[segment]?.pendingHeaders = []
            return (state.segments[segment]?.file, headers)
        }
        guard let file else { throw .invalid("sealing in a closed segment") }
        do throws(FileError) {
            let begun = headers.map { header in
                FileWrite([pool.slice(copying: header.bytes, roundedTo: Block.size)], at: header.offset)
            }
            try await file.commit(begun + items.map { FileWrite([$0.end], at: $0.endOffset) })
        } catch {
            // Room was reserved: whatever it was, the segment can no longer be trusted to hold what it should.
            throw fail(error)
        }
        state.withLock { state in
            for item in items {
                state.segments[segment]?.seal(offset: item.entry.offset, bodyLength: item.entry.bodyLength)
                if !item.isCopy { state.publish(item.entry, in: index) }
            }
        }
    }
}
