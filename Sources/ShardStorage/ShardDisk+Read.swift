internal import DiskFormat
package import ObjectModel
internal import Synchronization
package import SystemInterface

/// Bytes of a shard's body with the checksums to verify them by.
///
/// NOT verified: whoever asked, at the far end of the transport, compares each leaf with its checksum (`LeafSeed`,
/// seeded with the shard and `writeStamp`), so that nothing on the way can pass wrong bytes.
package struct ShardRead: Sendable {
    package struct Part: Sendable {
        /// The bytes of the body that are here: the range asked for, widened to whole leaves.
        package var range: Range<Int>
        /// Their bytes in order, each piece a multiple of the leaf size but the last.
        package var bytes: [BufferSlice]
        /// One per leaf of `range`.
        package var leafChecksums: [UInt32]

        package init(range: Range<Int>, bytes: [BufferSlice], leafChecksums: [UInt32]) {
            self.range = range
            self.bytes = bytes
            self.leafChecksums = leafChecksums
        }
    }

    package var writeStamp: UInt64
    package var bodyLength: Int
    /// One per range asked for.
    package var parts: [Part]

    package init(writeStamp: UInt64, bodyLength: Int, parts: [Part]) {
        self.writeStamp = writeStamp
        self.bodyLength = bodyLength
        self.parts = parts
    }
}

extension ShardDisk {
    /// Bytes of one buffer of a read.
    private static let pieceLength = 1 << 20

    /// Reads ranges of a shard's body, each widened to whole leaves. Bytes in memory are taken without waiting.
    package func read(_ shard: ShardID, ranges: [Range<Int>]) async throws(ShardStorageError) -> ShardRead {
        while true {
            let entry = try locate(shard)
            let result: ShardRead
            do throws(ShardStorageError) {
                result = try await read(entry, ranges)
            } catch {
                // Moved or erased meanwhile: not a fault of the disk.
                if index.lookup(shard) != entry { continue }
                throw error
            }
            if index.lookup(shard) == entry { return result }
        }
    }

    /// The same without ever waiting: nil when not everything is in memory.
    package func readNow(_ shard: ShardID, ranges: [Range<Int>]) -> ShardRead? {
        guard let entry = try? locate(shard), let (file, kind) = openFile(entry.segment) else { return nil }
        let layout = entry.layout(kind)
        guard let spans = try? Self.spans(ranges, in: entry),
            let table = cachedTable(entry, layout) ?? readTableNow(entry, layout, file)
        else { return nil }
        var parts: [ShardRead.Part] = []
        for span in spans {
            var pieces: [BufferSlice] = []
            for piece in Self.pieces(of: span) {
                let start = entry.offset + layout.bodyOffset + piece.lowerBound
                if piece.count >= configuration.directReadLength,
                    coldReads.wouldBeFirst(segment: entry.segment, offset: start)
                {
                    return nil
                }
                let buffer = pool.take(piece.count)
                let count = try? file.readIfCached(into: buffer, at: 0, count: piece.count, from: start)
                guard count == piece.count else { return nil }
                pieces.append(buffer.slice(0..<piece.count))
            }
            parts.append(Self.part(span, pieces, table))
        }
        guard index.lookup(shard) == entry else { return nil }
        return ShardRead(writeStamp: entry.writeStamp, bodyLength: entry.bodyLength, parts: parts)
    }

    /// The entry of a shard that is on this disk.
    func locate(_ shard: ShardID) throws(ShardStorageError) -> IndexEntry {
        try state.withLock { state throws(ShardStorageError) in try state.checkReadable() }
        guard let entry = index.lookup(shard) else { throw .notFound(shard) }
        return entry
    }

