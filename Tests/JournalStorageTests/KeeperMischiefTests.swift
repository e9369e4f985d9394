import ClusterProtocol
import DiskFormat
import JournalStorage
import SystemInterface
import TestKit
import Testing

/// What simulations do to a keeper at its buggify points is what a disk, a kill or another caller may do to it.
@Suite("One keeper at its buggify points")
struct KeeperMischiefTests {
    /// A log at which this point always strikes.
    private func open(_ disk: MemoryDisk, striking point: BuggifyPoint) async throws -> KeeperLog {
        let buggify = Buggify { $0 == point ? 0 : nil }
        return try await KeeperLog.open(
            disk.mount(),
            random: SeededRandom(seed: 1),
            configuration: smallLogs,
            buggify: buggify
        )
    }

    private func logCount(_ disk: MemoryDisk) -> Int { disk.files.count { $0.contains("/log-") } }

    @Test("A log that fails behind a write has the records when it is opened again, and a mark does not fail")
    func fails() async throws {
        let disk = MemoryDisk()
        var log = try await open(disk, striking: .keeperFails)
        try await log.append(incarnation: 1, after: .origin, [])
        let error = await keeperError { try await log.append(incarnation: 1, after: .origin, records(1, 1...3)) }
        guard case .failed = error else { throw error ?? .full }
        #expect(log.failure != nil)
        disk.restart()
        log = try await openLog(disk)
        #expect(try await readAll(log) == records(1, 1...3))
        #expect(try await log.state().written == 1)
    }

    @Test("An append that is refused changes nothing, and nothing else is refused")
    func busy() async throws {
        let disk = MemoryDisk()
        let log = try await open(disk, striking: .keeperBusy)
        try await log.promise(incarnation: 1, holder: 1)
        #expect(await keeperError { try await log.append(incarnation: 1, after: .origin, records(1, 1...3)) } == .busy)
        #expect(try await log.state().last == .origin)
        #expect(log.failure == nil)
    }

    @Test("Files that a trim was to free are freed by the next")
    func trims() async throws {
        let disk = MemoryDisk()
        var log = try await open(disk, striking: .trimCutShort)
        for sequence in 1...20 as ClosedRange<UInt64> {
            let previous = sequence == 1 ? JournalPosition.origin : position(1, sequence - 1)
            try await log.append(incarnation: 1, after: previous, [record(1, sequence)])
        }
        let count = logCount(disk)
        #expect(count > 1)
        try await log.trim(incarnation: 1, to: position(1, 18), reference: [1])
        #expect(logCount(disk) == count)
        disk.restart()
        log = try await openLog(disk)
        #expect(try await log.state().base == position(1, 18))
        #expect(try await readAll(log, from: 19) == records(1, 19...20))
        try await log.trim(incarnation: 1, to: position(1, 19), reference: [2])
        #expect(logCount(disk) == 1)
        #expect(try await readAll(log, from: 20) == records(1, 20...20))
    }

    @Test("A log is opened again where its opening ended, new or not")
    func opensTwice() async throws {
        let disk = MemoryDisk()
        for first in [1, 4, 7] as [UInt64] {
            let log = try await open(disk, striking: .openingCutShort)
            let previous = first == 1 ? JournalPosition.origin : position(1, first - 1)
            try await log.append(incarnation: 1, after: previous, records(1, first...first + 2))
            #expect(try await readAll(log) == records(1, 1...first + 2))
            disk.restart()
        }
    }
}
