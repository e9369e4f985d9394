import ClusterProtocol
import DiskFormat
import JournalStorage
import Synchronization
import SystemInterface
import TestKit
import Testing

@Suite("Loss of power and rot on one keeper")
struct KeeperCrashTests {
    /// What must be found again.
    private struct Model: Sendable {
        var promised: UInt32 = 0
        var written: UInt32 = 0
        var base = JournalPosition.origin
        var log: [JournalRecord] = []
        /// What the call that did not return would have made of the log.
        var attempted: [JournalRecord]?
        var attemptedBase: JournalPosition?
        var attemptedPromise: UInt32 = 0

        var last: JournalPosition { log.last?.position ?? base }
    }

    /// A script of promises, appends, tail replacements, marks and trims; stops at the first error.
    private func run(_ log: KeeperLog, seed: UInt64, _ model: inout Model) async {
        var generator = SplitMix64(seed: seed)
        var incarnation = model.promised
        do {
            for _ in 0..<30 {
                model.attempted = nil
                model.attemptedBase = nil
                model.attemptedPromise = 0
                switch UInt64.random(in: 0..<10, using: &generator) {
                case 0:
                    incarnation += 1
                    model.attemptedPromise = incarnation
                    try await log.promise(incarnation: incarnation, holder: 1)
                    model.promised = incarnation
                    let keep = Int.random(in: max(0, model.log.count - 3)...model.log.count, using: &generator)
                    model.attempted = Array(model.log.prefix(keep))
                    try await log.append(
                        incarnation: incarnation,
                        after: keep == 0 ? model.base : model.log[keep - 1].position,
                        []
                    )
                    model.log.removeLast(model.log.count - keep)
                    model.written = incarnation
                case 1 where model.log.count > 4:
                    let base = model.log[model.log.count / 2].position
                    model.attemptedBase = base
                    try await log.trim(incarnation: incarnation, to: base, reference: Array("\(base)".utf8))
                    model.log.removeFirst(model.log.count / 2 + 1)
                    model.base = base
                default:
                    let first = model.last.sequence + 1
                    let count = UInt64.random(in: 1...4, using: &generator)
                    let batch = (first..<first + count).map {
                        record(incarnation, $0, length: Int.random(in: 0...6_000, using: &generator))
                    }
                    model.attempted = model.log + batch
                    try await log.append(incarnation: incarnation, after: model.last, batch)
                    model.log += batch
                }
            }
            model.attempted = nil
        } catch {}
    }

    /// Cuts the power at each operation of a script in turn, with a random fate for everything not synced, or kills the
    /// process alone; goes on from there with another script, and cuts the power then: what a killed process left in
    /// memory, names too, must be on the medium before anything that builds on it is acknowledged.
    @Test(
        "What was acknowledged survives a crash at every operation, whole and in order",
        arguments: 0..<3 as Range<UInt64>,
        [true, false]
    )
    func everyCrashPoint(seed: UInt64, losesPower: Bool) async throws {
        var point = 0
        while true {
            let disk = MemoryDisk()
            var generator = SplitMix64(seed: seed &* 1_000 &+ UInt64(point))
            var model = Model()
            var log = try await openLog(disk, seed: seed)
            let isCrashed = Mutex(false)
            let count = Counter()
            let dice = Mutex(generator.split())
            disk.setLatency { [point] _, _, _ in
                count.increment()
                guard count.value == point + 1 else { return }
                isCrashed.withLock { $0 = true }
                if losesPower { dice.withLock { disk.crash(using: &$0) } } else { disk.restart() }
            }
            await run(log, seed: seed, &model)
            disk.setLatency(nil)
            if !isCrashed.withLock({ $0 }) { break }
            log = try await openLog(disk, seed: seed + 1)
            try await check(log, &model, "seed \(seed), crash at operation \(point)")
            await run(log, seed: seed + 77, &model)
            disk.crash(using: &generator)
            log = try await openLog(disk, seed: seed + 2)
            try await check(log, &model, "seed \(seed), second crash after operation \(point)")
            point += 1
        }
        #expect(point > 60)
    }