    private func read(_ entry: IndexEntry, _ ranges: [Range<Int>]) async throws(ShardStorageError) -> ShardRead {
        let spans = try Self.spans(ranges, in: entry)
        let (file, kind) = try await file(of: entry.segment)
        let layout = entry.layout(kind)
        let table = try await table(entry, layout, file)
        var parts: [ShardRead.Part] = []
        for span in spans {
            var pieces: [BufferSlice] = []
            for piece in Self.pieces(of: span) {
                let offset = entry.offset + layout.bodyOffset + piece.lowerBound
                pieces.append(try await readBody(piece.count, at: offset, of: file, in: entry.segment))
            }
            parts.append(Self.part(span, pieces, table))
        }
        return ShardRead(writeStamp: entry.writeStamp, bodyLength: entry.bodyLength, parts: parts)
    }

    /// Ranges of a body, widened to whole leaves.
    private static func spans(_ ranges: [Range<Int>], in entry: IndexEntry) throws(ShardStorageError) -> [Range<Int>] {
        var spans: [Range<Int>] = []
        for range in ranges {
            guard range.lowerBound >= 0, range.upperBound <= entry.bodyLength else {
                throw .invalid("range \(range) of a body of \(entry.bodyLength) bytes")
            }
            let start = range.lowerBound / Leaf.size * Leaf.size
            let end = min(entry.bodyLength, (range.upperBound + Leaf.size - 1) / Leaf.size * Leaf.size)
            spans.append(range.isEmpty ? range : start..<end)
        }
        return spans
    }

    private static func pieces(of span: Range<Int>) -> [Range<Int>] {
        stride(from: span.lowerBound, to: span.upperBound, by: pieceLength).map {
            $0..<min($0 + pieceLength, span.upperBound)
        }
    }

    private static func part(_ span: Range<Int>, _ pieces: [BufferSlice], _ table: [UInt32]) -> ShardRead.Part {
        let leaves = span.lowerBound / Leaf.size..<Leaf.count(of: span.upperBound)
        let checksums = span.isEmpty ? [] : Array(table[leaves])
        return ShardRead.Part(range: span, bytes: pieces, leafChecksums: checksums)
    }

    /// Reads exactly `count` bytes, from memory where they are.
    func read(_ count: Int, at offset: Int, of file: any File) async throws(ShardStorageError) -> BufferSlice {
        let buffer = pool.take(max(count, 1))
        do throws(FileError) {
            let cached = try file.readIfCached(into: buffer, at: 0, count: count, from: offset)
            if cached == count { return buffer.slice(0..<count) }
            if try await file.read(into: buffer, at: 0, count: count, from: offset) == count {
                return buffer.slice(0..<count)
            }
        } catch {
            throw Self.readError(error)
        }
        throw .corrupt("segment cut short at \(offset)")
    }

    /// Reads bytes of a body: long ones past the page cache the first time, through it from the second on.
    private func readBody(
        _ count: Int,
        at offset: Int,
        of file: any File,
        in segment: UInt64
    ) async throws(ShardStorageError) -> BufferSlice {
        guard count >= configuration.directReadLength else { return try await read(count, at: offset, of: file) }
        do throws(FileError) {
            // Not even asked for in the page cache: Linux starts to fill it when asked (RWF_NOWAIT reads ahead).
            if coldReads.isFirst(segment: segment, offset: offset) {
                let direct = try await directFile(of: segment)
                if let bytes = try await direct.readBlocks(count, at: offset, pool) { return bytes }
                throw FileError(.other, operation: "read", path: SegmentState.path(segment))
            }
        } catch {
            throw Self.readError(error)
        }
        return try await read(count, at: offset, of: file)
    }

    private func directFile(of segment: UInt64) async throws(FileError) -> any File {
        if let file = state.withLock({ $0.directFiles[segment] }) { return file }
        let file = try await fileSystem.open(SegmentState.path(segment), .read.direct())
        state.withLock { state in
            if state.directFiles.count >= configuration.openFileLimit { state.directFiles = [:] }
            if state.segments[segment] != nil { state.directFiles[segment] = file }
        }
        return file
    }

