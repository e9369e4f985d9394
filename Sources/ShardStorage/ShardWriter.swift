package import DiskFormat
internal import ObjectModel
internal import Synchronization
package import SystemInterface

/// A shard that is being written cell by cell into room of its own.
///
/// Cells may be appended in any order, concurrently. Nothing is visible before `seal` has returned; a writer that is
/// dropped or aborted leaves dead space.
package final class ShardWriter: Sendable {
    private struct Progress {
        var end = 0
        var written = 0
        var appending = 0
        var isOver = false
    }

    package let header: ShardHeader
    private let disk: ShardDisk
    private let record: ShardRecordHeader
    private let layout: RecordLayout
    private let segment: UInt64
    private let offset: Int
    private let file: any File
    private let isCopy: Bool
    private let progress = Mutex(Progress())

    init(disk: ShardDisk, record: ShardRecordHeader, segment: UInt64, offset: Int, file: any File, isCopy: Bool) {
        self.disk = disk
        self.record = record
        self.segment = segment
        self.offset = offset
        self.file = file
        self.isCopy = isCopy
        header = record.header
        layout = record.layout(in: .aligned)
    }

    deinit { if end() { disk.endWriter(of: header.shard, in: segment) } }

    /// Writes the next bytes of the body at `offset`, a multiple of 4 KiB; only the piece at the body's end may have a
    /// length that is none. Not durable before `seal`.
    package func append(_ cells: [BufferSlice], at offset: Int) async throws(ShardStorageError) {
        let length = cells.reduce(0) { $0 + $1.count }
        guard offset >= 0, offset % Block.size == 0, offset + length <= header.bodyCapacity else {
            throw .invalid("cells at \(offset), \(length) bytes, in a body of at most \(header.bodyCapacity)")
        }
        try begin(offset, length)
        defer { progress.withLock { $0.appending -= 1 } }
        try disk.state.withLock { state throws(ShardStorageError) in try state.checkWritable() }
        do throws(FileError) {
            let pieces = Self.padded(cells, length: length, disk.pool)
            try await file.write(pieces, at: self.offset + layout.bodyOffset + offset)
        } catch {
            throw disk.fail(error)
        }
    }

    private func begin(_ offset: Int, _ length: Int) throws(ShardStorageError) {
        try progress.withLock { progress throws(ShardStorageError) in
            guard !progress.isOver else { throw .invalid("append to a shard that has ended") }
            progress.appending += 1
            progress.written += length
            progress.end = max(progress.end, offset + length)
        }
    }

    /// The same bytes, with the last block filled up with zeros: direct I/O moves whole blocks.
    private static func padded(_ cells: [BufferSlice], length: Int, _ pool: BufferPool) -> [BufferSlice] {
        let rest = length % Block.size
        guard rest != 0, let last = cells.last, last.count >= rest else { return cells }
        let block = pool.slice(copying: last.slice(last.count - rest..<last.count).copied(), roundedTo: Block.size)
        let head = last.count > rest ? [last.slice(0..<last.count - rest)] : []
        return cells.dropLast() + head + [block]
    }

    /// Ends the shard: durable and visible on return. `leafChecksums` are those of the whole body, in order.
    package func seal(trailer: ShardTrailer, leafChecksums: [UInt32]) async throws(ShardStorageError) {
        _ = try await sealRecord(trailer, leafChecksums)
    }

    func sealRecord(_ trailer: ShardTrailer, _ leafChecksums: [UInt32]) async throws(ShardStorageError) -> IndexEntry {
        let bodyLength = try finish()
        let entry: IndexEntry
        do {
            defer { disk.endWriter(of: header.shard, in: segment) }
            entry = try await sealRecord(trailer, leafChecksums, bodyLength: bodyLength)
        }
        try await disk.structure.run { () async throws(ShardStorageError) in try await disk.finishClosing(segment) }
        return entry
    }

    private func sealRecord(
        _ trailer: ShardTrailer,
        _ leafChecksums: [UInt32],
        bodyLength: Int
    ) async throws(ShardStorageError) -> IndexEntry {
        let end = try ShardDisk.encodeEnd(header, trailer, leafChecksums, bodyLength: bodyLength)
        guard end.trailer.count <= record.trailerCapacity else {
            throw .invalid("trailer of \(end.trailer.count) bytes, room for \(record.trailerCapacity)")
        }
        var bytes = end.table
        bytes += repeatElement(0, count: layout.trailerOffset - layout.tableOffset - bytes.count)
        bytes += end.trailer
        let entry = IndexEntry(
            shard: header.shard,
            writeStamp: header.writeStamp,
            sequence: record.sequence,
            segment: segment,
            offset: offset,
            headerLength: record.headerLength,
            bodyLength: bodyLength,
            bodyCapacity: header.bodyCapacity,
            trailerCapacity: record.trailerCapacity
        )
        try await disk.commitSeal(
            SealItem(
                segment: segment,
                endOffset: offset + layout.tableOffset,
                end: disk.pool.slice(copying: bytes, roundedTo: Block.size),
                entry: entry,
                isCopy: isCopy
            )
        )
        disk.checksums.insert(leafChecksums, segment: segment, offset: offset)
        return entry
    }

    /// Marks the writer as over and gives the body's length.
    private func finish() throws(ShardStorageError) -> Int {
        try progress.withLock { progress throws(ShardStorageError) in
            guard !progress.isOver else { throw .invalid("seal of a shard that has ended") }
            guard progress.appending == 0 else { throw .invalid("seal while cells are being written") }
            guard progress.written == progress.end else { throw .invalid("seal of a body with gaps or overlaps") }
            progress.isOver = true
            return progress.end
        }
    }

    /// Gives the shard up; what was written becomes dead space, and what can be given back is.
    package func abort() async {
        guard end() else { return }
        disk.endWriter(of: header.shard, in: segment)
        await disk.punchBody(segment, file, offset + layout.bodyOffset..<offset + layout.tableOffset)
        try? await disk.structure.run { () async throws(ShardStorageError) in try await disk.finishClosing(segment) }
    }

    private func end() -> Bool {
        progress.withLock { progress in
            defer { progress.isOver = true }
            return !progress.isOver
        }
    }
}
