import DiskFormat
import ObjectModel
import ShardStorage
import SystemInterface
import TestKit
import Testing

@Suite struct RoomTests {
    private var configuration: ShardDiskConfiguration {
        var configuration = TestDisk.configuration
        configuration.segmentLength = 2 << 20
        return configuration
    }

    /// A disk on a file system of which all but so many bytes are somebody else's.
    private func crowded(leaving room: Int) async throws -> (MemoryFileSystem, ShardDisk) {
        let fileSystem = MemoryFileSystem(capacity: 400 << 20)
        try await fileSystem.createDirectory("lost+found")
        let other = try await fileSystem.open("lost+found/other", .create)
        try await TestDisk.format(fileSystem)
        let disk = try await TestDisk.open(fileSystem, configuration: configuration)
        try await other.allocate(0..<fileSystem.disk.capacity - fileSystem.disk.used - room)
        return (fileSystem, disk)
    }

    @Test(
        "a full disk refuses writes, reads and erases on, and takes writes again after compaction",
        arguments: [1_000, 40_000, 300 << 10]
    )
    func full(length: Int) async throws {
        var generator = SplitMix64(seed: UInt64(length))
        let (fileSystem, disk) = try await crowded(leaving: 12 << 20)
        var shards: [TestShard] = []
        var error: ShardStorageError?
        while error == nil {
            let shard = TestShard(sequence: UInt64(shards.count), length: length, using: &generator)
            error = await storageError { try await shard.write(to: disk) }
            if error == nil { shards.append(shard) }
            try #require(shards.count < 40_000)
        }
        #expect(error == .full)
        #expect(disk.failure == nil)
        // Even the last bytes are gone.
        let rest = fileSystem.disk.capacity - fileSystem.disk.used
        try await fileSystem.open("lost+found/more", .create).allocate(0..<rest / 4_096 * 4_096)
        for shard in shards.prefix(20) { #expect(try await shard.isOn(disk)) }
        let gone = shards.enumerated().filter { $0.offset % 10 != 0 }.map { $0.element.id }
        #expect(try await disk.erase(gone) == gone.count)
        let compacted = try await disk.compact()
        #expect(!compacted.removed.isEmpty || length > ShardDiskConfiguration.punchLength)
        var written = 0
        for number in 0..<5 {
            let shard = TestShard(sequence: UInt64(100_000 + number), length: length, using: &generator)
            if await storageError({ try await shard.write(to: disk) }) == nil { written += 1 }
        }
        #expect(written == 5)
        for number in stride(from: 0, to: shards.count, by: 10) { #expect(try await shards[number].isOn(disk)) }
        let again = try await TestDisk.open(fileSystem.crash(using: &generator), configuration: configuration)
        #expect(again.inventory(after: nil, limit: .max).count == shards.count - gone.count + written)
        for number in stride(from: 0, to: shards.count, by: 10) { #expect(try await shards[number].isOn(again)) }
    }

    @Test("after a crash as before, what was punched out of an open segment is not taken for what compaction frees")
    func punchedAfterCrash() async throws {
        var generator = SplitMix64(seed: 31)
        let fileSystem = MemoryFileSystem(capacity: 1 << 30)
        try await TestDisk.format(fileSystem)
        let disk = try await TestDisk.open(fileSystem, configuration: TestDisk.configuration)
        var shards: [TestShard] = []
        for number in 0..<6 {
            shards.append(TestShard(sequence: UInt64(number), length: 300 << 10, using: &generator))
            try await shards[number].write(to: disk)
        }
        #expect(try await disk.erase(shards.prefix(4).map(\.id)) == 4)
        // Its sync makes the holes durable as well.
        try await TestShard(sequence: 6, length: 300 << 10, using: &generator).write(to: disk)
        let before = try await disk.statistics()
        let again = try await TestDisk.open(
            fileSystem.crash(using: &generator),
            configuration: TestDisk.configuration
        )
        let after = try await again.statistics()
        #expect(after.liveBytes == before.liveBytes)
        #expect(after.deadBytes < 300 << 10)
        #expect(after.deadBytes == before.deadBytes)
    }

    @Test("the room that is told is what a write is refused by", arguments: [1_000, 300 << 10])
    func toldRoom(length: Int) async throws {
        var generator = SplitMix64(seed: UInt64(length))
        let (_, disk) = try await crowded(leaving: 4 << 20)
        // An open segment of each kind: what is set aside in one is of no use to the other.
        for (number, length) in [1_000, 300 << 10].enumerated() {
            try await TestShard(sequence: UInt64(number), length: length, using: &generator).write(to: disk)
        }
        // Headers, trailers, footers, and what is rounded up to blocks.
        let overhead = 64 << 10
        for number in 2..<20_000 {
            let room = try await disk.statistics().room
            let shard = TestShard(sequence: UInt64(number), length: length, using: &generator)
            guard let error = await storageError({ try await shard.write(to: disk) }) else {
                #expect(room >= length)
                continue
            }
            #expect(error == .full)
            #expect(room < length + overhead)
            return
        }
        Issue.record("the disk never became full")
    }

    @Test("a segment that is far from full gives back its dead records when room is short")
    func openSegment() async throws {
        var generator = SplitMix64(seed: 23)
        let fileSystem = MemoryFileSystem(capacity: 400 << 20)
        try await fileSystem.createDirectory("lost+found")
        let other = try await fileSystem.open("lost+found/other", .create)
        try await TestDisk.format(fileSystem)
        var configuration = TestDisk.configuration
        configuration.segmentLength = 256 << 20
        let disk = try await TestDisk.open(fileSystem, configuration: configuration)
        try await other.allocate(0..<fileSystem.disk.capacity - fileSystem.disk.used - (12 << 20))
        var shards: [TestShard] = []
        while shards.count < 40_000 {
            let shard = TestShard(sequence: UInt64(shards.count), length: 1_000, using: &generator)
            guard await storageError({ try await shard.write(to: disk) }) == nil else { break }
            shards.append(shard)
        }
        let gone = shards.enumerated().filter { $0.offset % 10 != 0 }.map { $0.element.id }
        try await disk.erase(gone)
        let report = try await disk.compact()
        #expect(report.compacted.count == 1)
        #expect(report.removed == report.compacted)
        var written = 0
        while written < gone.count {
            let shard = TestShard(sequence: UInt64(100_000 + written), length: 1_000, using: &generator)
            guard await storageError({ try await shard.write(to: disk) }) == nil else { break }
            written += 1
        }
        #expect(written > gone.count * 3 / 4)
        for number in stride(from: 0, to: shards.count, by: 10) { #expect(try await shards[number].isOn(disk)) }
    }

    @Test("compaction moves what lives, keeps stamps, and drops tombstones once nothing needs them")
    func compaction() async throws {
        var generator = SplitMix64(seed: 21)
        var (fileSystem, disk) = try await TestDisk.make()
        var kept: [TestShard] = []
        var gone: [ShardID] = []
        for number in 0..<60 {
            let length = number % 5 == 0 ? 280 << 10 : 30_000
            let shard = TestShard(sequence: UInt64(number), length: length, using: &generator)
            try await shard.write(to: disk)
            if number % 6 == 0 { kept.append(shard) } else { gone.append(shard.id) }
        }
        try await disk.erase(gone)
        let before = fileSystem.disk.used
        var report = try await disk.compact()
        #expect(!report.compacted.isEmpty)
        #expect(report.copiedShards > 0)
        #expect(report.bad.isEmpty)
        for _ in 0..<3 { report = try await disk.compact() }
        #expect(report.compacted.isEmpty)
        #expect(fileSystem.disk.used < before)
        for shard in kept {
            #expect(try await shard.isOn(disk))
            #expect(try await disk.verify(shard.id).isGood)
        }
        for _ in 0..<2 {
            fileSystem = fileSystem.crash(using: &generator)
            disk = try await TestDisk.open(fileSystem)
            #expect(disk.inventory(after: nil, limit: 100).map(\.shard) == kept.map(\.id).sorted())
            _ = try await disk.compact()
        }
        // Erase the rest: in the end hardly anything is left, tombstones neither.
        try await disk.erase(kept.map(\.id))
        for _ in 0..<6 {
            try await disk.close()
            fileSystem = fileSystem.restart()
            disk = try await TestDisk.open(fileSystem)
            _ = try await disk.compact()
        }
        let statistics = try await disk.statistics()
        #expect(statistics.shardCount == 0)
        #expect(statistics.segmentCount <= 2)
    }

    @Test("a tombstone outlives its segment as long as the record that it kills is on the disk")
    func movedTombstone() async throws {
        var generator = SplitMix64(seed: 24)
        let (fileSystem, disk) = try await TestDisk.make()
        var shards: [TestShard] = []
        func write(until count: Int) async throws {
            while shards.count < count {
                shards.append(TestShard(sequence: UInt64(shards.count), length: 30_000, using: &generator))
                try await shards[shards.count - 1].write(to: disk)
            }
        }
        // The first segment is full, and keeps its dead record: hardly anything of it is dead.
        try await write(until: 45)
        let victim = shards[0].id
        try await disk.erase([victim])
        try await write(until: 85)
        let bySegment = Dictionary(grouping: disk.inventory(after: nil, limit: 100), by: \.segment)
        let segments = bySegment.keys.sorted()
        try #require(segments.count == 3)
        // The second, with the tombstone, has nothing else that counts.
        try await disk.erase((bySegment[segments[1]] ?? []).map(\.shard))
        let report = try await disk.compact()
        #expect(report.removed == [segments[1]])
        let left = disk.inventory(after: nil, limit: 100).map(\.shard)
        let reopened = try await TestDisk.open(fileSystem.crash(using: &generator))
        #expect(!reopened.contains(victim))
        #expect(reopened.inventory(after: nil, limit: 100).map(\.shard) == left)
    }

    /// Found by reading: marking or removing such a segment ended all writes to the disk.
    @Test("segments that somebody removes beneath an open disk are compacted from the open files")
    func removedBeneath() async throws {
        var generator = SplitMix64(seed: 27)
        let (fileSystem, disk) = try await TestDisk.make()
        let shards = try await TestShard.fillSegments(disk, &generator)
        let entries = disk.inventory(after: nil, limit: 200)
        let first = try #require(entries.map(\.segment).min())
        let there = entries.filter { $0.segment == first }.map(\.shard)
        #expect(there.count < 100)
        try await disk.erase(Array(there.dropFirst(2)))
        try await fileSystem.remove(TestDisk.path(first))
        let report = try await disk.compact()
        #expect(report.compacted == [first] && report.removed == [first])
        #expect(disk.failure == nil)
        for shard in shards where there.prefix(2).contains(shard.id) { #expect(try await shard.isOn(disk)) }
    }

    /// Found by reading: the name of a segment that was compacted away was removed, whatever lay there.
    @Test("compaction removes no segment that lies under another's name")
    func exchangedBeneath() async throws {
        var generator = SplitMix64(seed: 28)
        let (fileSystem, disk) = try await TestDisk.make()
        let shards = try await TestShard.fillSegments(disk, &generator)
        let entries = disk.inventory(after: nil, limit: 200)
        let segments = Set(entries.map(\.segment)).sorted()
        try #require(segments.count > 1)
        let paths = segments.prefix(2).map(TestDisk.path)
        try await disk.erase(Array(entries.filter { $0.segment == segments[0] }.map(\.shard).dropFirst(2)))
        try await fileSystem.exchange(paths[0], paths[1])
        #expect(try await disk.compact().removed == [segments[0]])
        #expect(disk.failure == nil)

        // What somebody does who finds the names exchanged.
        try await fileSystem.rename(paths[0], to: paths[1])
        try await disk.close()
        let again = try await TestDisk.open(fileSystem.restart())
        let there = Set(entries.filter { $0.segment == segments[1] }.map(\.shard))
        for shard in shards where there.contains(shard.id) { #expect(try await shard.isOn(again)) }
    }

    @Test("restarts without number leave few segments")
    func restarts() async throws {
        var generator = SplitMix64(seed: 22)
        var (fileSystem, disk) = try await TestDisk.make()
        for round in 0..<40 {
            try await TestShard(sequence: UInt64(round), length: 500, using: &generator).write(to: disk)
            fileSystem = fileSystem.crash(using: &generator)
            disk = try await TestDisk.open(fileSystem)
            _ = try await disk.compact()
        }
        #expect(disk.inventory(after: nil, limit: 100).count == 40)
        #expect(try await disk.statistics().segmentCount <= 10)
    }
}