    /// Compares, and makes the model what was found.
    private func check(_ log: KeeperLog, _ model: inout Model, _ comment: Comment) async throws {
        let state = try await log.state()
        #expect(state.promised >= model.promised, comment)
        #expect(state.promised <= max(model.promised, model.attemptedPromise), comment)
        #expect(state.written >= model.written, comment)
        #expect(state.damaged.isEmpty, comment)
        #expect(state.base == model.base || state.base == model.attemptedBase, comment)
        if state.base != .origin { #expect(state.reference == Array("\(state.base)".utf8), comment) }
        let found = try await readAll(log, from: state.base.sequence + 1)
        let acknowledged = model.log.filter { $0.position.sequence > state.base.sequence }
        let attempted = (model.attempted ?? model.log).filter { $0.position.sequence > state.base.sequence }
        let common = zip(acknowledged, attempted).prefix { $0 == $1 }.count
        // All that was acknowledged and not being cut off, then a part of what was being written, in order.
        let isOld = found == acknowledged
        let isNew = found.count >= common && found == Array(attempted.prefix(found.count))
        #expect(isOld || isNew, comment)
        if attempted.count >= acknowledged.count { #expect(found.count >= acknowledged.count, comment) }
        model.promised = state.promised
        model.written = state.written
        model.base = state.base
        model.log = found
        model.attempted = nil
        model.attemptedBase = nil
    }

    @Test(
        "A record that a killed process wrote and had not synced is durable when it is acknowledged as already there",
        arguments: 1...8 as ClosedRange<UInt64>
    )
    func killedThenPowerCut(seed: UInt64) async throws {
        let disk = MemoryDisk()
        var generator = SplitMix64(seed: seed)
        var log = try await openLog(disk)
        // Killed between the writing and the sync: what was written is still in memory. The file was opened as a spare.
        disk.setLatency { operation, path, _ in
            if operation == .sync, path.hasPrefix("journal/spare") { disk.restart() }
        }
        await #expect(throws: KeeperError.self) {
            try await log.append(incarnation: 1, after: .origin, records(1, 1...3))
        }
        disk.setLatency(nil)
        log = try await openLog(disk)
        try await log.append(incarnation: 1, after: .origin, records(1, 1...3))
        disk.crash(using: &generator)
        log = try await openLog(disk)
        #expect(try await readAll(log) == records(1, 1...3))
    }

    @Test("A torn tail is cut behind the last whole record")
    func tornTail() async throws {
        let disk = MemoryDisk()
        var log = try await openLog(disk)
        try await log.append(incarnation: 1, after: .origin, records(1, 1...3))
        try await log.append(incarnation: 1, after: position(1, 3), [record(1, 4), record(1, 5, length: 9_000)])
        disk.restart()
        // The last record's payload never reached the medium whole.
        disk.flip(logPath(disk), offset: JournalFormat.dataOffset + 4_096 + 6_000, mask: 1)
        log = try await openLog(disk)
        #expect(try await readAll(log) == records(1, 1...4))
        #expect(try await log.state().damaged.isEmpty)
        try await log.append(incarnation: 1, after: position(1, 4), records(1, 5...6))
        disk.restart()
        log = try await openLog(disk)
        #expect(try await readAll(log) == records(1, 1...6))
        #expect(try await log.state().damaged.isEmpty)
    }

    @Test("Rot before the tail is reported, never cut, and healed by writing again", arguments: [64, 80, 0, 100])
    func rotInTheMiddle(offset: Int) async throws {
        let disk = MemoryDisk()
        var log = try await openLog(disk)
        for first in [1, 4, 7] as [UInt64] {
            let previous = first == 1 ? JournalPosition.origin : position(1, first - 1)
            try await log.append(incarnation: 1, after: previous, records(1, first...first + 2))
        }
        disk.restart()
        disk.flip(logPath(disk), offset: JournalFormat.dataOffset + 4_096 + offset, mask: 0x10)
        log = try await openLog(disk)
        let state = try await log.state()
        #expect(state.last == position(1, 9) && state.damaged == [4..<7])
        #expect(try await log.read(from: 1, limitBytes: 1_000) == records(1, 1...3))
        #expect(await keeperError { _ = try await log.read(from: 5, limitBytes: 10) } == .damaged(4..<7))
        #expect(try await readAll(log, from: 7) == records(1, 7...9))
        try await log.append(incarnation: 1, after: position(1, 3), records(1, 4...9))
        for _ in 0..<2 {
            #expect(try await readAll(log) == records(1, 1...9))
            #expect(try await log.state().damaged.isEmpty)
            disk.restart()
            log = try await openLog(disk)
        }
    }

    @Test("A file of which nothing can be read leaves the end unknown until a mark says otherwise")
    func unreadableFile() async throws {
        let disk = MemoryDisk()
        var log = try await openLog(disk)
        try await log.append(incarnation: 1, after: .origin, [])
        for sequence in 1...10 as ClosedRange<UInt64> {
            let previous = sequence == 1 ? JournalPosition.origin : position(1, sequence - 1)
            try await log.append(incarnation: 1, after: previous, [record(1, sequence)])
        }
        disk.restart()
        for offset in [10, JournalFormat.headerSlot + 10] { disk.flip(logPath(disk), offset: offset, mask: 1) }
        log = try await openLog(disk)
        #expect(try await log.state().hasUnknownEnd)
        let last = try await log.state().last
        let rest = (last.sequence + 1...10).map { record(1, $0) }
        try await log.append(incarnation: 2, after: last, rest)
        disk.restart()
        log = try await openLog(disk)
        #expect(try await log.state().hasUnknownEnd)
        try await log.append(incarnation: 2, after: position(1, 10), [])
        for _ in 0..<2 {
            #expect(try await log.state().damaged.isEmpty)
            #expect(try await readAll(log) == records(1, 1...10))
            disk.restart()
            log = try await openLog(disk)
        }
    }

    @Test("A block that cannot be read is no reason to forget a promise of which there is a copy")
    func unreadablePromise() async throws {
        for slot in 0..<2 {
            let disk = MemoryDisk()
            let log = try await openLog(disk)
            try await log.append(incarnation: 1, after: .origin, [])
            try await log.append(incarnation: 1, after: .origin, records(1, 1...3))
            let promised = try await log.state().promised
            disk.restart()
            disk.spoil("journal/promise", offset: slot * JournalFormat.promiseSlot)
            let opened = try await openLog(disk)
            #expect(try await opened.state().promised == promised)
            #expect(try await readAll(opened) == records(1, 1...3))
        }
        let disk = MemoryDisk()
        _ = try await openLog(disk).state()
        disk.restart()
        for slot in 0..<2 { disk.spoil("journal/promise", offset: slot * JournalFormat.promiseSlot) }
        let error = await keeperError { _ = try await openLog(disk) }
        guard case .failed = error else { throw error ?? .full }
    }

    @Test("One rotten copy of a promise does no harm, and two keep the keeper out")
    func rottenPromise() async throws {
        let disk = MemoryDisk()
        let log = try await openLog(disk)
        try await log.append(incarnation: 1, after: .origin, records(1, 1...3))
        disk.restart()
        let slots = (0..<2).map { $0 * JournalFormat.promiseSlot }
        for offset in 0..<64 {
            for slot in slots {
                let copy = disk.copy()
                #expect(copy.flip("journal/promise", offset: slot + offset, mask: 0x10))
                let opened = try await openLog(copy)
                #expect(try await opened.state().promised == 1, "byte \(offset) of \(slot)")
                #expect(try await readAll(opened) == records(1, 1...3))
            }
            let copy = disk.copy()
            for slot in slots { #expect(copy.flip("journal/promise", offset: slot + offset, mask: 0x10)) }
            let error = await keeperError { _ = try await openLog(copy) }
            guard case .failed = error else { throw error ?? .full }
        }
    }

    @Test("No flipped bit anywhere makes a keeper give out a record that was never written")
    func everyFlip() async throws {
        let disk = MemoryDisk()
        let log = try await openLog(disk)
        try await log.append(incarnation: 1, after: .origin, records(1, 1...2))
        try await log.append(incarnation: 1, after: position(1, 2), records(1, 3...3))
        try await log.append(incarnation: 1, after: position(1, 3), records(1, 4...4))
        let path = logPath(disk)
        let places =
            Array(0..<128)
            + (0..<3).flatMap { block in
                let start = JournalFormat.dataOffset + block * 4_096
                return Array(start..<start + (block == 0 ? 192 : 128))
            }
        for offset in places {
            let copy = disk.copy()
            copy.flip(path, offset: offset, mask: UInt8(1 << (offset % 8)))
            let damaged = try await openLog(copy)
            let state = try await damaged.state()
            for sequence in 1...4 as ClosedRange<UInt64> {
                let found = (try? await damaged.read(from: sequence, limitBytes: 1))?.first
                #expect(found == nil || found == record(1, sequence), "flip at \(offset)")
                // Only the last batch can be taken for a torn one; everything before is still vouched for.
                let isKnown = found != nil || state.damaged.contains { $0.contains(sequence) }
                #expect(isKnown || sequence == 4, "flip at \(offset), record \(sequence)")
            }
        }
    }

    /// Of a new log that takes ten records, one by one, and begins a second file with the ninth.
    private static let writesOfTen = 20

    @Test(
        "A write that was acknowledged and is nowhere, or elsewhere, is damage or the log's end, and is healed",
        arguments: 0..<writesOfTen as Range<Int>,
        0...3 as ClosedRange<Int>
    )
    func lyingWrite(number: Int, blocks: Int) async throws {
        let disk = MemoryDisk()
        let kind = blocks == 0 ? WriteLie.Kind.lost : .misdirected(by: blocks * JournalFormat.blockSize)
        disk.inject(WriteLie(kind, pathPrefix: "journal/", after: number))
        var log = try await openLog(disk)
        for sequence in 1...10 as ClosedRange<UInt64> {
            let previous = sequence == 1 ? JournalPosition.origin : position(1, sequence - 1)
            try await log.append(incarnation: 1, after: previous, [record(1, sequence)])
        }
        disk.restart()
        disk.clearFaults()
        log = try await openLog(disk)
        let state = try await log.state()
        #expect(state.promised == 1)
        for sequence in 1...10 as ClosedRange<UInt64> {
            let found = (try? await log.read(from: sequence, limitBytes: 1))?.first
            #expect(found == nil || found == record(1, sequence))
            // What no later batch vouches for is taken for never written.
            let isKnown = found != nil || state.damaged.contains { $0.contains(sequence) }
            #expect(isKnown || sequence == 10, "record \(sequence)")
        }
        try await log.append(incarnation: 2, after: .origin, records(1, 1...10))
        try await log.append(incarnation: 2, after: position(1, 10), [])
        for _ in 0..<2 {
            #expect(try await log.state().damaged.isEmpty)
            #expect(try await readAll(log) == records(1, 1...10))
            disk.restart()
            log = try await openLog(disk)
        }
    }

    private func logPath(_ disk: MemoryDisk) -> String { disk.files.last { $0.contains("/log-") } ?? "" }
}
