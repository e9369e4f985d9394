import ClusterProtocol
import DiskFormat
import JournalStorage
import Synchronization
import SystemInterface
import TestKit
import Testing

@Suite("One keeper's log")
struct KeeperLogTests {
    @Test("Records come back after a restart, over several files, whatever the sizes of batches")
    func roundTrip() async throws {
        let disk = MemoryDisk()
        var log = try await openLog(disk)
        try await log.promise(incarnation: 3, holder: 7)
        try await log.append(incarnation: 3, after: .origin, [])
        var expected: [JournalRecord] = []
        for round in 1...40 as ClosedRange<UInt64> {
            let next = UInt64(expected.count) + 1
            let batch = (next..<next + round % 5 + 1).map { record(3, $0, length: Int(round * 131 % 9_000)) }
            let last = expected.last?.position ?? .origin
            #expect(try await log.append(incarnation: 3, after: last, batch) == batch.last?.position.sequence)
            expected += batch
        }
        #expect(disk.files.filter { $0.contains("/log-") }.count > 2)
        for _ in 0..<2 {
            #expect(try await readAll(log) == expected)
            let state = try await log.state()
            #expect(state.promised == 3 && state.holder == 7 && state.written == 3)
            #expect(state.last == expected.last?.position && state.damaged.isEmpty)
            disk.restart()
            log = try await openLog(disk)
        }
    }

