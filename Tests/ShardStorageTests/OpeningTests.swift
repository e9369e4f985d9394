import DiskFormat
import ObjectModel
import ShardStorage
import SystemInterface
import TestKit
import Testing

@Suite struct OpeningTests {
    private func open(
        _ fileSystem: any FileSystem,
        _ expectation: DiskExpectation
    ) async throws(ShardStorageError) -> ShardDisk {
        try await ShardDisk.open(
            fileSystem: fileSystem,
            expecting: expectation,
            time: ManualTime(),
            random: SeededRandom(seed: 1),
            configuration: TestDisk.configuration
        )
    }

    @Test("an empty or unmounted folder is not a disk, and nothing is written to it")
    func empty() async throws {
        let fileSystem = MemoryFileSystem()
        #expect(await storageError { _ = try await TestDisk.open(fileSystem) } == .notFormatted)
        #expect(try await fileSystem.list(RelativePath.root).isEmpty)
    }

    @Test("a folder that holds anything is never formatted")
    func notEmpty() async throws {
        let fileSystem = MemoryFileSystem()
        _ = try await fileSystem.open("precious", .create)
        #expect(await storageError { try await TestDisk.format(fileSystem) } == .notEmpty("precious"))
        let (formatted, _) = try await TestDisk.make()
        #expect(await storageError { try await TestDisk.format(formatted) } == .notEmpty("disk"))
    }

    @Test("what a formatting leaves that was cut off at any call is done over; a segment in it is not")
    func formattedInPart() async throws {
        var (calls, isDone) = (0, false)
        while !isDone {
            let fileSystem = MemoryFileSystem()
            fileSystem.disk.inject(DiskFault(.open, after: calls, times: .max, code: .gone))
            fileSystem.disk.inject(DiskFault(.rename, after: calls / 2, times: .max, code: .gone))
            isDone = await storageError { try await TestDisk.format(fileSystem) } == nil
            fileSystem.disk.clearFaults()
            let again = fileSystem.restart()
            if !isDone { try await TestDisk.format(again) }
            _ = try await TestDisk.open(again)
            calls += 1
        }
        let used = MemoryFileSystem()
        for folder in ["segments", "reserve"] { try await used.createDirectory(folder) }
        _ = try await used.open("disk.new", .create)
        _ = try await used.open("segments/0000000000000001.seg", .create)
        #expect(await storageError { try await TestDisk.format(used) } == .notEmpty("segments"))
    }

    @Test("a foreign, another and a stale disk are told apart, and left as they are")
    func foreign() async throws {
        let (fileSystem, disk) = try await TestDisk.make()
        try await disk.close()
        let again = fileSystem.restart()
        let other = Identifier128(high: 9, low: 9)
        let foreign = await storageError { _ = try await open(again, DiskExpectation(cluster: ClusterID(other))) }
        guard case .foreignDisk = foreign else { throw foreign ?? .closed }
        let wrong = DiskExpectation(cluster: TestDisk.cluster, disk: DiskID(other))
        let another = await storageError { _ = try await open(again, wrong) }
        guard case .foreignDisk = another else { throw another ?? .closed }
        let stale = DiskExpectation(cluster: TestDisk.cluster, disk: TestDisk.identity.disk, epoch: 6)
        #expect(await storageError { _ = try await open(again, stale) } == .staleDisk(found: 5, expected: 6))
        let opened = try await TestDisk.open(again)
        try await opened.raiseEpoch(to: 6)
        #expect(try await open(again.restart(), stale).identity.epoch == 6)
    }

    @Test("a disk is open once")
    func locked() async throws {
        let (fileSystem, disk) = try await TestDisk.make()
        let second = fileSystem.disk.mount()
        #expect(await storageError { _ = try await TestDisk.open(second) } == .locked)
        try await disk.close()
        let shard = ShardID(blob: BlobID(incarnation: 1, lease: 1, sequence: 1), index: 0)
        #expect(await storageError { _ = try await disk.read(shard, ranges: []) } == .closed)
    }

    @Test("a damaged identity is read from its copy; with both gone the disk is refused")
    func identityCopies() async throws {
        let (fileSystem, _) = try await TestDisk.make()
        fileSystem.disk.flip("disk", offset: 60, mask: 4)
        let again = fileSystem.restart()
        #expect(try await TestDisk.open(again).identity.disk == TestDisk.identity.disk)
        again.disk.flip("disk", offset: 60, mask: 4)
        again.disk.flip("disk", offset: 60, mask: 4)
        again.disk.flip("disk", offset: 60, mask: 8)
        again.disk.flip("disk", offset: 4_096 + 60, mask: 4)
        let error = await storageError { _ = try await TestDisk.open(again.restart()) }
        guard case .corrupt = error else { throw error ?? .closed }
    }

    @Test("what is sealed behind shards that were never sealed is found after a crash")
    func behindUnsealed() async throws {
        var generator = SplitMix64(seed: 71)
        let (fileSystem, disk) = try await TestDisk.make()
        var writers: [any Sendable] = []
        var sealed: [TestShard] = []
        for sequence in 0..<4 as Range<UInt64> {
            let left = TestShard(sequence: 100 + sequence, length: 300_000, using: &generator)
            let writer = try await disk.begin(left.header)
            try await writer.append([BufferSlice(copying: left.body)], at: 0)
            writers.append(writer)
            let shard = TestShard(sequence: sequence, length: 300_000, using: &generator)
            try await shard.write(to: disk)
            sealed.append(shard)
        }
        let again = try await TestDisk.open(fileSystem.crash(using: &generator))
        #expect(again.inventory(after: nil, limit: 100).map(\.shard) == sealed.map(\.id))
        for shard in sealed { #expect(try await shard.isOn(again)) }
    }

    @Test("segment ids are never used again, whatever was removed")
    func segmentIDs() async throws {
        var generator = SplitMix64(seed: 1)
        var (fileSystem, disk) = try await TestDisk.make()
        var seen: Set<UInt64> = []
        for round in 0..<4 {
            let shard = TestShard(sequence: UInt64(round), length: 900, using: &generator)
            try await shard.write(to: disk)
            let segment = try #require(disk.inventory(after: nil, limit: 1).first).segment
            #expect(seen.insert(segment).inserted)
            try await disk.erase([shard.id])
            try await disk.close()
            fileSystem = fileSystem.restart()
            for name in try await fileSystem.list("segments") { try await fileSystem.remove("segments/\(name)") }
            try await fileSystem.syncDirectory("segments")
            disk = try await TestDisk.open(fileSystem)
        }
    }

    @Test("a segment file with a name of its own making uses up no ids, and takes nobody down")
    func madeUpNames() async throws {
        var generator = SplitMix64(seed: 1)
        let (fileSystem, disk) = try await TestDisk.make()
        let old = TestShard(sequence: 1, length: 900, using: &generator)
        try await old.write(to: disk)
        try await disk.close()
        let again = fileSystem.restart()
        let name = try #require(try await again.list("segments").first)
        let file = try await again.open("segments/\(name)", .read)
        let content = try await file.bytes(file.length())
        let copies = ["0000000080000000.seg", "00000000ffffffff.seg", "fffffffffffffffe.seg", "ffffffffffffffff.seg"]
        for copy in copies {
            try await again.make("segments/\(copy)", content)
        }
        let opened = try await TestDisk.open(again)
        #expect(opened.recovery.unreadableSegments == copies)
        let new = TestShard(sequence: 2, length: 300_000, using: &generator)
        try await new.write(to: opened)
        for shard in [old, new] { #expect(try await shard.isOn(opened)) }
    }
}
