internal import ClusterProtocol
internal import DiskFormat

/// What a keeper's log holds, without the records: a value, changed by the same steps when a batch is written and when
/// it is found again at start.
struct KeeperIndex: Sendable {
    private(set) var base = JournalPosition.origin
    private(set) var point = JournalLogPoint.origin
    /// Ascending; between them only trimmed and damaged records.
    private(set) var batches: [BatchPlace] = []
    private(set) var damaged: [Range<UInt64>] = []
    /// The first sequence of each run of records of one incarnation, ascending.
    private var runs: [(first: UInt64, incarnation: UInt32)] = []

    var last: JournalPosition { point.last }
    var written: UInt32 { point.written }
    var hasUnknownEnd: Bool { damaged.last?.upperBound == .max }

    /// The log as recovery begins with it: `base` is already the latest, `start` where the first file begins.
    init(base: JournalPosition = .origin, start: JournalLogPoint = .origin) {
        self.base = base
        point = start
        if start.last.sequence > base.sequence { damaged = [base.sequence + 1..<start.last.sequence + 1] }
    }

    /// The last step of recovery: what the checkpoint covers is gone.
    mutating func settle() {
        let held = runs.last { $0.first <= base.sequence }?.incarnation
        let isOfThisLog = held == nil || held == base.incarnation || isDamaged(base.sequence)
        let hadUnknownEnd = hasUnknownEnd
        if last.sequence < base.sequence || !isOfThisLog { cut(to: base) }
        batches.removeAll { $0.last <= base.sequence }
        clipDamage(hadUnknownEnd: hadUnknownEnd)
    }

    /// Damage that the checkpoint covers is none.
    private mutating func clipDamage(hadUnknownEnd: Bool) {
        damaged = damaged.compactMap { range in
            guard range.upperBound > base.sequence + 1, range.upperBound != .max else { return nil }
            return max(range.lowerBound, base.sequence + 1)..<range.upperBound
        }
        if hadUnknownEnd { noteUnknownEnd() }
    }

    // MARK: Changes

    /// A batch is durable at `span`: what was behind its `previous` is replaced by its records. The next one is chained
    /// to `endChain`.
    mutating func join(_ batch: BatchContent, at span: BatchSpan, endChain: UInt32) {
        let hadUnknownEnd = hasUnknownEnd
        cut(to: batch.previous)
        if let first = batch.records.first?.position.sequence {
            batches.append(BatchPlace(span: span, first: first, count: batch.records.count))
        }
        for record in batch.records { advance(to: record.position) }
        point.written = batch.written
        point.chain = endChain
        if hadUnknownEnd && !batch.isMark { noteUnknownEnd() }
    }

    /// The log holds the record at `position`, too, right behind its last.
    private mutating func advance(to position: JournalPosition) {
        point.last = position
        if runs.last?.incarnation != position.incarnation { runs.append((position.sequence, position.incarnation)) }
    }

    /// The log ends at `position`; a position beyond the end skips what the checkpoint covers.
    private mutating func cut(to position: JournalPosition) {
        if position.sequence < last.sequence { point.cuts &+= 1 }
        if position.sequence > last.sequence { runs.append((position.sequence, position.incarnation)) }
        while let run = runs.last, run.first > position.sequence { runs.removeLast() }
        // Behind a checkpoint that named another record here than this log held: what held it counts no more.
        if runs.last?.incarnation != position.incarnation { runs.append((position.sequence, position.incarnation)) }
        while let batch = batches.last, batch.first > position.sequence { batches.removeLast() }
        if let index = batches.indices.last, batches[index].last > position.sequence {
            batches[index].count = Int(position.sequence - batches[index].first) + 1
        }
        damaged = damaged.compactMap { range in
            guard range.upperBound > position.sequence + 1 else { return range }
            return range.lowerBound > position.sequence ? nil : range.lowerBound..<position.sequence + 1
        }
        point.last = position
    }

    /// Batches are unreadable between here and `next`, where the log stood at `next.last`.
    mutating func bridge(to next: JournalLogPoint) {
        if next.cuts == point.cuts && next.last.sequence >= last.sequence {
            if next.last.sequence > last.sequence { addDamage(last.sequence + 1..<next.last.sequence + 1) }
        } else {
            // Something was cut off in between: nobody can say from where on.
            batches = []
            runs = []
            damaged = next.last.sequence > base.sequence ? [base.sequence + 1..<next.last.sequence + 1] : []
        }
        runs.append((next.last.sequence, next.last.incarnation))
        point = next
    }

    /// The log ends at `start`, and more may be missing.
    mutating func startAnew(at start: JournalLogPoint) {
        cut(to: start.last)
        point = start
        noteUnknownEnd()
    }

