internal import ClusterProtocol
internal import DiskFormat
internal import SystemInterface

// What writes and reads the log's files. Every function here runs alone, inside one call.
extension KeeperLog {
    /// Writes one batch in one piece, makes it durable, then takes it into the index.
    func write(_ batch: BatchContent, _ state: inout State) async throws(KeeperError) {
        let room = Self.room(for: batch)
        if needsNewLog(state) {
            try await roll(room: room, startsAnew: true, &state)
        } else if state.logs.last.map({ state.offset + room > $0.length }) ?? true {
            try await roll(room: room, startsAnew: false, &state)
        }
        guard let log = state.logs.last else { throw .invalid("the keeper has no log file") }
        let (bytes, endChain) = JournalBatch.encode(
            batch.records,
            after: batch.previous,
            written: batch.written,
            point: state.index.point,
            ordinal: state.ordinal,
            salt: log.header.salt
        )
        do throws(FileError) {
            try await log.file.commit([FileWrite([Self.padded(bytes, to: room)], at: state.offset)])
        } catch {
            // Nothing of it was acknowledged, and the next batch goes to the same place.
            if error.code == .full { throw .full }
            throw Self.fail(error, &state)
        }
        // Not of a mark: a store begins only with all its keepers.
        if !batch.isMark, buggify.strikes(.keeperFails) {
            throw Self.fail(FileError(.medium, operation: "sync", path: log.path), &state)
        }
        state.index.join(
            batch,
            at: BatchSpan(file: log.number, offset: state.offset, length: bytes.count),
            endChain: endChain
        )
        state.offset += room
        state.ordinal += 1
        try await setAsideUnreadable(&state)
    }

    /// Bytes that a batch takes in a log file, in whole blocks.
    private static func room(for batch: BatchContent) -> Int {
        let records = batch.records.reduce(0) { $0 + JournalFormat.recordLength(payload: $1.payload.count) }
        return JournalFormat.blocks(JournalFormat.batchHeaderLength + records)
    }

    /// True when the last file cannot be written to, because nothing of it can be read.
    private func needsNewLog(_ state: State) -> Bool {
        guard let log = state.logs.last else { return true }
        return state.unreadable.contains { $0 > log.number }
    }

    /// The batch in memory of its own, with zeros up to the end of its last block.
    private static func padded(_ bytes: [UInt8], to length: Int) -> BufferSlice {
        let buffer = AlignedBuffer(capacity: length)
        buffer.mutableBytes.copyBytes(from: bytes)
        return buffer.slice(0..<length)
    }

    /// The records of one batch from `sequence` on. Every CRC is checked again.
    func readBatch(holding sequence: UInt64, _ state: inout State) async throws(KeeperError) -> [JournalRecord] {
        guard let position = state.index.batch(holding: sequence) else {
            throw .damaged(sequence..<sequence + 1)
        }
        let place = state.index.batches[position]
        // A batch may begin before the log does: what is in a checkpoint is not missed.
        let range = min(sequence, max(place.first, state.index.base.sequence + 1))..<place.last + 1
        guard let log = state.logs.first(where: { $0.number == place.span.file }) else { throw .damaged(range) }
        do throws(LogFileError) {
            let slice = try await LogFile.read(log.file, offset: place.span.offset, count: place.span.length)
            let batch = slice.withBytes { try? JournalBatch(decoding: $0, salt: log.header.salt) }
            if let batch, batch.records.count >= place.count, batch.header.previous.sequence + 1 == place.first {
                return Array(batch.records[Int(sequence - place.first)..<place.count])
            }
        } catch {
            // A block that cannot be read is as good as rot: the other keepers have the records.
        }
        state.index.addDamage(range)
        throw .damaged(range)
    }

    // MARK: Files

    /// Begins the next log file, from the reserve when there is one.
    func roll(room: Int, startsAnew: Bool, _ state: inout State) async throws(KeeperError) {
        let length = max(configuration.fileLength, JournalFormat.dataOffset + room)
        var spare = state.spares.firstIndex { $0.length >= length }
        if spare == nil {
            try await makeSpare(length: length, &state)
            spare = state.spares.indices.last
        }
        guard let spare else { throw .full }
        try Self.checkNumber(state)
        let (number, available) = state.spares.remove(at: spare)
        let header = JournalLogHeader(
            number: state.nextNumber,
            salt: random.next() | 1,
            generation: 0,
            firstOrdinal: state.ordinal,
            start: state.index.point,
            startsAnew: startsAnew,
            length: UInt64(available),
            base: state.index.base,
            referenceGeneration: state.referenceGeneration,
            reference: state.reference
        )
        do throws(FileError) {
            let path = LogFile.sparePath(number)
            let log = LogFile(file: try await files.open(path, .write.direct()), header: header)
            try await Self.clearOtherSlot(log)
            try await log.writeHeader()
            try await files.rename(path, to: log.path)
            try await files.syncDirectory(LogFile.folder)
            state.logs.append(log)
        } catch {
            throw Self.fail(error, &state)
        }
        state.nextNumber += 1
        state.offset = JournalFormat.dataOffset
    }

