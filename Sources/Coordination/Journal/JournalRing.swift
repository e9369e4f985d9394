internal import DiskFormat

/// The journal's last records, in memory for keepers that are behind.
struct JournalRing: Sendable {
    private var records: [JournalRecord] = []
    /// Index of the first record that counts; those before it are dropped together, now and then.
    private var head = 0
    private(set) var bytes = 0
    /// The position before the first record here.
    private var before: JournalPosition
    private(set) var last: JournalPosition
    /// The first sequence of each run of records of one incarnation, ascending; kept when the records are dropped.
    private var runs: [(first: UInt64, incarnation: UInt32)]

    init(after position: JournalPosition) {
        before = position
        last = position
        runs = [(position.sequence, position.incarnation)]
    }

    /// The incarnation of the record at `sequence`, also of one that is no longer here.
    func incarnation(at sequence: UInt64) -> UInt32? {
        sequence > last.sequence ? nil : runs.last { $0.first <= sequence }?.incarnation
    }

    mutating func append(_ record: JournalRecord) {
        records.append(record)
        if runs.last?.incarnation != record.position.incarnation {
            runs.append((record.position.sequence, record.position.incarnation))
        }
        bytes += record.payload.count
        last = record.position
    }

    /// The position with this sequence; nil when it is no longer (or not yet) here.
    func position(at sequence: UInt64) -> JournalPosition? {
        if sequence == before.sequence { return before }
        return index(of: sequence).map { records[$0].position }
    }

    /// Records behind `sequence`, at least one and otherwise up to `limit` bytes of payload.
    func records(after sequence: UInt64, limit: Int) -> [JournalRecord] {
        guard var index = index(of: sequence + 1) else { return [] }
        var result: [JournalRecord] = []
        var bytes = 0
        while index < records.count {
            bytes += records[index].payload.count
            guard result.isEmpty || bytes <= limit else { break }
            result.append(records[index])
            index += 1
        }
        return result
    }

    /// Drops what nobody needs from here: durable records that all keepers hold, or that exceed `limit` bytes.
    mutating func drop(upTo committed: UInt64, heldByAll held: UInt64, limit: Int) {
        while head < records.count {
            let record = records[head]
            let sequence = record.position.sequence
            guard sequence <= committed, sequence <= held || bytes > limit else { break }
            bytes -= record.payload.count
            before = record.position
            records[head].payload = []
            head += 1
        }
        // Moving the rest down costs its length: worth it once it is less than what is dropped.
        if head > 1_024 && head * 2 > records.count {
            records.removeFirst(head)
            head = 0
        }
    }

    /// Makes the ring no longer than `limit` bytes, whatever is dropped.
    mutating func shorten(to limit: Int) { drop(upTo: .max, heldByAll: 0, limit: limit) }

    private func index(of sequence: UInt64) -> Int? {
        guard sequence > before.sequence, sequence <= last.sequence else { return nil }
        return head + Int(sequence - before.sequence) - 1
    }
}