    @Test("Older incarnations, gaps and other histories are refused, and change nothing")
    func refusals() async throws {
        let disk = MemoryDisk()
        let log = try await openLog(disk)
        try await log.promise(incarnation: 5, holder: 1)
        #expect(await keeperError { try await log.promise(incarnation: 4, holder: 1) } == .superseded(promised: 5))
        #expect(await keeperError { try await log.promise(incarnation: 5, holder: 2) } == .superseded(promised: 5))
        #expect(try await log.promise(incarnation: 5, holder: 1).promised == 5)
        #expect(
            await keeperError { try await log.append(incarnation: 4, after: .origin, records(4, 1...1)) }
                == .superseded(promised: 5)
        )
        #expect(await keeperError { _ = try await log.confirm(incarnation: 4) } == .superseded(promised: 5))
        // Another beginning than this log's: before it there is nothing to go back to.
        #expect(
            await keeperError { try await log.append(incarnation: 5, after: position(4, 0), records(5, 1...1)) }
                == .mismatch(sequence: 0)
        )
        try await log.append(incarnation: 5, after: .origin, records(5, 1...3))
        #expect(
            await keeperError { try await log.append(incarnation: 5, after: position(5, 5), records(5, 6...6)) }
                == .gap(expected: 4)
        )
        #expect(
            await keeperError { try await log.append(incarnation: 5, after: position(4, 3), records(5, 4...4)) }
                == .mismatch(sequence: 0)
        )
        #expect(
            await keeperError {
                try await log.append(incarnation: 5, after: position(5, 3), [record(5, 4), record(5, 6)])
            } == .invalid("records must follow one another without a gap")
        )
        #expect(try await readAll(log) == records(5, 1...3))
    }

    @Test("A repeated append writes nothing; a newer incarnation's record replaces the tail, a mark cuts it")
    func replacing() async throws {
        let disk = MemoryDisk()
        var log = try await openLog(disk)
        try await log.append(incarnation: 1, after: .origin, [])
        try await log.append(incarnation: 1, after: .origin, records(1, 1...6))
        let writes = Counter()
        disk.setLatency { operation, _, _ in if operation == .write { writes.increment() } }
        #expect(try await log.append(incarnation: 1, after: .origin, records(1, 1...6)) == 6)
        #expect(try await log.append(incarnation: 1, after: position(1, 2), records(1, 3...4)) == 6)
        #expect(writes.value == 0)
        // Incarnation 2 knew only records 1 to 4.
        try await log.append(incarnation: 2, after: position(1, 4), [])
        #expect(try await log.state().last == position(1, 4))
        #expect(try await log.state().written == 2)
        try await log.append(incarnation: 2, after: position(1, 4), records(2, 5...7))
        // Incarnation 3 chose a log that went another way at 6; feeding does not raise `written`, the mark does.
        #expect(try await log.append(incarnation: 3, after: position(1, 4), [record(2, 5), record(1, 6)]) == 6)
        #expect(try await log.state().written == 2)
        try await log.append(incarnation: 3, after: position(1, 6), [])
        #expect(try await log.state().written == 3)
        let expected = records(1, 1...4) + [record(2, 5), record(1, 6)]
        #expect(try await readAll(log) == expected)
        disk.restart()
        log = try await openLog(disk)
        #expect(try await readAll(log) == expected)
        #expect(try await log.state().promised == 3)
    }

    @Test("Trimming forgets, keeps the reference, and uses files again; a log that ends before goes on behind")
    func trimming() async throws {
        let disk = MemoryDisk()
        var log = try await openLog(disk)
        for sequence in 1...60 as ClosedRange<UInt64> {
            let previous = sequence == 1 ? JournalPosition.origin : position(1, sequence - 1)
            try await log.append(incarnation: 1, after: previous, [record(1, sequence)])
        }
        let before = disk.files.count
        try await log.trim(incarnation: 1, to: position(1, 50), reference: [1, 2, 3])
        #expect(disk.files.count < before)
        for _ in 0..<2 {
            let state = try await log.state()
            #expect(state.base == position(1, 50) && state.last == position(1, 60) && state.reference == [1, 2, 3])
            #expect(try await readAll(log, from: 51) == records(1, 51...60))
            #expect(await keeperError { _ = try await readAll(log, from: 50) } == .trimmed(position(1, 50)))
            disk.restart()
            log = try await openLog(disk)
        }
        try await log.trim(incarnation: 1, to: position(1, 90), reference: [4])
        try await log.append(incarnation: 1, after: position(1, 90), records(1, 91...92))
        disk.restart()
        log = try await openLog(disk)
        #expect(try await readAll(log, from: 91) == records(1, 91...92))
        #expect(try await log.state().damaged.isEmpty)
        #expect(
            await keeperError { try await log.trim(incarnation: 1, to: position(1, 10), reference: []) }
                == .trimmed(position(1, 90))
        )
    }

    /// Found by reading: the coordinator was sent back to before the base, where no keeper has anything.
    @Test("Rot in a batch that begins before the base costs only what is behind the base")
    func rotAcrossBase() async throws {
        let disk = MemoryDisk()
        let log = try await openLog(disk)
        try await log.append(incarnation: 1, after: .origin, records(1, 1...20))
        try await log.append(incarnation: 1, after: position(1, 20), records(1, 21...22))
        try await log.trim(incarnation: 1, to: position(1, 10), reference: [1])
        for path in disk.files where path.hasPrefix("journal/log-") {
            disk.flip(path, offset: JournalFormat.dataOffset + 100, mask: 1)
        }
        #expect(await keeperError { _ = try await readAll(log, from: 15) } == .damaged(11..<21))
        #expect(try await log.state().damaged == [11..<21])
        try await log.append(incarnation: 1, after: position(1, 10), records(1, 11...22))
        #expect(try await readAll(log, from: 11) == records(1, 11...22))
    }

    @Test("On a full disk the journal goes on from its reserve, then says so, and goes on after a trim")
    func fullDisk() async throws {
        let disk = MemoryDisk(capacity: (2 * 160 + 40) << 10)
        let log = try await openLog(disk)
        var sequence: UInt64 = 0
        var failure: KeeperError?
        while failure == nil {
            failure = await keeperError {
                try await log.append(
                    incarnation: 1,
                    after: sequence == 0 ? .origin : position(1, sequence),
                    [record(1, sequence + 1)]
                )
            }
            if failure == nil { sequence += 1 }
        }
        #expect(failure == .full)
        // Two files of eight blocks each: the one in use and the reserve.
        #expect(sequence == 16)
        try await log.trim(incarnation: 1, to: position(1, 16), reference: [9])
        try await log.append(incarnation: 1, after: position(1, 16), [record(1, 17)])
        #expect(try await readAll(log, from: 17) == records(1, 17...17))
    }

    @Test("A log says when only its last room is left, and wants a checkpoint only where that brings files back")
    func lastRoom() async throws {
        let disk = MemoryDisk(capacity: (2 * 160 + 40) << 10)
        let log = try await openLog(disk)
        var sequence: UInt64 = 0
        var wanted: [Bool] = []
        while await log.room() > 0 {
            wanted.append(await log.wantsCheckpoint())
            let previous: JournalPosition = sequence == 0 ? .origin : position(1, sequence)
            try await log.append(incarnation: 1, after: previous, [record(1, sequence + 1)])
            sequence += 1
        }
        // In the first file, a checkpoint frees nothing; in the second, it frees the first.
        #expect(wanted.first == false)
        #expect(await log.wantsCheckpoint())
        // What is left still takes a checkpoint's record, and the disk has room for no more.
        try await log.append(incarnation: 1, after: position(1, sequence), [record(1, sequence + 1, length: 8_000)])
        try await log.trim(incarnation: 1, to: position(1, sequence + 1), reference: [9])
        #expect(await log.room() > 0)
        #expect(await !log.wantsCheckpoint())
    }

    @Test("With room on the disk, files are no reason for a checkpoint before they are a good part of it")
    func share() async throws {
        let disk = MemoryDisk(capacity: 16 * (3 * 160) << 10)
        let log = try await openLog(disk)
        for sequence: UInt64 in 1...32 {
            let previous: JournalPosition = sequence == 1 ? .origin : position(1, sequence - 1)
            try await log.append(incarnation: 1, after: previous, [record(1, sequence)])
            try await log.refillReserve()
            // Eight blocks a file: up to three behind the one in use are borne.
            #expect(await !log.wantsCheckpoint())
            #expect(await log.room() > 160 << 10)
        }
        try await log.append(incarnation: 1, after: position(1, 32), [record(1, 33)])
        try await log.refillReserve()
        #expect(await log.wantsCheckpoint())
    }

    @Test("A failed sync is final until the log is opened again", arguments: [DiskOperation.sync, .write])
    func failedSync(operation: DiskOperation) async throws {
        let disk = MemoryDisk()
        var log = try await openLog(disk)
        try await log.append(incarnation: 1, after: .origin, records(1, 1...2))
        disk.inject(DiskFault(operation))
        let failure = await keeperError {
            try await log.append(incarnation: 1, after: position(1, 2), records(1, 3...3))
        }
        #expect(failure != nil)
        guard case .failed = await keeperError({ _ = try await log.state() }) else {
            Issue.record("a failed log still answers")
            return
        }
        disk.restart()
        log = try await openLog(disk)
        let found = try await readAll(log)
        #expect(found.prefix(2) == records(1, 1...2)[...])
        #expect(found.count <= 3)
    }

    @Test("What is appended behind a checkpoint that named another record than the log held is found again")
    func divergedThenTrimmed() async throws {
        let disk = MemoryDisk()
        var log = try await openLog(disk)
        try await log.append(incarnation: 1, after: .origin, records(1, 1...10))
        try await log.trim(incarnation: 2, to: position(2, 9), reference: [1])
        try await log.append(incarnation: 2, after: position(2, 9), records(2, 10...12))
        disk.restart()
        log = try await openLog(disk)
        #expect(try await log.state().last == position(2, 12))
        #expect(try await readAll(log, from: 10) == records(2, 10...12))
    }

    @Test(
        "A log whose files are gone, cut short or exchanged beneath it ends at the next look",
        arguments: ["promise", "log", "cut", "another"]
    )
    func lostFiles(how: String) async throws {
        let disk = MemoryDisk()
        var log = try await openLog(disk)
        try await log.promise(incarnation: 1, holder: 7)
        var previous = JournalPosition.origin
        for sequence in 1..<4 as Range<UInt64> {
            try await log.append(incarnation: 1, after: previous, [record(1, sequence)])
            previous = position(1, sequence)
        }
        await log.leaveLostFiles()
        #expect(log.failure == nil)
        let files = disk.mount()
        let name = try #require(try await files.list("journal").first { $0.hasPrefix("log-") })
        let path = "journal/" + name
        switch how {
        case "promise": try await files.remove("journal/promise")
        case "log": try await files.remove(path)
        case "cut": try await files.open(path, .write).truncate(to: 131_072 + 4_096)
        default:
            let other = MemoryDisk()
            _ = try await openLog(other, seed: 2)
            let content = try await other.mount().open(path, .read).bytes(160 << 10)
            try await files.remove(path)
            try await files.make(path, content)
        }
        await log.leaveLostFiles()
        #expect(log.failure != nil)
        if how == "cut" {
            // Opened again it has what is left, and is fed the rest.
            log = try await openLog(disk, seed: 3)
            #expect(try await readAll(log) == [record(1, 1)])
            try await log.append(incarnation: 1, after: position(1, 1), records(1, 2...3))
            await log.leaveLostFiles()
            #expect(log.failure == nil)
        }
    }

    @Test("Numbers that no log gives are not the log's", arguments: ["fffffffffffffffe", "ffffffffffffffff"])
    func madeUpNumbers(number: String) async throws {
        let disk = MemoryDisk()
        var log = try await openLog(disk)
        try await log.append(incarnation: 1, after: .origin, records(1, 1...3))
        disk.restart()
        for prefix in ["log", "spare", "damaged"] { try await disk.mount().make("journal/\(prefix)-\(number)", [1]) }
        log = try await openLog(disk)
        // Enough for another file.
        for sequence in 4..<30 as Range<UInt64> {
            try await log.append(incarnation: 1, after: position(1, sequence - 1), [record(1, sequence)])
        }
        #expect(try await readAll(log) == records(1, 1...29))
        #expect(disk.files.filter { $0.contains("/log-0") }.count > 1)
    }

    /// Found by reading: the next file would have had a number that no opening takes for the log's.
    @Test("With the highest number on a file put there by hand nothing more is taken than can be found again")
    func highestNumber() async throws {
        let disk = MemoryDisk()
        var log = try await openLog(disk)
        try await log.append(incarnation: 1, after: .origin, records(1, 1...3))
        disk.restart()
        let stray = "journal/damaged-3fffffffffffffff"
        try await disk.mount().make(stray, [1])
        var taken: UInt64 = 3
        do {
            log = try await openLog(disk)
            while taken < 100 {
                try await log.append(incarnation: 1, after: position(1, taken), [record(1, taken + 1)])
                taken += 1
            }
        } catch {
            #expect("\(error)".contains("used up"), "\(error)")
        }
        #expect(taken < 100)
        disk.restart()
        try await disk.mount().remove(stray)
        log = try await openLog(disk)
        #expect(try await readAll(log) == records(1, 1...taken))
        try await log.append(incarnation: 1, after: position(1, taken), [record(1, taken + 1)])
    }
}

/// Counts calls from any task.
final class Counter: Sendable {
    private let count = Mutex(0)
    var value: Int { count.withLock { $0 } }
    func increment() { count.withLock { $0 += 1 } }
}