    /// A recycled file's older header must not win over the new one. Durable with the header that follows.
    private static func clearOtherSlot(_ log: LogFile) async throws(FileError) {
        let zeros = AlignedBuffer(capacity: JournalFormat.blockSize)
        try await log.file.write([zeros.slice(0..<JournalFormat.blockSize)], at: JournalFormat.headerSlot)
    }

    /// Preallocates and zeroes a file: its blocks are then written in place, and a sync moves nothing but data
    /// (an extent that is first written makes the file system commit its own journal as well).
    func makeSpare(length: Int, _ state: inout State) async throws(KeeperError) {
        try Self.checkNumber(state)
        let length = JournalFormat.blocks(length)
        let number = state.nextNumber
        let path = LogFile.unfinishedPath(number)
        do throws(FileError) {
            let file = try await files.open(path, .create.direct())
            try await file.allocate(0..<length)
            let zeros = AlignedBuffer(capacity: Self.zeroPiece)
            var offset = 0
            while offset < length {
                let count = min(Self.zeroPiece, length - offset)
                try await file.write([zeros.slice(0..<count)], at: offset)
                offset += count
            }
            try await file.sync()
            try await files.rename(path, to: LogFile.sparePath(number))
            try await files.syncDirectory(LogFile.folder)
        } catch {
            try? await files.remove(path)
            if error.code == .full { throw .full }
            throw Self.fail(error, &state)
        }
        state.nextNumber += 1
        state.spares.append((number, length))
    }

    /// A file of a number that no opening takes for the log's would be acknowledged from, and then not found again.
    private static func checkNumber(_ state: State) throws(KeeperError) {
        guard state.nextNumber < LogFile.numberLimit else {
            throw .failed(
                "the numbers of its files are used up, as a hand gave the highest to a file in \(LogFile.folder): move "
                    + "that file away, and start again"
            )
        }
    }

    /// Bytes of zeros written at a time.
    private static let zeroPiece = 1 << 20

    // MARK: Trimming

    /// Writes base and reference into the header of the last file, into the slot that is not in force.
    func writeReference(
        _ base: JournalPosition,
        _ reference: [UInt8],
        _ state: inout State
    ) async throws(KeeperError) {
        if needsNewLog(state) { try await roll(room: 0, startsAnew: true, &state) }
        guard var log = state.logs.last else { throw .invalid("the keeper has no log file") }
        log.header.generation += 1
        log.header.base = base
        log.header.reference = reference
        log.header.referenceGeneration = state.referenceGeneration + 1
        do throws(FileError) {
            try await log.writeHeader()
        } catch {
            throw Self.fail(error, &state)
        }
        state.logs[state.logs.count - 1] = log
        state.reference = reference
        state.referenceGeneration += 1
        state.index.trim(to: base)
    }

    /// Keeps the oldest files for reuse once the checkpoint covers all that they hold, and removes those too many.
    func recycle(_ state: inout State) async throws(KeeperError) {
        var isChanged = false
        while state.logs.count > 1, state.logs[1].header.start.last.sequence <= state.index.base.sequence {
            let log = state.logs.removeFirst()
            do throws(FileError) {
                if state.spares.count < configuration.reserveFiles {
                    try await files.rename(log.path, to: LogFile.sparePath(log.number))
                    state.spares.append((log.number, log.length))
                } else {
                    try await files.remove(log.path)
                }
            } catch {
                throw Self.fail(error, &state)
            }
            isChanged = true
        }
        if isChanged { try await syncFolder(&state) }
    }

    private func syncFolder(_ state: inout State) async throws(KeeperError) {
        do throws(FileError) {
            try await files.syncDirectory(LogFile.folder)
        } catch {
            throw Self.fail(error, &state)
        }
    }

    /// Once the log goes on in a new file, a file of which nothing can be read is kept apart, for the curious.
    private func setAsideUnreadable(_ state: inout State) async throws(KeeperError) {
        guard !state.unreadable.isEmpty, !state.index.hasUnknownEnd else { return }
        for number in state.unreadable {
            do throws(FileError) {
                try await files.rename(LogFile.path(number), to: LogFile.damagedPath(number))
            } catch {
                throw Self.fail(error, &state)
            }
        }
        state.unreadable = []
        try await syncFolder(&state)
    }
}
