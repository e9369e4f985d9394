import DiskFormat
import ObjectModel
import ShardStorage
import SystemInterface
import TestKit
import Testing

/// A block that the medium cannot read costs what lies in it, and never the disk.
@Suite("Blocks that cannot be read")
struct UnreadableTests {
    private func segments(_ disk: MemoryDisk) -> [String] { disk.files.filter { $0.hasPrefix("segments/") } }

    /// Found by hand: a bad block in the footers of three of six disks, and the store did not start.
    @Test("in the footers: the records are found by walking, and the disk goes on")
    func footers() async throws {
        var generator = SplitMix64(seed: 21)
        let (fileSystem, disk) = try await TestDisk.make()
        let shards = try await TestShard.fill(disk, smallest: 9_000, &generator)
        // A footer may share its last block with the record before it.
        let entries = disk.inventory(after: nil, limit: 100)
        let ends = Dictionary(entries.map { ($0.segment, $0.offset) }, uniquingKeysWith: max)
        let untouched = entries.filter { ends[$0.segment] != $0.offset }.map(\.shard)
        #expect(untouched.count >= 15)
        try await disk.close()
        for path in segments(fileSystem.disk) {
            fileSystem.disk.spoil(path, offset: try #require(fileSystem.disk.length(path)) - 1)
        }
        var view = fileSystem.restart()
        let new = TestShard(sequence: 50, length: 9_000, using: &generator)
        for round in 0..<2 {
            let reopened = try await TestDisk.open(view)
            for shard in shards where untouched.contains(shard.id) { #expect(try await shard.isOn(reopened)) }
            if round == 0 { try await new.write(to: reopened) }
            #expect(try await new.isOn(reopened))
            _ = try await reopened.mendSegments()
            _ = try await reopened.compact()
            #expect(reopened.failure == nil)
            try await reopened.close()
            view = view.restart()
        }
    }

    @Test(
        "in the header, its copy or the mark of a segment: nothing is lost, and the header is written again",
        arguments: [0, SegmentHeader.copyOffset, SegmentHeader.markOffset]
    )
    func heads(offset: Int) async throws {
        var generator = SplitMix64(seed: 22)
        let (fileSystem, disk) = try await TestDisk.make()
        let shards = try await TestShard.fill(disk, smallest: 9_000, &generator)
        try await disk.close()
        let paths = segments(fileSystem.disk)
        for path in paths { fileSystem.disk.spoil(path, offset: offset) }
        let reopened = try await TestDisk.open(fileSystem.restart())
        for shard in shards { #expect(try await shard.isOn(reopened)) }
        let mended = try await reopened.mendSegments()
        #expect(mended.count == (offset == SegmentHeader.markOffset ? 0 : paths.count))
        #expect(try await reopened.mendSegments().isEmpty && reopened.failure == nil)
    }

    @Test("before records without a footer: what is hidden is not written over, and may be there again")
    func hidden() async throws {
        var generator = SplitMix64(seed: 23)
        let (fileSystem, disk) = try await TestDisk.make()
        let shards = try await TestShard.fill(disk, smallest: 9_000, &generator)
        let place = try #require(disk.inventory(after: nil, limit: 100).first { $0.shard == shards[8].id })
        // With the header of one shard the end of the one before it.
        fileSystem.disk.spoil(TestDisk.path(place.segment), offset: place.offset)
        let killed = fileSystem.restart()
        let reopened = try await TestDisk.open(killed)
        #expect(!reopened.contains(shards[8].id))
        for (number, shard) in shards.enumerated() where number != 7 && number != 8 {
            #expect(try await shard.isOn(reopened))
        }
        let anew = TestShard(sequence: 8, length: 5_000, using: &generator)
        let other = TestShard(sequence: 40, length: 5_000, using: &generator)
        for shard in [anew, other] { try await shard.write(to: reopened) }
        try await reopened.erase([shards[10].id])
        for entry in reopened.inventory(after: nil, limit: 100) where [anew.id, other.id].contains(entry.shard) {
            #expect(entry.segment != place.segment)
        }
        _ = try await reopened.mendSegments()
        _ = try await reopened.compact()
        try await reopened.close()
        killed.disk.clearSpoiled()
        let whole = try await TestDisk.open(killed.restart())
        for shard in [anew, other, shards[7], shards[9]] { #expect(try await shard.isOn(whole)) }
        #expect(!whole.contains(shards[10].id))
    }

    @Test("in a body: its shard is bad, and all others are there")
    func bodies() async throws {
        var generator = SplitMix64(seed: 24)
        let (fileSystem, disk) = try await TestDisk.make()
        let shards = try await TestShard.fill(disk, smallest: 9_000, &generator)
        let victims = [9, 11]
        for victim in victims {
            let place = try #require(disk.inventory(after: nil, limit: 100).first { $0.shard == shards[victim].id })
            fileSystem.disk.spoil(TestDisk.path(place.segment), offset: place.offset + 8_192)
        }
        let reopened = try await TestDisk.open(fileSystem.restart())
        for (number, shard) in shards.enumerated() where !victims.contains(number) {
            #expect(try await shard.isOn(reopened))
        }
        for victim in victims {
            #expect(reopened.contains(shards[victim].id))
            let error = await storageError { _ = try await shards[victim].isOn(reopened) }
            guard case .corrupt = error else { throw error ?? .closed }
        }
        #expect(reopened.failure == nil)
    }

    @Test("in the identity: its other copy will do, and the open disk writes both again")
    func identity() async throws {
        let (fileSystem, disk) = try await TestDisk.make()
        for offset in [0, 4_096] { fileSystem.disk.spoil("disk", offset: offset) }
        #expect(await disk.isInPlace())
        #expect(try await ShardDisk.readIdentity(fileSystem) == disk.identity)
        fileSystem.disk.spoil("disk", offset: 0)
        let again = fileSystem.restart()
        #expect(try await TestDisk.open(again).identity == disk.identity)
        again.disk.spoil("disk", offset: 4_096)
        let error = await storageError { _ = try await TestDisk.open(again.restart()) }
        guard case .diskFailed = error else { throw error ?? .closed }
    }

    @Test("a disk that gives next to nothing has failed")
    func tooMany() async throws {
        var generator = SplitMix64(seed: 25)
        let (fileSystem, disk) = try await TestDisk.make()
        let shards = try await TestShard.fill(disk, smallest: 9_000, &generator)
        let place = try #require(disk.inventory(after: nil, limit: 100).first { $0.shard == shards[5].id })
        for block in 0..<150 { fileSystem.disk.spoil(TestDisk.path(place.segment), offset: block * 4_096) }
        let error = await storageError { _ = try await TestDisk.open(fileSystem.restart()) }
        guard case .diskFailed = error else { throw error ?? .closed }
    }

    @Test("in a shard that compaction would copy: it is told as bad, and the other segments are compacted")
    func compaction() async throws {
        var generator = SplitMix64(seed: 26)
        let (fileSystem, disk) = try await TestDisk.make()
        let shards = try await TestShard.fillSegments(disk, &generator)
        let bySegment = Dictionary(grouping: disk.inventory(after: nil, limit: 200), by: \.segment)
        let full = bySegment.keys.sorted().prefix(2)
        #expect(bySegment.count > 2)
        // The cheapest to copy is the one that cannot be.
        let (first, second) = (try #require(bySegment[full[0]]), try #require(bySegment[full[1]]))
        try await disk.erase((first.dropFirst() + second.dropFirst(3)).map(\.shard))
        fileSystem.disk.spoil(TestDisk.path(full[0]), offset: first[0].offset + 10_000)
        let report = try await disk.compact()
        #expect(Set(report.bad) == [first[0].shard])
        #expect(report.compacted == [full[1]])
        for entry in second.prefix(3) {
            #expect(try await shards[Int(entry.shard.blob.sequence)].isOn(disk))
        }
    }
}
