internal import DiskFormat
internal import ObjectModel
internal import SystemInterface

/// Whole records that go to the medium with one contiguous write.
struct PackedBatch: Sendable {
    private enum Record: Sendable {
        case shard(PackedShard)
        case tombstone(Tombstone)
    }

    let segment: SegmentHeader
    let file: any File
    let offset: Int
    private let length: Int
    /// What lies before the batch in its first block; nil when that is not known.
    private let prefix: [UInt8]?
    private var records: [Record] = []
    /// By item: the entries of its records (none for tombstones).
    private(set) var entries: [[IndexEntry]] = []
    /// Those that become live with this batch.
    private(set) var published: [IndexEntry] = []
    private var position: Int

    init(segment: SegmentHeader, file: any File, offset: Int, length: Int, prefix: [UInt8]?) {
        self.segment = segment
        self.file = file
        self.offset = offset
        self.length = length
        self.prefix = prefix
        position = offset
    }

    // MARK: Placing

    mutating func add(_ item: PackedItem, _ state: inout DiskState) {
        switch item {
        case .shards(let shards):
            entries.append(shards.map { add($0, &state) })
        case .tombstones(let tombstones):
            for tombstone in tombstones { add(tombstone, &state) }
            entries.append([])
        }
    }

    private mutating func add(_ shard: PackedShard, _ state: inout DiskState) -> IndexEntry {
        var shard = shard
        shard.header.sequence = shard.copiedFrom?.sequence ?? state.takeSequence()
        let header = shard.header
        let values = header.header
        let length = shard.layout.length
        let record = SegmentFooter.Entry(
            content: .shard(
                bodyLength: shard.bodyLength,
                bodyCapacity: values.bodyCapacity,
                trailerCapacity: header.trailerCapacity,
                headerLength: header.headerLength
            ),
            isSealed: false,
            offset: position,
            length: length,
            shard: values.shard,
            writeStamp: values.writeStamp,
            sequence: header.sequence
        )
        state.segments[segment.segment]?.append(record)
        let entry = IndexEntry(
            shard: values.shard,
            writeStamp: values.writeStamp,
            sequence: header.sequence,
            segment: segment.segment,
            offset: position,
            headerLength: header.headerLength,
            bodyLength: shard.bodyLength,
            bodyCapacity: values.bodyCapacity,
            trailerCapacity: header.trailerCapacity
        )
        if shard.copiedFrom == nil { published.append(entry) }
        records.append(.shard(shard))
        position += length
        return entry
    }

    private mutating func add(_ tombstone: Tombstone, _ state: inout DiskState) {
        var tombstone = tombstone
        tombstone.sequence = state.takeSequence()
        state.segments[segment.segment]?.append(SegmentFooter.Entry(tombstone, at: position))
        records.append(.tombstone(tombstone))
        position += Tombstone.recordLength
    }

    // MARK: Encoding

    /// What is written where, and the bytes behind the last whole block, which the next batch repeats.
    struct Encoded: Sendable {
        var piece: BufferSlice
        var offset: Int
        var tail: [UInt8]?
    }

    /// The batch in one buffer. From `directFrom` bytes on whole blocks are written, past the page cache: the first
    /// with the bytes that lie there already, the last filled up with zeros. Smaller batches are written as they are.
    func encoded(_ pool: BufferPool, directFrom: Int) -> Encoded {
        let head = prefix?.count ?? 0
        let end = head + length
        let buffer = pool.take(Block.rounded(end))
        var filler = BufferFiller(target: buffer.mutableBytes)
        filler.append(prefix ?? [])
        var place = segment.place(offset)
        for record in records {
            switch record {
            case .shard(let shard):
                filler.append(shard.header.encoded(at: place, in: .packed))
                for slice in shard.body { slice.withBytes { filler.append($0) } }
                filler.append(shard.end)
                place.offset += shard.layout.length
            case .tombstone(let tombstone):
                filler.append(tombstone.encoded(at: place))
                place.offset += Tombstone.recordLength
            }
            filler.fill(to: head + place.offset - offset)
        }
        filler.fill(to: Block.rounded(end))
        let tail = prefix == nil ? nil : Array(buffer.mutableBytes[end / Block.size * Block.size..<end])
        if prefix != nil, length >= directFrom {
            return Encoded(piece: buffer.slice(0..<Block.rounded(end)), offset: offset - head, tail: tail)
        }
        return Encoded(piece: buffer.slice(head..<end), offset: offset, tail: tail)
    }
}

/// Fills a buffer from its beginning.
private struct BufferFiller {
    let target: UnsafeMutableRawBufferPointer
    private var count = 0

    init(target: UnsafeMutableRawBufferPointer) { self.target = target }

    mutating func append(_ bytes: [UInt8]) { bytes.withUnsafeBytes { append($0) } }

    mutating func append(_ bytes: UnsafeRawBufferPointer) {
        UnsafeMutableRawBufferPointer(rebasing: target[count..<count + bytes.count]).copyMemory(from: bytes)
        count += bytes.count
    }

    /// Zeros up to `end`.
    mutating func fill(to end: Int) {
        guard end > count else { return }
        UnsafeMutableRawBufferPointer(rebasing: target[count..<end]).initializeMemory(as: UInt8.self, repeating: 0)
        count = end
    }
}
