import ObjectModel
import ShardStorage
import Synchronization
import SystemInterface
import TestKit
import Testing

/// What a disk may say of one shard: after an operation that failed, more than one thing.
private struct Expectation {
    /// Nil: that it is not there.
    var candidates: [TestShard?]
    /// An unacknowledged write may be there and torn, when nothing acknowledged is.
    var mayBeTorn = false
}

/// Random operations on one disk, with crashes among them, against a model of what was acknowledged.
private struct CrashModel {
    /// A promise that was not kept, and what was done before.
    struct Violation: Error, CustomStringConvertible {
        var text: String
        var done: [String] = []

        var description: String { "\(text), after \(done.joined(separator: ", "))" }
    }

    var generator: SplitMix64
    var fileSystem: MemoryFileSystem
    var disk: ShardDisk
    var expected: [ShardID: Expectation] = [:]
    var crashes = 0
    private var done: [String] = []

    static let faults: [DiskOperation] = [
        .write, .sync, .allocate, .punch, .remove, .truncate, .syncDirectory, .rename, .open,
    ]

    init(seed: UInt64) async throws {
        generator = SplitMix64(seed: seed)
        fileSystem = MemoryFileSystem(capacity: 1 << 30)
        try await TestDisk.format(fileSystem)
        disk = try await Self.open(fileSystem, seed)
    }

    static func open(_ fileSystem: MemoryFileSystem, _ seed: UInt64) async throws -> ShardDisk {
        var configuration = TestDisk.configuration
        configuration.segmentLength = 256 << 10
        configuration.growthLength = 64 << 10
        configuration.reserveLength = 0
        // Both ways of writing a batch meet in one segment.
        configuration.directBatchLength = 6_000
        configuration.directReadLength = 2_000
        // Room is given back by each second compaction.
        configuration.quietTime = .zero
        return try await TestDisk.open(fileSystem, seed: seed, configuration: configuration)
    }

    /// Each step draws from a seed of its own, so that one that is left out does not change the others.
    mutating func run(_ steps: [UInt64]) async throws {
        do {
            for step in steps {
                generator = SplitMix64(seed: step)
                try await take()
            }
            try await crash()
        } catch let violation as Violation {
            throw Violation(text: violation.text, done: done)
        }
    }

    private mutating func take() async throws {
        if generator.next() % 12 == 0 {
            let fault = Self.faults[Int(generator.next() % UInt64(Self.faults.count))]
            let after = Int(generator.next() % 6)
            fileSystem.disk.inject(DiskFault(fault, after: after, times: .max, code: .gone))
            done.append("\(fault) fails after \(after)")
        }
        do {
            try await operate()
            if generator.next() % 25 == 0 { try await crash() }
        } catch is ShardStorageError {
            done.append("which failed")
            try await crash()
        }
    }

    private mutating func operate() async throws {
        switch generator.next() % 10 {
        case 0...3: try await write(length: Int(generator.next() % 9_000))
        case 4: try await write(length: (256 << 10) + Int(generator.next() % 100_000))
        case 5, 6: try await writeMany()
        case 7: try await erase()
        case 8: try await beginAndLeave()
        default: try await compactOrScrub()
        }
    }

    private mutating func pick() -> UInt64 { generator.next() % 40 }

    private mutating func newShard(_ length: Int) -> TestShard {
        let shard = TestShard(sequence: pick(), length: length, using: &generator)
        let before = expected[shard.id]?.candidates ?? [nil]
        expected[shard.id] = Expectation(candidates: before + [shard], mayBeTorn: before.contains { $0 == nil })
        return shard
    }

    private mutating func write(length: Int) async throws {
        let shard = newShard(length)
        done.append("write \(shard.id.blob.sequence), \(length) bytes")
        try await shard.write(to: disk)
        expected[shard.id] = Expectation(candidates: [shard])
    }

    /// Writers that meet in one round of the group commit.
    private mutating func writeMany() async throws {
        var shards: [ShardID: TestShard] = [:]
        for _ in 0..<6 {
            let length = Int(generator.next() % 3_000)
            let shard = TestShard(sequence: pick(), length: length, using: &generator)
            if shards[shard.id] == nil { shards[shard.id] = shard }
        }
        for (id, shard) in shards {
            let before = expected[id]?.candidates ?? [nil]
            expected[id] = Expectation(candidates: before + [shard], mayBeTorn: before.contains { $0 == nil })
        }
        done.append("write at once \(shards.keys.map(\.blob.sequence).sorted())")
        let disk = disk
        let written = await withTaskGroup(of: ShardID?.self) { group in
            for shard in shards.values {
                group.addTask { (try? await shard.write(to: disk)) == nil ? nil : shard.id }
            }
            return await group.reduce(into: [ShardID]()) { result, id in if let id { result.append(id) } }
        }
        for id in written { if let shard = shards[id] { expected[id] = Expectation(candidates: [shard]) } }
        if written.count < shards.count { throw ShardStorageError.closed }
    }