    mutating func noteUnknownEnd() {
        if hasUnknownEnd { damaged.removeLast() }
        damaged.append(last.sequence + 1..<UInt64.max)
    }

    /// Records that could be read when the log was opened cannot be read any more.
    mutating func addDamage(_ range: Range<UInt64>) {
        damaged.append(range)
        damaged.sort { $0.lowerBound < $1.lowerBound }
        var joined: [Range<UInt64>] = []
        for range in damaged {
            if let end = joined.last, range.lowerBound <= end.upperBound {
                joined[joined.count - 1] = end.lowerBound..<max(end.upperBound, range.upperBound)
            } else {
                joined.append(range)
            }
        }
        damaged = joined
    }

    /// Everything up to `position` is in a checkpoint. A log that ends before it, or that holds another record there,
    /// goes on behind it.
    mutating func trim(to position: JournalPosition) {
        guard position.sequence > base.sequence else { return }
        let isOfThisLog =
            position.sequence <= last.sequence && incarnation(at: position.sequence) == position.incarnation
        let hadUnknownEnd = hasUnknownEnd
        base = position
        if isOfThisLog || isDamaged(position.sequence) && position.sequence < last.sequence {
            batches.removeAll { $0.last <= position.sequence }
        } else {
            if position.sequence < last.sequence { point.cuts &+= 1 }
            batches = []
            runs = [(position.sequence, position.incarnation)]
            point.last = position
        }
        clipDamage(hadUnknownEnd: hadUnknownEnd)
    }

    // MARK: Questions

    func isDamaged(_ sequence: UInt64) -> Bool { damaged.contains { $0.contains(sequence) } }

    /// The incarnation of the record at `sequence`; nil when there is none or it is unreadable.
    func incarnation(at sequence: UInt64) -> UInt32? {
        if sequence == base.sequence { return base.incarnation }
        if sequence == last.sequence { return last.incarnation }
        guard sequence > base.sequence, sequence < last.sequence, !isDamaged(sequence) else { return nil }
        return runs.last { $0.first <= sequence }?.incarnation
    }

    /// The batch that holds the record, by bisection.
    func batch(holding sequence: UInt64) -> Int? {
        var low = 0
        var high = batches.count
        while low < high {
            let middle = (low + high) / 2
            if batches[middle].last < sequence { low = middle + 1 } else { high = middle }
        }
        return low < batches.count && batches[low].first <= sequence ? low : nil
    }

    // MARK: Decisions

    /// What an append comes to.
    enum Plan {
        /// All of it is here already.
        case nothing
        case write(BatchContent)
    }

    /// Decides on an append by `incarnation`, whose right to write has been checked: which of the records are new here,
    /// and where they join.
    func plan(
        _ records: [JournalRecord],
        after previous: JournalPosition,
        incarnation: UInt32
    ) throws(KeeperError) -> Plan {
        guard previous.sequence <= last.sequence else { throw .gap(expected: last.sequence + 1) }
        if previous.sequence >= base.sequence { try checkPrevious(previous) }
        guard !records.isEmpty else {
            guard previous.sequence >= base.sequence else { throw .trimmed(base) }
            guard written < incarnation || hasUnknownEnd else { return .nothing }
            return .write(BatchContent(records: [], previous: previous, written: incarnation))
        }
        var joint = previous
        var index = 0
        // A record has one identity for ever, and records of one identity have the same ones before them.
        while index < records.count, isHeld(records[index].position) {
            joint = records[index].position
            index += 1
        }
        guard index < records.count else { return .nothing }
        guard joint.sequence >= base.sequence else { throw .trimmed(base) }
        return .write(BatchContent(records: Array(records[index...]), previous: joint, written: written))
    }

    private func checkPrevious(_ previous: JournalPosition) throws(KeeperError) {
        let sequence = previous.sequence
        if sequence != last.sequence, sequence != base.sequence,
            let range = damaged.first(where: { $0.contains(sequence) })
        {
            throw .damaged(range)
        }
        guard incarnation(at: sequence) != previous.incarnation else { return }
        // No record of the other incarnation is common to both logs only before that incarnation's first.
        let run = runs.last { $0.first <= sequence }?.first ?? base.sequence + 1
        throw .mismatch(sequence: max(base.sequence + 1, min(run, sequence)) - 1)
    }

    private func isHeld(_ position: JournalPosition) -> Bool {
        if position.sequence < base.sequence { return true }
        guard position.sequence <= last.sequence, !isDamaged(position.sequence) else { return false }
        return incarnation(at: position.sequence) == position.incarnation
    }
}
