package import ClusterProtocol
package import DiskFormat
import Synchronization
internal import SystemInterface

/// One journal keeper: the log in `journal/` of one disk (DESIGN §7; layout in `Docs/DiskFormat.md`, Journal).
///
/// Everything that a call returned from is on the medium. Calls go one at a time, in the order of arrival. The first
/// failure of the medium is final: nothing more is written until the log is opened again. Two logs must never be open
/// on one disk; the disk's lock is the owner's business.
package final class KeeperLog: Sendable {
    /// Sizes of a log.
    package struct Configuration: Hashable, Sendable {
        /// Bytes of a log file; a batch that needs more gets a longer one. Long enough that a roll is rare (2,000
        /// single-block batches), short enough that six disks' logs with their reserves stay below 128 MiB.
        package var fileLength: Int
        /// Files kept for reuse, zeroed or used before, so that a roll allocates nothing: the reserve from which the
        /// journal goes on when the disk is full.
        package var reserveFiles: Int
        /// Calls that may wait for this disk.
        package var waitingCalls: Int

        package init(fileLength: Int = 8 << 20, reserveFiles: Int = 1, waitingCalls: Int = 256) {
            self.fileLength = max(fileLength, JournalFormat.dataOffset + JournalFormat.blockSize)
            self.reserveFiles = reserveFiles
            self.waitingCalls = waitingCalls
        }
    }

    struct State: Sendable {
        var index = KeeperIndex()
        /// Ascending by number; the last one is written to.
        var logs: [LogFile] = []
        /// Where the next batch goes in it.
        var offset = 0
        var ordinal: UInt64 = 0
        var promise: PromiseFile
        var reference: [UInt8] = []
        var referenceGeneration: UInt64 = 0
        /// Numbers and lengths of the files kept for reuse.
        var spares: [(number: UInt64, length: Int)] = []
        var nextNumber: UInt64 = 1
        /// Log files of which not even the header can be read.
        var unreadable: [UInt64] = []
        /// Those of them whose header is whole and of another number, with that number: copies, or moved.
        var strays: [UInt64: UInt64] = [:]
        var failure: String?
    }

    let files: any FileSystem
    let random: any RandomSource
    let configuration: Configuration
    let buggify: Buggify
    let gate: CallGate
    private let shared: Mutex<State>

    init(
        files: any FileSystem,
        random: any RandomSource,
        configuration: Configuration,
        buggify: Buggify,
        state: State
    ) {
        self.files = files
        self.random = random
        self.configuration = configuration
        self.buggify = buggify
        gate = CallGate(limit: configuration.waitingCalls)
        shared = Mutex(state)
    }

    // MARK: Calls

    /// What this keeper has.
    package func state() async throws(KeeperError) -> KeeperState {
        try await exclusive { state async throws(KeeperError) in Self.report(state) }
    }

    /// Promises to refuse every incarnation below `incarnation`, and every other holder of it. Durable. The same holder
    /// may ask again.
    @discardableResult
    package func promise(incarnation: UInt32, holder: UInt64) async throws(KeeperError) -> KeeperState {
        try await exclusive { state async throws(KeeperError) in
            let current = state.promise.promise
            if incarnation == current.incarnation && holder == current.holder { return Self.report(state) }
            guard incarnation > current.incarnation else { throw .superseded(promised: current.incarnation) }
            try await self.raise(&state, to: incarnation, holder: holder)
            return Self.report(state)
        }
    }

    /// Appends records that follow `previous` one after another; returns the last durable sequence. What is here
    /// already is not written again; a record that differs from the one here replaces the tail from there on.
    ///
    /// Without records this is a mark: the log is whole up to `previous` as of `incarnation`, and ends there.
    @discardableResult
    package func append(
        incarnation: UInt32,
        after previous: JournalPosition,
        _ records: [JournalRecord]
    ) async throws(KeeperError) -> UInt64 {
        try Self.check(records, after: previous)
        if buggify.strikes(.keeperBusy) { throw .busy }
        return try await exclusive { state async throws(KeeperError) in
            try await self.admit(incarnation, &state)
            switch try state.index.plan(records, after: previous, incarnation: incarnation) {
            case .nothing: break
            case .write(let batch): try await self.write(batch, &state)
            }
            return state.index.last.sequence
        }
    }

    /// Records from `sequence` on, at least one and otherwise up to `limitBytes` of payload; none behind the last.
    /// Behind the last of a log whose end is not known: why it is not, `.failed` where a hand can mend that.
    package func read(from sequence: UInt64, limitBytes: Int) async throws(KeeperError) -> [JournalRecord] {
        try await exclusive { state async throws(KeeperError) in
            guard sequence > state.index.base.sequence else { throw .trimmed(state.index.base) }
            if sequence > state.index.last.sequence, let unknown = Self.unknownEnd(of: state) { throw unknown }
            var records: [JournalRecord] = []
            var bytes = 0
            var next = sequence
            while next <= state.index.last.sequence, records.isEmpty || bytes < limitBytes {
                if let range = state.index.damaged.first(where: { $0.contains(next) }) {
                    if records.isEmpty { throw .damaged(range) }
                    return records
                }
                let found: [JournalRecord]
                do throws(KeeperError) {
                    found = try await self.readBatch(holding: next, &state)
                } catch {
                    if case .damaged = error, !records.isEmpty { return records }
                    throw error
                }
                for record in found where records.isEmpty || bytes < limitBytes {
                    records.append(record)
                    bytes += record.payload.count
                    next = record.position.sequence + 1
                }
            }
            return records
        }
    }

    /// Forgets records up to `base` and keeps `reference` at the beginning of the log, durable. A log that ends before
    /// `base`, or that holds another record there, goes on behind it.
    @discardableResult
    package func trim(
        incarnation: UInt32,
        to base: JournalPosition,
        reference: [UInt8]
    ) async throws(KeeperError) -> UInt64 {
        guard reference.count <= JournalFormat.referenceLimit else {
            throw .tooLarge(limit: JournalFormat.referenceLimit)
        }
        return try await exclusive { state async throws(KeeperError) in
            try await self.admit(incarnation, &state)
            guard base.sequence >= state.index.base.sequence else { throw .trimmed(state.index.base) }
            if base != state.index.base || reference != state.reference {
                try await self.writeReference(base, reference, &state)
                if !self.buggify.strikes(.trimCutShort) { try await self.recycle(&state) }
            }
            return state.index.last.sequence
        }
    }

    /// Throws `.superseded` when a newer incarnation has this keeper's promise; writes nothing.
    package func confirm(incarnation: UInt32) async throws(KeeperError) -> UInt64 {
        try await exclusive { state async throws(KeeperError) in
            let promised = state.promise.promise.incarnation
            guard incarnation >= promised else { throw .superseded(promised: promised) }
            return state.index.last.sequence
        }
    }

    /// Why nothing more is written until the log is opened again.
    package var failure: String? { shared.withLock { $0.failure } }

    /// False from a roll that used the reserve until it has been made whole.
    package var isReserveWhole: Bool { shared.withLock { $0.spares.count >= configuration.reserveFiles } }

    /// Makes the reserve whole after a roll has used it: call it now and then, away from the data path. True when a
    /// file was made; no error when the disk has no room for one.
    @discardableResult
    package func refillReserve() async throws(KeeperError) -> Bool {
        try await exclusive { state async throws(KeeperError) in
            guard state.spares.count < self.configuration.reserveFiles else { return false }
            do throws(KeeperError) {
                try await self.makeSpare(length: self.configuration.fileLength, &state)
                return true
            } catch {
                if error == .full { return false }
                throw error
            }
        }
    }

    /// Bytes of records that the log takes before only its last room is left: of the file in use, of the reserve, and
    /// of whole files that the disk has room for.
    package func room() async -> UInt64 {
        let length = configuration.fileLength
        let left = shared.withLock { state in
            let current = state.logs.last.map { max(0, $0.length - state.offset) } ?? 0
            return current + state.spares.reduce(0) { $0 + $1.length }
        }
        let available = (try? await files.space().available) ?? 0
        return UInt64(max(0, left + available / length * length - length / Self.lastShare))
    }

    /// One in so many bytes of a file is the last room, for what brings room back: a checkpoint's record, and the
    /// leases round it.
    private static let lastShare = 4

    /// Whether a checkpoint would bring back room that the disk wants for: there are files behind the one in use, and
    /// the reserve is in use too, or they hold more of the disk than a journal should.
    package func wantsCheckpoint() async -> Bool {
        let (older, isWhole) = shared.withLock { state in
            (
                state.logs.dropLast().reduce(0) { $0 + $1.length },
                state.spares.count >= configuration.reserveFiles
            )
        }
        guard older > 0, isWhole else { return older > 0 }
        let total = (try? await files.space().total) ?? .max
        return older > total / Self.largestShare
    }

    /// One in so many bytes of a disk at most is for log files that a checkpoint would free.
    private static let largestShare = 16

    /// Why nobody can say where the log ends; nil when that is known.
    private static func unknownEnd(of state: State) -> KeeperError? {
        guard state.index.hasUnknownEnd, let range = state.index.damaged.last else { return nil }
        guard let last = state.unreadable.max() else { return .damaged(range) }
        let path = LogFile.path(last)
        guard let number = state.strays[last] else {
            return .invalid(
                "\(path) is damaged, or no file of the log: if it was put there by hand, move it away"
            )
        }
        let original = LogFile.path(number)
        return .failed("\(path) is \(original) by its header: if it was copied there by hand, move it away")
    }

    // MARK: Common to all

    /// Runs `body` alone, and keeps what it made of the state also when it throws: what it did on the disk is done.
    func exclusive<Result: Sendable>(
        _ body: (inout State) async throws(KeeperError) -> Result
    ) async throws(KeeperError) -> Result {
        guard await gate.enter() else { throw .busy }
        defer { gate.leave() }
        var state = shared.withLock { $0 }
        defer { shared.withLock { [state] in $0 = state } }
        if let failure = state.failure { throw .failed(failure) }
        return try await body(&state)
    }

    /// The right to write: a newer coordinator's implies its promise.
    private func admit(_ incarnation: UInt32, _ state: inout State) async throws(KeeperError) {
        let promised = state.promise.promise.incarnation
        guard incarnation >= promised else { throw .superseded(promised: promised) }
        if incarnation > promised { try await raise(&state, to: incarnation, holder: 0) }
    }

    private func raise(_ state: inout State, to incarnation: UInt32, holder: UInt64) async throws(KeeperError) {
        do throws(FileError) {
            try await state.promise.raise(to: incarnation, holder: holder)
        } catch {
            throw Self.fail(error, &state)
        }
    }

    /// Any failed write or sync ends this log until it is opened again (a failed sync is final, DESIGN §6).
    static func fail(_ error: FileError, _ state: inout State) -> KeeperError {
        state.failure = error.description
        return .failed(error.description)
    }

    private static func report(_ state: State) -> KeeperState {
        KeeperState(
            promised: state.promise.promise.incarnation,
            holder: state.promise.promise.holder,
            written: state.index.written,
            base: state.index.base,
            last: state.index.last,
            damaged: state.index.damaged,
            reference: state.reference
        )
    }

    private static func check(_ records: [JournalRecord], after previous: JournalPosition) throws(KeeperError) {
        var sequence = previous.sequence
        var bytes = 0
        for record in records {
            guard sequence < UInt64.max - 1, record.position.sequence == sequence + 1 else {
                throw .invalid("records must follow one another without a gap")
            }
            guard record.payload.count <= JournalFormat.payloadLimit else {
                throw .tooLarge(limit: JournalFormat.payloadLimit)
            }
            sequence += 1
            bytes += JournalFormat.recordLength(payload: record.payload.count)
        }
        guard bytes <= JournalFormat.batchLimit else { throw .tooLarge(limit: JournalFormat.batchLimit) }
    }
}