    private mutating func erase() async throws {
        let ids = (0..<3).map { _ in ShardID(blob: BlobID(incarnation: 1, lease: 1, sequence: pick()), index: 0) }
        for id in ids { expected[id, default: Expectation(candidates: [nil])].candidates.append(nil) }
        done.append("erase \(ids.map(\.blob.sequence))")
        try await disk.erase(ids)
        for id in ids { expected[id] = Expectation(candidates: [nil]) }
    }

    private mutating func beginAndLeave() async throws {
        let length = (256 << 10) + Int(generator.next() % 50_000)
        // Never sealed, so never in the model.
        let shard = TestShard(sequence: 1_000 + pick(), length: length, using: &generator)
        done.append("begin \(shard.id.blob.sequence), \(length) bytes")
        let writer = try await disk.begin(shard.header)
        try await writer.append([BufferSlice(copying: shard.body)], at: 0)
        if generator.next() % 2 == 0 { await writer.abort() }
    }

    private mutating func compactOrScrub() async throws {
        if generator.next() % 3 == 0 {
            done.append("scrub")
            let report = try await disk.scrub(rate: .max)
            try expect(report.bad.isEmpty, "a scrub finds \(report.bad.count) bad shards")
        } else {
            done.append("compact")
            _ = try await disk.compact()
        }
    }

    private mutating func crash() async throws {
        crashes += 1
        fileSystem.disk.clearFaults()
        // After a failed sync the page cache shows what is not on the medium, and the disk in memory has no direct
        // reads.
        if disk.failure == nil, generator.next() % 3 == 0 {
            done.append("restart")
            fileSystem = fileSystem.restart()
        } else {
            done.append("crash")
            fileSystem = fileSystem.crash(using: &generator)
        }
        disk = try await Self.open(fileSystem, generator.next())
        try await check()
    }

    private func expect(_ holds: Bool, _ text: @autoclosure () -> String) throws {
        if !holds { throw Violation(text: text()) }
    }

    private mutating func check() async throws {
        let found = disk.inventory(after: nil, limit: 1_000).map(\.shard)
        try expect(found.allSatisfy { $0.blob.sequence < 1_000 }, "an unsealed shard is visible")
        for id in found { try expect(expected[id] != nil, "shard \(id) from nowhere") }
        for id in expected.keys.sorted() {
            guard let expectation = expected[id] else { continue }
            try await check(id, expectation)
        }
    }

    private mutating func check(_ id: ShardID, _ expectation: Expectation) async throws {
        guard disk.contains(id) else {
            let mayBeGone = expectation.candidates.contains { $0 == nil }
            try expect(mayBeGone, "shard \(id) is lost at crash \(crashes)")
            expected[id] = Expectation(candidates: [nil])
            return
        }
        for case let shard? in expectation.candidates {
            if (try? await shard.isOn(disk)) == true {
                let result = try await disk.verify(id)
                try expect(result == .good, "shard \(id) is there, and verified as \(result)")
                expected[id] = Expectation(candidates: [shard])
                return
            }
        }
        let isBad = try await !disk.verify(id).isGood
        try expect(expectation.mayBeTorn && isBad, "shard \(id) is wrong at crash \(crashes)")
        try await disk.erase([id])
        expected[id] = Expectation(candidates: [nil])
    }
}

@Suite struct CrashModelTests {
    @Test(
        "what a killed process left unsynced, names too, is on the medium before what builds on it is acknowledged",
        arguments: 1...12,
        1...8 as ClosedRange<UInt64>
    )
    func killedThenPowerCut(operation: Int, seed: UInt64) async throws {
        var generator = SplitMix64(seed: seed)
        let disk = MemoryDisk()
        try await TestDisk.format(disk.mount())
        let first = try await TestDisk.open(disk.mount())
        let calls = Mutex(0)
        disk.setLatency { _, _, _ in
            if calls.withLock({
                $0 += 1; return $0
            }) == operation {
                disk.restart()
            }
        }
        let unacknowledged = TestShard(sequence: 1, length: 100, using: &generator)
        try? await unacknowledged.write(to: first)
        disk.setLatency(nil)
        disk.restart()
        let acknowledged = TestShard(sequence: 2, length: 100, using: &generator)
        try await acknowledged.write(to: try await TestDisk.open(disk.mount()))
        disk.crash(using: &generator)
        let last = try await TestDisk.open(disk.mount())
        #expect(last.contains(acknowledged.id))
        #expect(try await acknowledged.isOn(last))
    }

    @Test(
        "what was acknowledged survives every crash, and nothing erased or unsealed comes back",
        arguments: 1...12 as ClosedRange<UInt64>
    )
    func survives(seed: UInt64) async throws {
        var generator = SplitMix64(seed: seed)
        var crashes = 0
        try await Shrinking.check((0..<100).map { _ in generator.next() }) { steps in
            var model = try await CrashModel(seed: seed)
            try await model.run(steps)
            crashes = model.crashes
        }
        #expect(crashes > 3)
    }
}
