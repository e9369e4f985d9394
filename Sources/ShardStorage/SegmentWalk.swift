internal import Checksums
internal import DiskFormat
internal import ObjectModel
internal import SystemInterface

/// Finds the records of a segment that has no valid footer: header to header (`Docs/DiskFormat.md`, Recovery).
struct SegmentWalk {
    let header: SegmentHeader
    private var window: FileWindow
    private let file: any File
    private let pool: BufferPool

    /// Shards and tombstones in order; sealed says whether a valid trailer is there.
    private(set) var entries: [SegmentFooter.Entry] = []
    /// Offsets of sealed records with a leaf that does not match.
    private(set) var damaged: Set<Int> = []
    private(set) var rot: [Range<Int>] = []
    /// Behind the last valid record.
    private(set) var end = SegmentHeader.recordsOffset
    /// Behind the last byte of the tail that is not zero; nil when the tail is all zeros.
    private(set) var tailEnd: Int?
    private(set) var highestSequence: UInt64 = 0
    /// False when something of a later version is in it.
    private(set) var isMovable = true
    /// False when records may lie where the medium cannot be read: another walk may find more.
    private(set) var isWhole = true

    /// Blocks that were met and could not be read; in bodies as well.
    var unreadable: Set<Range<Int>> { window.unreadable }

    /// Bytes read at a time.
    private static let windowLength = 1 << 20
    private static let alignedWindowLength = 64 << 10

    init(header: SegmentHeader, file: any File, length: Int, pool: BufferPool) {
        self.header = header
        self.file = file
        self.pool = pool
        let size = header.kind == .packed ? Self.windowLength : Self.alignedWindowLength
        window = FileWindow(file: file, length: length, size: size, pool: pool)
    }

    mutating func run() async throws(FileError) {
        var position = SegmentHeader.recordsOffset
        while position < window.length {
            if let next = try await record(at: position) {
                position = next
                end = next
            } else if let next = try await nextHeader(after: position) {
                rot.append(position..<next)
                position = next
            } else {
                break
            }
        }
        if end < window.length { tailEnd = try await window.endOfContent(in: end..<window.length) }
        let unknown =
            rot + entries.filter { !$0.isSealed }.map { $0.offset..<$0.offset + $0.length }
            + [end..<max(end, window.length)]
        isWhole = !window.unreadable.contains { hidden in unknown.contains { $0.overlaps(hidden) } }
    }

    /// Takes the record at `position` in; returns where the next begins, nil when there is no valid header.
    private mutating func record(at position: Int) async throws(FileError) -> Int? {
        let bytes = try await window.bytes(at: position, count: RecordHead.maximumHeaderLength)
        let place = self.header.place(position)
        guard let (header, head) = try? RecordHeader.decode(bytes, at: place, in: self.header.kind) else { return nil }
        highestSequence = max(highestSequence, head.sequence)
        switch header {
        case .shard(let shard):
            guard position + head.recordLength <= window.length else { return nil }
            try await take(shard, at: position)
        case .tombstone(let tombstone):
            take(tombstone, at: position)
        case .footer, .supersededMark:
            break
        case .unknown:
            isMovable = false
        }
        if head.features.readOnly != 0 { isMovable = false }
        return position + head.recordLength
    }

    private mutating func take(_ tombstone: Tombstone, at position: Int) {
        entries.append(SegmentFooter.Entry(tombstone, at: position))
    }

    private mutating func take(_ shard: ShardRecordHeader, at position: Int) async throws(FileError) {
        let layout = shard.layout(in: header.kind)
        let bytes = try await window.bytes(at: position + layout.trailerOffset, count: shard.trailerCapacity)
        let trailer = try? ShardRecordTrailer.decode(bytes, shard.header)
        entries.append(
            SegmentFooter.Entry(
                content: .shard(
                    bodyLength: trailer?.bodyLength ?? 0,
                    bodyCapacity: shard.header.bodyCapacity,
                    trailerCapacity: shard.trailerCapacity,
                    headerLength: shard.headerLength
                ),
                isSealed: trailer != nil,
                offset: position,
                length: layout.length,
                shard: shard.header.shard,
                writeStamp: shard.header.writeStamp,
                sequence: shard.sequence
            )
        )
        guard let trailer else { return }
        let check = BodyCheck(file: file, pool: pool, layout: layout, offset: position, header: shard.header)
        if try await !isGood(trailer, check) { damaged.insert(position) }
    }

    /// A body that the medium cannot give counts as bad: its shard is here, and repaired when it is met.
    private func isGood(_ trailer: ShardRecordTrailer, _ check: BodyCheck) async throws(FileError) -> Bool {
        do throws(FileError) {
            return try await check.isGood(trailer)
        } catch  where error.code != .medium {
            throw error
        } catch {
            return false
        }
    }

    /// The next valid header behind `position`.
    private mutating func nextHeader(after position: Int) async throws(FileError) -> Int? {
        let step = header.kind.alignment
        var start = position + step
        while start + RecordHead.length <= window.length {
            // What is looked through overlaps the next by a head, so that none lies across the border.
            let bytes = try await window.bytes(at: start, count: Self.windowLength)
            guard let offset = RecordHead.candidate(in: bytes, step: step) else {
                start += max(step, (bytes.count - RecordHead.length) / step * step)
                continue
            }
            if try await isHeader(at: start + offset) { return start + offset }
            start += offset + step
        }
        return nil
    }

    private mutating func isHeader(at position: Int) async throws(FileError) -> Bool {
        let bytes = try await window.bytes(at: position, count: RecordHead.maximumHeaderLength)
        guard let found = try? RecordHeader.decode(bytes, at: header.place(position), in: header.kind) else {
            return false
        }
        return position + found.head.recordLength <= window.length
    }
}

/// Compares a record's body with its leaf table.
struct BodyCheck {
    let file: any File
    let pool: BufferPool
    let layout: RecordLayout
    /// Of the record.
    let offset: Int
    let header: ShardHeader

    /// Bytes read at a time: whole leaves.
    static let pieceLength = 1 << 20

    /// Whether table and leaves are as the trailer says. Throws only when the medium cannot be read.
    func isGood(_ trailer: ShardRecordTrailer) async throws(FileError) -> Bool {
        guard let table = try await table(trailer) else { return false }
        let seed = ShardRecordTrailer.seed(header)
        var position = 0
        while position < trailer.bodyLength {
            let count = min(Self.pieceLength, trailer.bodyLength - position)
            guard let piece = try await read(count, at: layout.bodyOffset + position) else { return false }
            let first = position / Leaf.size
            let expected = table[first..<first + Leaf.count(of: count)]
            let bad = piece.withBytes { seed.firstMismatch(of: $0, firstLeaf: first, expected: expected) }
            if bad != nil { return false }
            position += count
        }
        return true
    }

    /// The leaf table, when it is what the trailer says.
    func table(_ trailer: ShardRecordTrailer) async throws(FileError) -> [UInt32]? {
        guard let bytes = try await read(4 * Leaf.count(of: trailer.bodyLength), at: layout.tableOffset),
            bytes.withBytes({ ShardRecordTrailer.tableChecksum($0, header) }) == trailer.tableChecksum
        else { return nil }
        return ShardDisk.decodeTable(bytes)
    }

    /// Bytes of the record; nil when the file ends before.
    func read(_ count: Int, at position: Int) async throws(FileError) -> BufferSlice? {
        try await file.readBlocks(count, at: offset + position, pool)
    }
}
