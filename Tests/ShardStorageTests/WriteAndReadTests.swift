import DiskFormat
import ObjectModel
import ShardStorage
import SystemInterface
import TestKit
import Testing

@Suite struct WriteAndReadTests {
    static let lengths = [
        0, 1, 63, 64, 1_000, 4_095, 65_535, 65_536, 65_537, 200_000, (256 << 10) - 1, 256 << 10, (256 << 10) + 1,
        700_001, 3 << 20,
    ]

    @Test("shards of every size come back, also after a restart and after a crash", arguments: lengths)
    func comesBack(length: Int) async throws {
        var generator = SplitMix64(seed: UInt64(length))
        let (fileSystem, disk) = try await TestDisk.make()
        let shard = TestShard(sequence: 1, length: length, using: &generator)
        try await shard.write(to: disk)
        #expect(try await shard.isOn(disk))
        #expect(try await disk.verify(shard.id) == .good)
        let (header, trailer) = try await disk.describe(shard.id)
        #expect(header == shard.header)
        #expect(trailer == shard.trailer)

        let crashed = fileSystem.crash(using: &generator)
        let again = try await TestDisk.open(crashed)
        #expect(try await shard.isOn(again))
        #expect(try await again.verify(shard.id) == .good)
        #expect(again.recovery.damaged.isEmpty)
        try await again.close()

        let closed = try await TestDisk.open(crashed.restart())
        #expect(closed.recovery.walked == 0)
        #expect(try await shard.isOn(closed))
    }

    @Test("cells in any order, sealed, read by ranges that are widened to leaves")
    func writerAndRanges() async throws {
        var generator = SplitMix64(seed: 2)
        let (_, disk) = try await TestDisk.make()
        let length = (1 << 20) + 12_352
        var shard = TestShard(sequence: 9, index: 5, length: length, using: &generator)
        shard.header.bodyCapacity = 2 << 20
        let writer = try await disk.begin(shard.header)
        try await writer.append([BufferSlice(copying: shard.body[(1 << 20)...])], at: 1 << 20)
        try await writer.append([BufferSlice(copying: shard.body[(512 << 10)..<(1 << 20)])], at: 512 << 10)
        let first = BufferSlice(copying: shard.body[..<(256 << 10)])
        let second = BufferSlice(copying: shard.body[(256 << 10)..<(512 << 10)])
        try await writer.append([first, second], at: 0)
        #expect(await storageError { _ = try await disk.read(shard.id, ranges: []) } == .notFound(shard.id))
        try await writer.seal(trailer: shard.trailer, leafChecksums: shard.leafChecksums)
        #expect(try await shard.isOn(disk))
        #expect(try await disk.verify(shard.id).isGood)

        let ranges = [0..<1, 65_536..<65_537, 100_000..<200_000, (length - 1)..<length, 5..<5]
        let read = try await disk.read(shard.id, ranges: ranges)
        #expect(read.parts.map(\.range) == [0..<65_536, 65_536..<131_072, 65_536..<262_144, (1 << 20)..<length, 5..<5])
        for part in read.parts {
            #expect(part.bytes.flatMap { $0.copied() } == Array(shard.body[part.range]))
            let first = part.range.lowerBound >> 16
            let leaves = part.range.isEmpty ? 0..<0 : first..<Leaf.count(of: part.range.upperBound)
            #expect(part.leafChecksums == Array(shard.leafChecksums[leaves]))
        }
        let now = try #require(disk.readNow(shard.id, ranges: ranges))
        for (left, right) in zip(now.parts, read.parts) {
            #expect(left.bytes.flatMap { $0.copied() } == right.bytes.flatMap { $0.copied() })
        }
        let beyond = await storageError { _ = try await disk.read(shard.id, ranges: [0..<length + 1]) }
        #expect(beyond != nil)
    }

    @Test("what is wrong in a writer's hands is refused, and nothing becomes visible")
    func refusals() async throws {
        var generator = SplitMix64(seed: 3)
        let (_, disk) = try await TestDisk.make()
        let shard = TestShard(sequence: 1, length: 300 << 10, using: &generator)
        let writer = try await disk.begin(shard.header)
        let cell = BufferSlice(copying: shard.body[..<(64 << 10)])
        #expect(await storageError { try await writer.append([cell], at: 100) } != nil)
        #expect(await storageError { try await writer.append([cell], at: 256 << 10) } != nil)
        try await writer.append([cell], at: 64 << 10)
        let gap = await storageError {
            try await writer.seal(trailer: shard.trailer, leafChecksums: Array(shard.leafChecksums.prefix(2)))
        }
        #expect(gap != nil)
        await writer.abort()
        #expect(await storageError { try await writer.append([cell], at: 0) } != nil)
        var wrong = shard
        wrong.leafChecksums.removeLast()
        #expect(await storageError { try await wrong.write(to: disk) } != nil)
        wrong = shard
        wrong.trailer.shardDigests.removeLast()
        #expect(await storageError { try await wrong.write(to: disk) } != nil)
        #expect(disk.inventory(after: nil, limit: 10).isEmpty)
        try await shard.write(to: disk)
        #expect(try await shard.isOn(disk))
    }