    /// A read that fails says nothing of the rest of the disk: the shard counts as corrupt, and repair decides.
    static func readError(_ error: FileError) -> ShardStorageError {
        switch error.code {
        case .gone: .diskFailed(error.description)
        default: .corrupt(error.description)
        }
    }

    // MARK: Leaf tables

    private func cachedTable(_ entry: IndexEntry, _ layout: RecordLayout) -> [UInt32]? {
        if entry.bodyLength == 0 { return [] }
        return checksums.table(segment: entry.segment, offset: entry.offset)
    }

    private func table(
        _ entry: IndexEntry,
        _ layout: RecordLayout,
        _ file: any File
    ) async throws(ShardStorageError) -> [UInt32] {
        if let table = cachedTable(entry, layout) { return table }
        let length = Self.provenTableLength(layout)
        let bytes = try await read(length, at: entry.offset + layout.tableOffset, of: file)
        guard let table = keep(bytes, entry, layout) else {
            throw .corrupt("leaf table of \(entry.shard) without its checksum")
        }
        return table
    }

    /// The table, and as much of the trailer behind it as proves it.
    private static func provenTableLength(_ layout: RecordLayout) -> Int {
        layout.trailerOffset - layout.tableOffset + ShardRecordTrailer.tableChecksumEnd
    }

    private func readTableNow(_ entry: IndexEntry, _ layout: RecordLayout, _ file: any File) -> [UInt32]? {
        let length = Self.provenTableLength(layout)
        let buffer = pool.take(length)
        let offset = entry.offset + layout.tableOffset
        guard let count = try? file.readIfCached(into: buffer, at: 0, count: length, from: offset), count == length
        else { return nil }
        return keep(buffer.slice(0..<length), entry, layout)
    }

    /// Only what its checksum proves is kept: bytes that a disk once read wrong would make a good shard a bad one for
    /// every reader, and for none who verifies it, until they leave the cache.
    private func keep(_ bytes: BufferSlice, _ entry: IndexEntry, _ layout: RecordLayout) -> [UInt32]? {
        let length = 4 * Leaf.count(of: entry.bodyLength)
        let isProven = bytes.withBytes { bytes in
            ShardRecordTrailer.proves(
                UnsafeRawBufferPointer(rebasing: bytes[..<length]),
                trailer: UnsafeRawBufferPointer(rebasing: bytes[(layout.trailerOffset - layout.tableOffset)...]),
                shard: entry.shard,
                writeStamp: entry.writeStamp
            )
        }
        guard isProven else { return nil }
        let table = Self.decodeTable(bytes.slice(0..<length))
        checksums.insert(table, segment: entry.segment, offset: entry.offset)
        return table
    }

    static func decodeTable(_ bytes: BufferSlice) -> [UInt32] {
        bytes.withBytes { bytes in
            (0..<bytes.count / 4).map { number in
                UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: 4 * number, as: UInt32.self))
            }
        }
    }

    // MARK: Files

    /// The file of a segment if it is open.
    private func openFile(_ segment: UInt64) -> (any File, SegmentKind)? {
        state.withLock { state in
            guard let kind = state.segments[segment]?.header.kind, let file = state.readFile(segment) else {
                return nil
            }
            return (file, kind)
        }
    }

    /// The file of a segment, opened for reading where it is not open.
    func file(of segment: UInt64) async throws(ShardStorageError) -> (any File, SegmentKind) {
        if let open = openFile(segment) { return open }
        guard let kind = state.withLock({ $0.segments[segment]?.header.kind }) else {
            throw .corrupt("segment \(segment) is gone")
        }
        do throws(FileError) {
            let file = try await fileSystem.open(SegmentState.path(segment), .read)
            state.withLock { state in
                guard state.segments[segment] != nil else { return }
                state.keepForReading(file, of: segment, limit: configuration.openFileLimit)
            }
            return (file, kind)
        } catch {
            throw Self.readError(error)
        }
    }
}
