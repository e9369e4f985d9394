import DiskFormat
import ObjectModel
import ShardStorage
import SystemInterface
import TestKit
import Testing

/// Which id the next segment of a disk gets.
@Suite struct SegmentIDTests {
    /// The segment that a new shard goes to. Large ones go to other segments than small ones.
    private static func segment(
        of disk: ShardDisk,
        length: Int = 300_000,
        sequence: UInt64,
        _ generator: inout SplitMix64
    ) async throws -> UInt64 {
        let shard = TestShard(sequence: sequence, length: length, using: &generator)
        try await shard.write(to: disk)
        #expect(try await shard.isOn(disk))
        return try #require(disk.inventory(after: nil, limit: 100).first { $0.shard == shard.id }).segment
    }

    private static func setLimit(_ limit: UInt64, on fileSystem: MemoryFileSystem) async throws {
        var identity = try await ShardDisk.readIdentity(fileSystem)
        identity.segmentLimit = limit
        let file = try await fileSystem.open("disk", .write)
        try await file.write([BufferSlice(copying: try #require(identity.encoded()))], at: 0)
    }

    @Test("the name of a copy uses up no ids, and no segment takes its place")
    func strayNames() async throws {
        var generator = SplitMix64(seed: 1)
        var (fileSystem, disk) = try await TestDisk.make()
        let first = try await Self.segment(of: disk, sequence: 1, &generator)
        let next = disk.identity.segmentLimit
        try await disk.close()
        fileSystem = fileSystem.restart()
        let file = try await fileSystem.open(TestDisk.path(first), .read)
        let content = try await file.bytes(file.length())
        let strays = [next, 0x7eff_ff00, 0x7fff_ff00, 0x7fff_ff80, 0x7fff_fff0, 0x7fff_ffff]
        for stray in strays { try await fileSystem.make(TestDisk.path(stray), content) }
        for opening in 0..<3 as Range<UInt64> {
            disk = try await TestDisk.open(fileSystem)
            #expect(disk.recovery.unreadableSegments == strays.map(SegmentHeader.fileName))
            let segment = try await Self.segment(of: disk, sequence: 2 + opening, &generator)
            // With each opening those go on that were set aside at the one before.
            #expect(segment == next + max(1, 256 * opening))
            try await disk.close()
            fileSystem = fileSystem.restart()
        }
        for stray in strays {
            let left = try await fileSystem.open(TestDisk.path(stray), .read)
            #expect(try await left.bytes(left.length()) == content)
        }
    }

    @Test("a disk whose ids a name had used up goes on far above what it may have given out, once and for all")
    func loweredLimit() async throws {
        var generator = SplitMix64(seed: 2)
        var (fileSystem, disk) = try await TestDisk.make()
        let first = try await Self.segment(of: disk, sequence: 1, &generator)
        try await disk.close()
        fileSystem = fileSystem.restart()
        // The version before had taken this name at its word, made a segment after it, and had no id for another.
        let file = try await fileSystem.open(TestDisk.path(first), .read)
        try await fileSystem.make(TestDisk.path(0x7fff_ff80), try await file.bytes(file.length()))
        let header = SegmentHeader(
            kind: .packed,
            segment: 0x7fff_ff81,
            salt: 7,
            cluster: TestDisk.cluster,
            disk: TestDisk.identity.disk,
            diskEpoch: 5,
            created: 0,
            plannedLength: 1 << 20
        )
        let empty = [UInt8](repeating: 0, count: 256 << 10)
        try await fileSystem.make(TestDisk.path(header.segment), header.encoded() + header.encoded() + empty)
        try await Self.setLimit(0x7fff_ff81 + 256, on: fileSystem)
        let lowered = first + (SegmentHeader.newIDLimit - first) / 2
        for opening in 0..<3 as Range<UInt64> {
            disk = try await TestDisk.open(fileSystem)
            #expect(try await disk.statistics().refusal == nil)
            #expect(try await Self.segment(of: disk, sequence: 10 + opening, &generator) == lowered + 256 * opening)
            #expect(disk.identity.segmentLimit == lowered + 256 * (opening + 1))
            if opening == 0 {
                // What the version before had made is a segment like any other.
                let small = try await Self.segment(of: disk, length: 900, sequence: 2, &generator)
                #expect(small == header.segment)
            }
            #expect(await disk.isInPlace())
            try await disk.close()
            fileSystem = fileSystem.restart()
            // Nor does it matter when the stray file goes.
            if opening == 1 { try await fileSystem.remove(TestDisk.path(0x7fff_ff80)) }
        }
        disk = try await TestDisk.open(fileSystem)
        #expect(disk.inventory(after: nil, limit: 100).count == 5)
    }

    @Test("beside an older copy of the identity no id of a segment is given out again")
    func olderIdentity() async throws {
        var generator = SplitMix64(seed: 3)
        let (fileSystem, disk) = try await TestDisk.make()
        let first = try await Self.segment(of: disk, sequence: 1, &generator)
        try await disk.close()
        let again = fileSystem.restart()
        try await Self.setLimit(first, on: again)
        let opened = try await TestDisk.open(again)
        #expect(try await Self.segment(of: opened, sequence: 2, &generator) == first + 1)
    }

    @Test("a disk without ids says so, and can be read")
    func usedUp() async throws {
        var generator = SplitMix64(seed: 4)
        var (fileSystem, disk) = try await TestDisk.make()
        try await disk.close()
        fileSystem = fileSystem.restart()
        try await Self.setLimit(SegmentHeader.newIDLimit - 1, on: fileSystem)
        disk = try await TestDisk.open(fileSystem)
        #expect(try await disk.statistics().refusal == nil)
        let shard = TestShard(sequence: 1, length: 300_000, using: &generator)
        try await shard.write(to: disk)
        for _ in 0..<2 {
            #expect(disk.identity.segmentLimit == SegmentHeader.newIDLimit)
            let figures = try await disk.statistics()
            #expect(figures.failure == nil)
            let refusal = try #require(figures.refusal)
            let small = TestShard(sequence: 2, length: 900, using: &generator)
            #expect(await storageError { try await small.write(to: disk) } == .invalid(refusal))
            #expect(try await shard.isOn(disk))
            try await disk.close()
            fileSystem = fileSystem.restart()
            disk = try await TestDisk.open(fileSystem)
        }
    }
}
