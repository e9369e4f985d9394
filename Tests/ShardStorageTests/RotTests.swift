import DiskFormat
import ObjectModel
import ShardStorage
import SystemInterface
import TestKit
import Testing

@Suite struct RotTests {
    @Test(
        "a rotten header in the middle costs its own record and no other; it is reported, not cut",
        arguments: [2, 11]
    )
    func headerRot(victim: Int) async throws {
        var generator = SplitMix64(seed: 7)
        let (fileSystem, disk) = try await TestDisk.make()
        let shards = try await TestShard.fill(disk, &generator)
        let place = try #require(disk.inventory(after: nil, limit: 100).first { $0.shard == shards[victim].id })
        fileSystem.disk.flip(TestDisk.path(place.segment), offset: place.offset + 40, mask: 1)
        // No footer: the segments are walked.
        let again = fileSystem.crash(using: &generator)
        let reopened = try await TestDisk.open(again)
        #expect(reopened.recovery.rot.map(\.segment) == [place.segment])
        for (number, shard) in shards.enumerated() {
            let isThere = reopened.contains(shard.id)
            #expect(isThere == (number != victim))
            if isThere { #expect(try await shard.isOn(reopened)) }
        }
        // Nothing was written over it: with the flip undone it is all there again.
        again.disk.clearFlips()
        let mended = try await TestDisk.open(again.crash(using: &generator))
        for shard in shards where mended.contains(shard.id) { #expect(try await shard.isOn(mended)) }
        #expect(mended.inventory(after: nil, limit: 100).count >= 17)
    }

    @Test("with a footer the index does not need the headers; verification finds the rotten one")
    func headerRotWithFooter() async throws {
        var generator = SplitMix64(seed: 8)
        let (fileSystem, disk) = try await TestDisk.make()
        let shards = try await TestShard.fill(disk, &generator)
        let place = try #require(disk.inventory(after: nil, limit: 100).first { $0.shard == shards[3].id })
        try await disk.close()
        fileSystem.disk.flip(TestDisk.path(place.segment), offset: place.offset + 60, mask: 128)
        let reopened = try await TestDisk.open(fileSystem.restart())
        #expect(reopened.recovery.walked == 0)
        for shard in shards { #expect(try await shard.isOn(reopened)) }
        let report = try await reopened.scrub(rate: .max)
        #expect(report.bad == [shards[3].id])
        try await TestShard(sequence: 3, body: shards[3].body, stamp: 99, using: &generator).write(to: reopened)
        #expect(try await reopened.scrub(rate: .max).bad.isEmpty)
    }

    @Test("every byte of one shard's record flipped in turn: verification finds it")
    func everyByte() async throws {
        var generator = SplitMix64(seed: 9)
        let (fileSystem, disk) = try await TestDisk.make()
        let shard = TestShard(sequence: 1, length: 200, using: &generator)
        try await shard.write(to: disk)
        try await TestShard(sequence: 2, length: 100, using: &generator).write(to: disk)
        let place = try #require(disk.inventory(after: nil, limit: 1).first)
        // Header, body, table, trailer; what follows is padding.
        for offset in 0..<108 + 200 + 4 + place.trailerCapacity {
            let mask = 1 << UInt8(offset % 8) as UInt8
            fileSystem.disk.flip(TestDisk.path(place.segment), offset: place.offset + offset, mask: mask)
            let result = try await disk.verify(shard.id)
            if result.isGood { Issue.record("byte \(offset) flipped is not found") }
            fileSystem.disk.clearFlips()
        }
        #expect(try await disk.verify(shard.id) == .good)
    }

    @Test(
        "a rotten segment header or footer costs nothing and is written again by the scrub",
        arguments: [0, 4_096, -10, -100]
    )
    func segmentMeta(offset: Int) async throws {
        var generator = SplitMix64(seed: 10)
        let (fileSystem, disk) = try await TestDisk.make()
        let shards = try await TestShard.fill(disk, &generator)
        let segment = try #require(disk.inventory(after: nil, limit: 1).first).segment
        try await disk.close()
        let length = try #require(try await fileSystem.disk.mount().status(TestDisk.path(segment))).length
        fileSystem.disk.flip(TestDisk.path(segment), offset: offset < 0 ? length + offset : offset + 50, mask: 2)
        let again = fileSystem.restart()
        let reopened = try await TestDisk.open(again)
        for shard in shards { #expect(try await shard.isOn(reopened)) }
        let report = try await reopened.scrub(rate: .max)
        #expect(report.bad.isEmpty)
        // A footer was written at opening already.
        #expect(report.mendedSegments == (offset < 0 ? [] : [segment]))
        #expect(try await reopened.scrub(rate: .max).mendedSegments.isEmpty)
    }

    @Test("an identity that is rotten, cut or grown is written again by the open disk; without one the disk is gone")
    func identity() async throws {
        let (fileSystem, disk) = try await TestDisk.make()
        for offsets in [[100], [30, 30 + 4_096]] {
            for offset in offsets { fileSystem.disk.flip("disk", offset: offset, mask: 4) }
            #expect(await disk.isInPlace())
            let found = try await ShardDisk.readIdentity(fileSystem)
            #expect(found == disk.identity)
        }
        for length in [4_096, 8_191, 8_193, 100_000] {
            try await fileSystem.open("disk", .write).truncate(to: length)
            #expect(await disk.isInPlace())
            #expect(try await fileSystem.status("disk")?.length == 8_192)
        }
        try await fileSystem.open("disk", .write).truncate(to: 4_095)
        #expect(await !disk.isInPlace())
        try await fileSystem.remove("disk")
        #expect(await !disk.isInPlace())
    }

    @Test(
        "what is written after a segment's name was removed or exchanged is not written there",
        arguments: [true, false]
    )
    func nameLost(isRemoved: Bool) async throws {
        var generator = SplitMix64(seed: 12)
        let (fileSystem, disk) = try await TestDisk.make()
        // One of each kind.
        for (sequence, length) in [(1, 900), (2, 300_000)] as [(UInt64, Int)] {
            try await TestShard(sequence: sequence, length: length, using: &generator).write(to: disk)
        }
        let paths = try await fileSystem.list("segments").map { "segments/\($0)" }
        #expect(paths.count == 2)
        if isRemoved {
            for path in paths { try await fileSystem.remove(path) }
        } else {
            try await fileSystem.exchange(paths[0], paths[1])
        }
        await disk.leaveLostSegments()
        let shards = [(3, 900), (4, 300_000)].map {
            TestShard(sequence: $0, length: $1, using: &generator)
        }
        for shard in shards {
            try await shard.write(to: disk)
            #expect(try await shard.isOn(disk))
        }
        try await disk.close()
        let again = try await TestDisk.open(fileSystem.restart())
        for shard in shards { #expect(try await shard.isOn(again)) }
    }

    /// Found by reading: the mending of a scrub gave a segment that lay under another's name that one's header and
    /// footer, and so took both.
    @Test("nothing is written over a segment that lies under another's name", arguments: [true, false])
    func exchanged(isWhole: Bool) async throws {
        var generator = SplitMix64(seed: 13)
        let (fileSystem, disk) = try await TestDisk.make()
        let shards = [(1, 900), (2, 300_000)].map { TestShard(sequence: $0, length: $1, using: &generator) }
        for shard in shards { try await shard.write(to: disk) }
        try await disk.close()
        let again = fileSystem.restart()
        let reopened = try await TestDisk.open(again)
        let paths = try await again.list("segments").map { "segments/\($0)" }
        try #require(paths.count == 2)
        // One copy of the header is enough to know whose it is.
        if !isWhole { for path in paths { _ = again.disk.flip(path, offset: 9, mask: 1) } }
        try await again.exchange(paths[0], paths[1])
        #expect(try await reopened.mendSegments().isEmpty)
        try await again.exchange(paths[0], paths[1])
        try await reopened.close()
        let healed = try await TestDisk.open(again.restart())
        for shard in shards { #expect(try await shard.isOn(healed)) }
    }

    @Test("a failed sync is final: nothing is acknowledged after it, reads go on")
    func failedSync() async throws {
        var generator = SplitMix64(seed: 11)
        let (fileSystem, disk) = try await TestDisk.make()
        let shards = try await TestShard.fill(disk, &generator)
        fileSystem.disk.inject(DiskFault(.sync, pathPrefix: "segments/"))
        let lost = TestShard(sequence: 100, length: 100, using: &generator)
        for _ in 0..<2 {
            let error = await storageError { try await lost.write(to: disk) }
            guard case .diskFailed = error else { throw error ?? .closed }
        }
        #expect(disk.failure != nil)
        #expect(!disk.contains(lost.id))
        for shard in shards { #expect(try await shard.isOn(disk)) }
        let error = await storageError { try await disk.erase([shards[0].id]) }
        guard case .diskFailed = error else { throw error ?? .closed }
    }

    @Test("an erasure whose tombstone is not durable has taken nothing of its shard")
    func failedErasure() async throws {
        var generator = SplitMix64(seed: 12)
        let (fileSystem, disk) = try await TestDisk.make()
        let shards = try await TestShard.fill(disk, &generator)
        let large = shards[5]
        #expect(large.body.count > ShardDiskConfiguration.punchLength)
        fileSystem.disk.inject(DiskFault(.sync, pathPrefix: "segments/"))
        let error = await storageError { try await disk.erase([large.id]) }
        guard case .diskFailed = error else { throw error ?? .closed }
        #expect(try await large.isOn(disk))
        let reopened = try await TestDisk.open(fileSystem.crash(using: &generator))
        #expect(try await large.isOn(reopened))
    }

    @Test("a leaf table that was read wrong once is not believed, and not kept")
    func misreadTable() async throws {
        var generator = SplitMix64(seed: 13)
        let (fileSystem, disk) = try await TestDisk.make()
        let shards = try await TestShard.fill(disk, &generator)
        try await disk.close()
        // Nothing in memory: the table is the first that is read of each.
        let reopened = try await TestDisk.open(fileSystem.crash(using: &generator))
        fileSystem.disk.answersCachedReads = false
        for shard in shards where !shard.body.isEmpty {
            fileSystem.disk.inject(ReadLie(.flipped(bit: 3), pathPrefix: "segments/"))
            let error = await storageError { _ = try await reopened.read(shard.id, ranges: [0..<shard.body.count]) }
            guard case .corrupt = error else { throw error ?? .closed }
            #expect(try await shard.isOn(reopened))
        }
    }

    @Test(
        "in a segment without a footer a punched body is no damage, and a live record's rot is",
        arguments: [60_000, 300 << 10]
    )
    func punchedAndRotten(length: Int) async throws {
        var generator = SplitMix64(seed: 14)
        let (fileSystem, disk) = try await TestDisk.make()
        let shards = (0..<3).map { TestShard(sequence: UInt64($0), length: length, using: &generator) }
        for shard in shards { try await shard.write(to: disk) }
        let place = try #require(disk.inventory(after: nil, limit: 3).first { $0.shard == shards[2].id })
        let erased = try #require(disk.inventory(after: nil, limit: 3).first { $0.shard == shards[0].id })
        let before = try #require(try await fileSystem.status(TestDisk.path(erased.segment))).allocated
        #expect(try await disk.erase([shards[0].id]) == 1)
        #expect(try await fileSystem.status(TestDisk.path(erased.segment))?.allocated ?? 0 < before)
        // Killed, not closed: the segments have no footer.
        fileSystem.disk.flip(TestDisk.path(place.segment), offset: place.offset + length / 2, mask: 1)
        let reopened = try await TestDisk.open(fileSystem.restart())
        #expect(reopened.recovery.walked > 0)
        #expect(reopened.recovery.damaged == [shards[2].id])
        #expect(!reopened.contains(shards[0].id))
        #expect(try await shards[1].isOn(reopened))
    }

    @Test("the scrub keeps to its rate")
    func scrubRate() async throws {
        var generator = SplitMix64(seed: 12)
        let fileSystem = MemoryFileSystem(capacity: 1 << 30)
        try await TestDisk.format(fileSystem)
        let time = ManualTime()
        let disk = try await TestDisk.open(fileSystem, time: time)
        for number in 0..<4 {
            try await TestShard(sequence: UInt64(number), length: 100_000, using: &generator).write(to: disk)
        }
        async let report = disk.scrub(rate: 100_000)
        for _ in 0..<4 {
            await time.waitForSleepers()
            time.advance(by: .seconds(1))
        }
        #expect(try await report.shards == 4)
        #expect(time.sleeperCount == 0)
    }
}