    @Test("of two records of one shard the later one counts, also after a crash; erasing takes both")
    func rewriting() async throws {
        var generator = SplitMix64(seed: 4)
        let (fileSystem, disk) = try await TestDisk.make()
        for length in [500, 300 << 10] {
            let old = TestShard(sequence: UInt64(length), length: length, using: &generator)
            let new = TestShard(sequence: UInt64(length), length: length, using: &generator)
            try await old.write(to: disk)
            try await new.write(to: disk)
            #expect(try await new.isOn(disk))
        }
        let again = try await TestDisk.open(fileSystem.crash(using: &generator))
        #expect(again.inventory(after: nil, limit: 10).count == 2)
        let ids = again.inventory(after: nil, limit: 10).map(\.shard)
        #expect(try await again.erase(ids) == 2)
        #expect(again.inventory(after: nil, limit: 10).isEmpty)
        #expect(try await again.erase(ids) == 0)
    }

    @Test("erased shards are gone for good, stamps protect what was written anew, and bodies are given back")
    func erasing() async throws {
        var generator = SplitMix64(seed: 5)
        let (fileSystem, disk) = try await TestDisk.make()
        var shards: [TestShard] = []
        for number in 0..<12 {
            let length = number % 3 == 0 ? 400 << 10 : 900
            shards.append(TestShard(sequence: UInt64(number), length: length, using: &generator))
            try await shards[number].write(to: disk)
        }
        let used = fileSystem.disk.used
        #expect(try await disk.erase([ShardErasure(shards[0].id, writeStamp: 1)]) == 0)
        #expect(try await disk.erase([ShardErasure(shards[0].id, writeStamp: shards[0].header.writeStamp)]) == 1)
        #expect(fileSystem.disk.used <= used - (399 << 10))
        try await disk.erase((1..<6).map { shards[$0].id })
        let reopened = try await TestDisk.open(fileSystem.crash(using: &generator))
        for (number, shard) in shards.enumerated() {
            if number < 6 {
                #expect(await storageError { _ = try await reopened.read(shard.id, ranges: []) } == .notFound(shard.id))
            } else {
                #expect(try await shard.isOn(reopened))
            }
        }
        let statistics = try await reopened.statistics()
        #expect(statistics.shardCount == 6)
        #expect(statistics.deadBytes > 0)
    }

    @Test("inventory goes through all shards in order, page by page")
    func inventory() async throws {
        var generator = SplitMix64(seed: 6)
        let (_, disk) = try await TestDisk.make()
        let numbers = (0..<700).map { UInt64($0) }.shuffled(using: &generator)
        for number in numbers {
            let shard = TestShard(sequence: number / 6, index: UInt8(number % 6), length: 10, using: &generator)
            try await shard.write(to: disk)
        }
        var found: [ShardID] = []
        while true {
            let page = disk.inventory(after: found.last, limit: 97)
            if page.isEmpty { break }
            found += page.map(\.shard)
        }
        #expect(found == found.sorted())
        #expect(found.count == 700)
    }

    @Test("concurrent small writes share their flushes")
    func groupCommit() async throws {
        let (fileSystem, disk) = try await TestDisk.make()
        let counter = Counter()
        fileSystem.disk.setLatency { operation, _, _ in
            if operation == .sync { counter.add() }
            for _ in 0..<20 { await Task.yield() }
        }
        let before = counter.value
        try await withThrowingTaskGroup(of: Void.self) { group in
            for number in 0..<64 {
                group.addTask {
                    var generator = SplitMix64(seed: UInt64(number))
                    let shard = TestShard(sequence: UInt64(number), length: 1_000, using: &generator)
                    try await shard.write(to: disk)
                    let isThere = try await shard.isOn(disk)
                    #expect(isThere)
                }
            }
            try await group.waitForAll()
        }
        #expect(disk.inventory(after: nil, limit: 100).count == 64)
        #expect(counter.value - before < 40)
    }
}
