internal import DiskFormat
internal import ObjectModel
internal import SystemInterface

/// What a segment is to this process.
enum SegmentPhase: Sendable {
    /// Records are appended.
    case open
    /// Takes no more reservations; its footer comes when the last writer has ended.
    case closing
    /// Ends with a footer, or is left alone as it was found.
    case closed
    /// Its live records lie elsewhere; since when, on the monotonic clock.
    case superseded(MonotonicTime)
}

/// One segment as the disk's state holds it.
struct SegmentState: Sendable {
    let header: SegmentHeader
    /// For writing, and for reading meanwhile; nil once closed.
    var file: (any File)?
    var phase: SegmentPhase
    /// Where the next record goes; of a closed segment, where its records end.
    var end: Int
    /// Bytes of the file that have room.
    var allocated: Int
    /// Records so far, for the footer; empty once closed.
    var entries: [SegmentFooter.Entry] = []
    /// Bytes of records that the index points to.
    var liveBytes = 0
    /// Bytes of dead bodies that have been given back already.
    var punchedBytes = 0
    /// Reserved records that are neither sealed nor given up.
    var openWriters = 0
    /// Headers of reserved records that have not been written, in order of offset.
    var pendingHeaders: [PendingHeader] = []
    /// Packed and open: the bytes behind the last whole block; nil when they are not known.
    var tail: [UInt8]?
    /// False where something in it is of a later version, or unreadable: never compacted.
    var isMovable = true
    /// How many segments had been removed when compaction last found nothing worth moving here.
    var passedOverAt: Int?
    /// Open: where it was seen to end, and since when.
    var quiet: Quiet?

    struct Quiet: Sendable {
        var end: Int
        var since: MonotonicTime
    }

    struct PendingHeader: Sendable {
        var offset: Int
        var bytes: [UInt8]
    }

    init(header: SegmentHeader, file: (any File)?, phase: SegmentPhase, end: Int, allocated: Int) {
        self.header = header
        self.file = file
        self.phase = phase
        self.end = end
        self.allocated = allocated
    }

    var id: UInt64 { header.segment }
    var path: String { Self.path(header.segment) }

    static func path(_ segment: UInt64) -> String { "\(DiskFolder.segments)/\(SegmentHeader.fileName(segment))" }

    /// Bytes of records that still take room.
    var occupiedBytes: Int { max(0, end - SegmentHeader.recordsOffset - punchedBytes) }

    /// Bytes that compaction would bring back.
    var deadBytes: Int { max(0, occupiedBytes - liveBytes) }

    var isSuperseded: Bool { if case .superseded = phase { true } else { false } }
    var isOpen: Bool { if case .open = phase { true } else { false } }
    var isClosing: Bool { if case .closing = phase { true } else { false } }

    /// The end of the file if `count` more records of `length` bytes in all came, with the footer behind them.
    func endWithFooter(adding length: Int, count: Int) -> Int {
        end + length + SegmentFooter.length(entryCount: entries.count + count, in: header.kind)
    }

    /// Whether so many records still belong here: an empty segment takes anything.
    func accepts(_ length: Int, count: Int) -> Bool {
        entries.isEmpty || endWithFooter(adding: length, count: count) <= header.plannedLength
    }

    /// Where the next record of an open segment goes, without the table of its records: whoever holds that table while
    /// a record is appended makes the append copy all of it.
    struct Room: Sendable {
        var header: SegmentHeader
        var file: any File
        var end: Int
        var tail: [UInt8]?
    }

    /// Room for `count` more records of `length` bytes in all; nil when there is none.
    func room(for length: Int, count: Int) -> Room? {
        guard let file, accepts(length, count: count), endWithFooter(adding: length, count: count) <= allocated else {
            return nil
        }
        return Room(header: header, file: file, end: end, tail: tail)
    }

    /// Takes room for a record and notes it; the caller has checked that there is room.
    mutating func append(_ entry: SegmentFooter.Entry) {
        entries.append(entry)
        end = entry.offset + entry.length
    }

    mutating func seal(offset: Int, bodyLength: Int) {
        guard let position = position(of: offset),
            case .shard(_, let capacity, let trailer, let header) = entries[position].content
        else { return }
        entries[position].isSealed = true
        entries[position].content = .shard(
            bodyLength: bodyLength,
            bodyCapacity: capacity,
            trailerCapacity: trailer,
            headerLength: header
        )
    }

    private func position(of offset: Int) -> Int? {
        var low = 0
        var high = entries.count
        while low < high {
            let middle = (low + high) / 2
            if entries[middle].offset < offset { low = middle + 1 } else { high = middle }
        }
        return low < entries.count && entries[low].offset == offset ? low : nil
    }
}

/// Names in a disk's folder.
package enum DiskFolder {
    package static let identity = "disk"
    static let newIdentity = "disk.new"
    /// Written and removed again, to see whether a disk takes writes.
    static let probe = "probe"
    package static let lock = "lock"
    package static let segments = "segments"
    package static let reserve = "reserve"
    package static let index = "index"
    package static let journal = "journal"
    /// What file systems put at their root themselves.
    static let foreign = ["lost+found"]
}

extension IndexEntry {
    var layout: (SegmentKind) -> RecordLayout {
        { kind in
            RecordLayout(
                kind: kind,
                headerLength: headerLength,
                bodyCapacity: bodyCapacity,
                trailerCapacity: trailerCapacity
            )
        }
    }

    /// The entry for a sealed shard of a footer's table; nil for anything else.
    init?(_ entry: SegmentFooter.Entry, in segment: UInt64) {
        guard entry.isSealed,
            case .shard(let bodyLength, let capacity, let trailer, let headerLength) = entry.content
        else { return nil }
        self.init(
            shard: entry.shard,
            writeStamp: entry.writeStamp,
            sequence: entry.sequence,
            segment: segment,
            offset: entry.offset,
            headerLength: headerLength,
            bodyLength: bodyLength,
            bodyCapacity: capacity,
            trailerCapacity: trailer
        )
    }
}

extension SegmentFooter.Entry {
    /// The entry of a tombstone that lies at `offset`.
    init(_ tombstone: Tombstone, at offset: Int) {
        self.init(
            content: .tombstone(deadSequence: tombstone.deadSequence, deadSegment: tombstone.deadSegment),
            isSealed: true,
            offset: offset,
            length: Tombstone.recordLength,
            shard: tombstone.shard,
            writeStamp: tombstone.deadStamp,
            sequence: tombstone.sequence
        )
    }
}
