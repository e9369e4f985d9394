internal import Checksums
internal import DiskFormat
internal import ObjectModel
internal import SystemInterface

// Copying live records out of a segment, each verified on the way.
extension ShardDisk {
    /// Bytes of small records written with one sync.
    private static let copyBatchLength = 8 << 20

    func copy(
        _ live: [IndexEntry],
        from segment: SegmentState,
        _ copies: inout SegmentCopies
    ) async throws(ShardStorageError) {
        var batch: [PackedShard] = []
        var length = 0
        for entry in live {
            if segment.header.kind == .aligned {
                try await copyAligned(entry, &copies)
            } else if let shard = try await readPacked(entry, &copies) {
                batch.append(shard)
                length += shard.layout.length
                if length >= Self.copyBatchLength {
                    try await commit(&batch, &copies)
                    length = 0
                }
            }
            if !copies.bad.isEmpty { break }
        }
        try await commit(&batch, &copies)
    }

    private func commit(_ batch: inout [PackedShard], _ copies: inout SegmentCopies) async throws(ShardStorageError) {
        guard !batch.isEmpty else { return }
        let new = try await commitPacked(.shards(batch))
        for (shard, entry) in zip(batch, new) {
            if let old = shard.copiedFrom { copies.pairs.append((old, entry)) }
        }
        batch = []
    }

    /// A record ready to be written again; nil when it is bad, which is noted, or gone.
    private func readPacked(
        _ entry: IndexEntry,
        _ copies: inout SegmentCopies
    ) async throws(ShardStorageError) -> PackedShard? {
        guard let source = try await source(entry, &copies) else { return nil }
        var body: [BufferSlice] = []
        guard try await forEachPiece(source, { body.append($0) }) else {
            copies.bad.append(entry.shard)
            return nil
        }
        let (record, end) = try copyHeader(source)
        return PackedShard(
            header: record,
            body: body,
            end: end.table + end.trailer,
            bodyLength: entry.bodyLength,
            copiedFrom: entry
        )
    }

    private func copyAligned(_ entry: IndexEntry, _ copies: inout SegmentCopies) async throws(ShardStorageError) {
        guard let source = try await source(entry, &copies) else { return }
        let (record, _) = try copyHeader(source)
        let writer = try await reserve(record, copyOf: entry, .reserve)
        do throws(ShardStorageError) {
            var position = 0
            let isGood = try await forEachPiece(source) { piece async throws(ShardStorageError) in
                try await writer.append([piece], at: position)
                position += piece.count
            }
            guard isGood else {
                copies.bad.append(entry.shard)
                await writer.abort()
                return
            }
            copies.pairs.append((entry, try await writer.sealRecord(source.trailer.trailer, source.table)))
        } catch {
            await writer.abort()
            throw error
        }
    }

    /// Everything of a live record but its body, verified.
    private struct Source {
        var entry: IndexEntry
        var header: ShardRecordHeader
        var trailer: ShardRecordTrailer
        var table: [UInt32]
        var check: BodyCheck
    }

    private func source(_ entry: IndexEntry, _ copies: inout SegmentCopies) async throws(ShardStorageError) -> Source? {
        do throws(ShardStorageError) {
            let (header, trailer) = try await readRecord(entry)
            let (file, kind) = try await file(of: entry.segment)
            let check = BodyCheck(
                file: file,
                pool: pool,
                layout: entry.layout(kind),
                offset: entry.offset,
                header: header.header
            )
            let table: [UInt32]?
            do throws(FileError) { table = try await check.table(trailer) } catch { throw Self.readError(error) }
            guard let table else { throw .corrupt("leaf table of \(entry.shard)") }
            return Source(entry: entry, header: header, trailer: trailer, table: table, check: check)
        } catch .corrupt {
            copies.bad.append(entry.shard)
            return nil
        }
    }

    /// Header, table and trailer of the copy: the same values, with no more room than needed.
    private func copyHeader(
        _ source: Source
    ) throws(ShardStorageError) -> (ShardRecordHeader, (table: [UInt8], trailer: [UInt8])) {
        var record = source.header
        record.header.bodyCapacity = source.entry.bodyLength
        let end = try Self.encodeEnd(
            record.header,
            source.trailer.trailer,
            source.table,
            bodyLength: source.entry.bodyLength
        )
        record.trailerCapacity = end.trailer.count
        return (record, end)
    }

    /// Hands out the body in verified pieces; false when a leaf does not match or cannot be read.
    private func forEachPiece(
        _ source: Source,
        _ body: (BufferSlice) async throws(ShardStorageError) -> Void
    ) async throws(ShardStorageError) -> Bool {
        let seed = ShardRecordTrailer.seed(source.header.header)
        var position = 0
        while position < source.entry.bodyLength {
            let count = min(BodyCheck.pieceLength, source.entry.bodyLength - position)
            let piece: BufferSlice?
            do throws(FileError) {
                piece = try await source.check.read(count, at: source.check.layout.bodyOffset + position)
            } catch  where error.code == .gone {
                throw Self.readError(error)
            } catch {
                return false
            }
            let first = position / Leaf.size
            let expected = source.table[first..<first + Leaf.count(of: count)]
            guard let piece else { return false }
            let bad = piece.withBytes { seed.firstMismatch(of: $0, firstLeaf: first, expected: expected) }
            guard bad == nil else { return false }
            try await body(piece)
            position += count
        }
        return true
    }
}
