import ClusterProtocol
import DiskFormat
import JournalStorage
import SystemInterface
import TestKit

/// A keeper's log, found again from files that no keeper may ever have written: batches in any order, cut off, rotten.
extension FuzzTarget {
    static let keeperLog = FuzzTarget("keeper-log", maximumLength: 512, seeds: { KeeperLogScript.seeds() }) { bytes in
        var script = KeeperLogScript(bytes)
        script.play()
        let disk = MemoryDisk()
        try await script.write(to: disk.mount())
        return try await KeeperLogCheck(disk: disk).run()
    }
}

/// What a log that was found must hold to.
private struct KeeperLogCheck {
    let disk: MemoryDisk

    private func open() async throws(KeeperError) -> KeeperLog {
        disk.restart()
        return try await KeeperLog.open(
            disk.mount(),
            random: SeededRandom(seed: 1),
            configuration: KeeperLog.Configuration(fileLength: KeeperLogScript.fileLength, reserveFiles: 0)
        )
    }

    func run() async throws -> Bool {
        guard let log = try? await open() else { return false }
        let state = try await log.state()
        let records = try await readAll(log, state)
        // Opening changes nothing of what is there.
        var again = try await open()
        try require(try await again.state() == state, "another state when it is opened again")
        try require(try await readAll(again, state) == records, "other records when it is opened again")
        // What is appended to it is kept, and what was there as well.
        let incarnation = max(state.promised, state.written, state.last.incarnation) + 1
        let position = JournalPosition(incarnation: incarnation, sequence: state.last.sequence + 1)
        let record = JournalRecord(position: position, payload: Array("behind it all".utf8))
        guard (try? await again.append(incarnation: incarnation, after: state.last, [record])) != nil else {
            return true
        }
        again = try await open()
        let after = try await again.state()
        try require(after.last == position, "an appended record is not the last one: \(after.last)")
        let kept = try await readAll(again, after)
        try require(kept == records + [record], "an append changed what was there, or is lost")
        return true
    }

    /// All that can be read, in order; what is between must be reported as damaged.
    private func readAll(_ log: KeeperLog, _ state: KeeperState) async throws -> [JournalRecord] {
        try require(state.base.sequence <= state.last.sequence, "a log that ends before it begins")
        var records: [JournalRecord] = []
        var next = state.base.sequence + 1
        while next <= state.last.sequence {
            do throws(KeeperError) {
                let found = try await log.read(from: next, limitBytes: 1 << 20)
                guard !found.isEmpty else { throw .invalid("nothing at \(next)") }
                for record in found {
                    guard record.position.sequence == next else { throw .invalid("\(record.position) at \(next)") }
                    next += 1
                }
                records += found
            } catch {
                guard case .damaged(let range) = error, range.contains(next) else {
                    throw FuzzFinding("record \(next) of \(state) is neither there nor damaged: \(error)")
                }
                next = range.upperBound
            }
        }
        return records
    }
}

/// Writes the files of a log as the input says.
private struct KeeperLogScript {
    static let blocks = 12
    static let fileLength = JournalFormat.dataOffset + blocks * JournalFormat.blockSize
    private static let fileLimit = 3
    private static let stepLimit = 40

    private var input: FuzzInput
    private var files: [(header: JournalLogHeader, bytes: [UInt8])] = []
    private var promise = JournalPromise(generation: 1, incarnation: 0, holder: 0)
    /// Where a log that was written in order would stand.
    private var point = JournalLogPoint.origin
    private var ordinal: UInt64 = 0
    private var offset = JournalFormat.dataOffset

    init(_ bytes: [UInt8]) { input = FuzzInput(bytes) }

    /// Steps as bytes: see `step`.
    static func seeds() -> [[UInt8]] {
        [
            // Two batches, a mark, a batch that replaces a tail, a file more, a batch.
            [1, 0, 0, 0, 2, 5, 9, 0, 1, 3, 0, 0, 0, 7, 4, 0, 0, 1, 1, 1, 8, 0, 5, 0, 0, 0, 0, 1, 5],
            // A hole between batches, and rot in one.
            [2, 0, 0, 0, 3, 1, 2, 3, 3, 1, 0, 0, 0, 2, 8, 8, 4, 70, 0, 1, 0, 0, 0, 1, 9],
        ]
    }

