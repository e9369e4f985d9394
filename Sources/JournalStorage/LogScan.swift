internal import DiskFormat
internal import SystemInterface

/// Finds the batches of a keeper's log files again, oldest file first: a value, without files.
///
/// A batch is written only after the one before it was synced. So any batch that is found later proves that what is
/// before it was durable once: what cannot be read there is rot, is reported and never cut. Only what no later batch
/// vouches for is a torn tail; the log goes on behind its last intact record (DESIGN §6).
struct LogScan: Sendable {
    private(set) var index: KeeperIndex
    /// The number of the next batch.
    private(set) var ordinal: UInt64 = 0
    private var isDamaged = false
    private var hasBegun = false

    init(base: JournalPosition) { index = KeeperIndex(base: base) }

    /// A file whose header cannot be read.
    mutating func skipFile() { isDamaged = true }

    /// A file's contents; returns where the next batch would go if this is the last file.
    mutating func scan(_ bytes: UnsafeRawBufferPointer, header: JournalLogHeader) -> Int {
        begin(header)
        var position = JournalFormat.dataOffset
        while let rest = Self.part(bytes, from: position) {
            if let batch = try? JournalBatch(decoding: rest, salt: header.salt), batch.header.ordinal >= ordinal {
                guard let next = take(batch, at: position, bytes, header) else { return position }
                position = next
            } else if let found = Self.nextBatch(bytes, from: position, salt: header.salt, atLeast: ordinal) {
                isDamaged = true
                position = found
            } else {
                return position
            }
        }
        return position
    }

    /// Call once behind the last file. Unreadable files behind the last readable one leave the end unknown.
    mutating func finish(endsWithUnreadableFile: Bool) {
        index.settle()
        if endsWithUnreadableFile { index.noteUnknownEnd() }
    }

    private mutating func begin(_ header: JournalLogHeader) {
        if !hasBegun {
            index = KeeperIndex(base: index.base, start: header.start)
            if header.startsAnew { index.noteUnknownEnd() }
        } else if header.startsAnew {
            index.startAnew(at: header.start)
        } else if isDamaged || header.firstOrdinal != ordinal || header.start.last != index.last
            || header.start.chain != index.point.chain
        {
            index.bridge(to: header.start)
        }
        hasBegun = true
        isDamaged = false
        ordinal = header.firstOrdinal
    }

    /// Joins a batch whose header is good; returns where the next one is looked for, nil when the log ends before it.
    private mutating func take(
        _ batch: JournalBatch,
        at position: Int,
        _ bytes: UnsafeRawBufferPointer,
        _ header: JournalLogHeader
    ) -> Int? {
        if isDamaged || batch.header.ordinal != ordinal || !joins(batch) {
            index.bridge(to: batch.header.point)
            isDamaged = false
        }
        let isEmptied = batch.records.isEmpty && batch.header.recordCount > 0
        let end = position + JournalFormat.blocks(batch.intactLength)
        if !isEmptied {
            index.join(
                BatchContent(
                    records: batch.records,
                    previous: batch.header.previous,
                    written: batch.header.written
                ),
                at: BatchSpan(file: header.number, offset: position, length: batch.intactLength),
                endChain: batch.endChain
            )
            ordinal = batch.header.ordinal + 1
        }
        guard !batch.isWhole else { return end }
        let after = isEmptied ? position + JournalFormat.blockSize : end
        guard let next = Self.nextBatch(bytes, from: after, salt: header.salt, atLeast: ordinal) else {
            // No batch in this file vouches for it; a later file may, and then says so by its first ordinal.
            return isEmptied ? nil : end
        }
        let isCut =
            !isEmptied
            && Self.part(bytes, from: next).flatMap { rest in
                try? JournalBatchHeader(decoding: rest, salt: header.salt)
            }.map { $0.ordinal == ordinal && $0.chain == batch.endChain } ?? false
        isDamaged = !isCut
        return next
    }

    private func joins(_ batch: JournalBatch) -> Bool {
        batch.header.previous.sequence <= max(index.last.sequence, index.base.sequence)
    }

    /// The first block from `position` on that begins a batch of this use of the file.
    private static func nextBatch(
        _ bytes: UnsafeRawBufferPointer,
        from position: Int,
        salt: UInt64,
        atLeast ordinal: UInt64
    ) -> Int? {
        var position = position
        while let rest = part(bytes, from: position) {
            if let header = try? JournalBatchHeader(decoding: rest, salt: salt), header.ordinal >= ordinal {
                return position
            }
            position += JournalFormat.blockSize
        }
        return nil
    }

    private static func part(_ bytes: UnsafeRawBufferPointer, from position: Int) -> UnsafeRawBufferPointer? {
        guard position + JournalFormat.batchHeaderLength <= bytes.count else { return nil }
        return UnsafeRawBufferPointer(rebasing: bytes[position...])
    }
}

extension JournalBatchHeader {
    /// Where the log stood before this batch; `written` is the batch's own, which is never lower.
    fileprivate var point: JournalLogPoint {
        JournalLogPoint(last: previous, written: written, cuts: cuts, chain: chain)
    }
}
