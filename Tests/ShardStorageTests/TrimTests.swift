import ObjectModel
import ShardStorage
import SystemInterface
import TestKit
import Testing

/// Room that was preallocated for records that do not come.
@Suite struct TrimTests {
    private let configuration = ShardDiskConfiguration()

    private func newDisk() async throws -> (MemoryFileSystem, ShardDisk, ManualTime) {
        let fileSystem = MemoryFileSystem(capacity: 1 << 30)
        let time = ManualTime()
        try await TestDisk.format(fileSystem)
        return (fileSystem, try await TestDisk.open(fileSystem, configuration: configuration, time: time), time)
    }

    @Test(
        "a disk to which nothing is written holds little more than its shards, and takes more",
        arguments: [10_000, 300_000]
    )
    func quiet(length: Int) async throws {
        var generator = SplitMix64(seed: 41)
        let (fileSystem, disk, time) = try await newDisk()
        let empty = fileSystem.disk.used
        var shards: [TestShard] = []
        for round in 0..<3 {
            for _ in 0..<4 {
                shards.append(TestShard(sequence: UInt64(shards.count), length: length, using: &generator))
                try await shards[shards.count - 1].write(to: disk)
            }
            _ = try await disk.compact()
            time.advance(by: configuration.quietTime / 2)
            _ = try await disk.compact()
            #expect(fileSystem.disk.used - empty >= configuration.growthLength)
            // Whoever writes in between keeps it.
            if round == 1 {
                shards.append(TestShard(sequence: UInt64(shards.count), length: length, using: &generator))
                try await shards[shards.count - 1].write(to: disk)
                time.advance(by: configuration.quietTime / 2)
                _ = try await disk.compact()
                #expect(fileSystem.disk.used - empty >= configuration.growthLength)
            }
            time.advance(by: configuration.quietTime)
            _ = try await disk.compact()
            #expect(fileSystem.disk.used - empty < shards.count * length + (1 << 18))
            #expect(try await disk.statistics().segmentCount == 1)
        }
        for shard in shards { #expect(try await shard.isOn(disk)) }
        let again = try await TestDisk.open(fileSystem.crash(using: &generator), configuration: configuration)
        for shard in shards { #expect(try await shard.isOn(again)) }
    }

    @Test("a shard that is being written keeps its room, however long it takes")
    func openWriter() async throws {
        var generator = SplitMix64(seed: 42)
        let (fileSystem, disk, time) = try await newDisk()
        let empty = fileSystem.disk.used
        let shard = TestShard(sequence: 1, length: 300_000, using: &generator)
        let writer = try await disk.begin(shard.header)
        try await writer.append([BufferSlice(copying: Array(shard.body[..<131_072]))], at: 0)
        for _ in 0..<4 {
            _ = try await disk.compact()
            time.advance(by: configuration.quietTime)
        }
        #expect(fileSystem.disk.used - empty >= configuration.growthLength)
        try await writer.append([BufferSlice(copying: Array(shard.body[131_072...]))], at: 131_072)
        try await writer.seal(trailer: shard.trailer, leafChecksums: shard.leafChecksums)
        #expect(try await shard.isOn(disk))
    }
}