    mutating func play() {
        promise.incarnation = UInt32(input.choice(8))
        begin(startsAnew: false)
        var steps = 0
        while !input.isAtEnd, steps < Self.stepLimit {
            steps += 1
            step()
        }
    }

    private mutating func step() {
        switch input.choice(8) {
        case 3: offset += (1 + input.choice(3)) * JournalFormat.blockSize
        case 4:
            let place = Int(input.integer(UInt16.self)) % (Self.blocks * JournalFormat.blockSize)
            files[files.count - 1].bytes[JournalFormat.dataOffset + place] ^= input.byte()
        case 5 where files.count < Self.fileLimit: begin(startsAnew: input.choice(4) == 3)
        case 6: point.last.sequence = sequence()
        case 7:
            point.chain ^= UInt32(input.choice(2))
            point.cuts = UInt32(input.choice(4))
            ordinal = UInt64(input.choice(16))
        default: batch()
        }
    }

    /// Small numbers, and the greatest there are.
    private mutating func sequence() -> UInt64 {
        let value = input.byte()
        return value < 240 ? UInt64(value % 48) : UInt64.max - UInt64(255 - value)
    }

    private mutating func begin(startsAnew: Bool) {
        let isFirst = files.isEmpty
        let header = JournalLogHeader(
            number: UInt64(files.count) + 1,
            salt: UInt64(files.count) + 7,
            generation: 2,
            firstOrdinal: ordinal,
            start: point,
            startsAnew: startsAnew,
            length: UInt64(Self.fileLength),
            base: isFirst ? .origin : JournalPosition(incarnation: point.last.incarnation, sequence: sequence()),
            referenceGeneration: UInt64(files.count),
            reference: [UInt8(files.count)]
        )
        var bytes = header.encoded
        bytes.append(contentsOf: repeatElement(0, count: Self.fileLength - bytes.count))
        files.append((header, bytes))
        offset = JournalFormat.dataOffset
    }

    private mutating func batch() {
        let back = UInt64(input.choice(4))
        let written = point.written &+ UInt32(input.choice(2))
        let count = UInt64(input.choice(4))
        var previous = point.last
        previous.sequence = previous.sequence >= back ? previous.sequence - back : 0
        guard previous.sequence <= .max - count else { return }
        let records = (0..<count).map { index in
            JournalRecord(
                position: JournalPosition(incarnation: max(1, written), sequence: previous.sequence + index + 1),
                payload: [UInt8](repeating: UInt8(index), count: Int(input.byte()))
            )
        }
        let (bytes, endChain) = JournalBatch.encode(
            records,
            after: previous,
            written: written,
            point: point,
            ordinal: ordinal,
            salt: files[files.count - 1].header.salt
        )
        guard offset + bytes.count <= Self.fileLength else { return }
        files[files.count - 1].bytes.replaceSubrange(offset..<offset + bytes.count, with: bytes)
        offset += JournalFormat.blocks(bytes.count)
        ordinal += 1
        if previous.sequence < point.last.sequence { point.cuts += 1 }
        point.last = records.last?.position ?? previous
        point.written = written
        point.chain = endChain
    }

    func write(to disk: MemoryFileSystem) async throws {
        try await disk.createDirectory("journal")
        var slot = promise.encoded
        slot.append(contentsOf: repeatElement(0, count: JournalFormat.promiseSlot - slot.count))
        try await write(slot + slot, to: "journal/promise", disk)
        for (header, bytes) in files {
            let digits = String(header.number, radix: 16)
            let name = String(repeating: "0", count: 16 - digits.utf8.count) + digits
            try await write(bytes, to: "journal/log-\(name)", disk)
        }
    }

    private func write(_ bytes: [UInt8], to path: String, _ disk: MemoryFileSystem) async throws {
        let file = try await disk.open(path, .create)
        try await file.write([BufferSlice(copying: bytes)], at: 0)
        try await file.sync()
    }
}
