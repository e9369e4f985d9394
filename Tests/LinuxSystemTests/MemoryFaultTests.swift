import SystemInterface
import TestKit
import Testing

@Suite struct MemoryFaultTests {
    @Test("a planned fault strikes its operation, its path and its turn, and no other")
    func plan() async throws {
        let files = MemoryFileSystem()
        try await files.createDirectory("d")
        let struck = try await files.open("d/f", .create)
        let spared = try await files.open("g", .create)
        files.disk.inject(DiskFault(.write, pathPrefix: "d/", after: 1))
        try await spared.write(bytes: [1])
        try await struck.write(bytes: [1])
        let error = await #expect(throws: FileError.self) { try await struck.write(bytes: [9, 9, 9, 9]) }
        #expect(error == FileError(.medium, operation: "write", path: "d/f"))
        #expect(try await struck.bytes(9) == [9, 9], "half of a failed write lies on the medium")
        try await struck.write(bytes: [5])
        #expect(try await spared.bytes(9) == [1])
    }

    @Test("after a failed sync the file refuses, and never becomes durable", arguments: 0..<50 as Range<UInt64>)
    func failedSync(seed: UInt64) async throws {
        var generator = SplitMix64(seed: seed)
        let files = MemoryFileSystem()
        let file = try await files.make("f", [1, 1, 1])
        try await files.syncDirectory(".")
        try await file.write(bytes: [2, 2, 2])
        files.disk.inject(DiskFault(.sync))
        for _ in 0..<2 {
            let error = await #expect(throws: FileError.self) { try await file.sync() }
            #expect(error?.code == .medium)
        }
        await #expect(throws: FileError.self) { try await file.write(bytes: [3]) }
        #expect(try await file.bytes(9) == [2, 2, 2])
        let again = try await files.open("f", .write)
        try await again.sync()
        let after = files.crash(using: &generator)
        #expect(try await after.open("f", .read).bytes(9) == [1, 1, 1])
    }

    @Test("a full disk takes what fits, frees what is removed, and holds the room of open files")
    func capacity() async throws {
        let files = MemoryFileSystem(capacity: 64 << 10)
        let first = try await files.make("first", Array(repeating: 1, count: 40 << 10))
        let second = try await files.open("second", .create)
        let error = await #expect(throws: FileError.self) {
            try await second.write(bytes: Array(repeating: 2, count: 40 << 10))
        }
        #expect(error?.code == .full)
        #expect(try await second.length() == 24 << 10)
        #expect(try await files.space().available == 0)
        try await second.write(bytes: [3], at: 5)
        try await files.remove("first")
        #expect(try await files.space().available == 0, "an open file keeps its room")
        withExtendedLifetime(first) {}
        try await second.punch(0..<8 << 10)
        #expect(try await files.space().available == 8 << 10)
        try await second.allocate(0..<24 << 10)
        #expect(try await files.space().available == 0)
    }

    @Test("room taken is what the files take, through a random life with crashes", arguments: 0..<30 as Range<UInt64>)
    func accounting(seed: UInt64) async throws {
        var generator = SplitMix64(seed: seed)
        var files = MemoryFileSystem()
        for _ in 0..<120 {
            try await Self.live(&files, using: &generator)
            var sum = 0
            for name in try await files.list(".") { sum += try await files.status(name)?.allocated ?? 0 }
            #expect(files.disk.used == sum)
        }
    }

    private static func live(_ files: inout MemoryFileSystem, using generator: inout SplitMix64) async throws {
        let name = "f\(generator.next() % 5)"
        switch generator.next() % 9 {
        case 0: try? await files.remove(name)
        case 1: try? await files.rename(name, to: "f\(generator.next() % 5)")
        case 2: files = files.crash(using: &generator)
        case 3: files = files.restart()
        case 4: try await files.syncDirectory(".")
        default:
            let file = try await files.open(name, .create)
            let bytes = generator.bytes(Int(generator.next() % 9_000))
            try await file.write(bytes: bytes, at: Int(generator.next() % 20_000))
            if Bool.random(using: &generator) { try await file.truncate(to: Int(generator.next() % 20_000)) }
            if Bool.random(using: &generator) { try await file.sync() }
        }
    }

    @Test("a sync that lies keeps nothing over a loss of power; the truth again, all is durable")
    func liedSync() async throws {
        var generator = SplitMix64(seed: 1)
        var isLost = false
        for _ in 0..<50 where !isLost {
            let files = MemoryFileSystem()
            let file = try await files.make("f", [1])
            try await files.syncDirectory(".")
            files.disk.liesAboutSync = true
            try await file.write(bytes: [2])
            try await file.sync()
            _ = try await files.make("g", [3])
            try await files.syncDirectory(".")
            let after = files.crash(using: &generator)
            let bytes = try await after.open("f", .read).bytes(1)
            #expect(bytes == [1] || bytes == [2])
            isLost = bytes == [1]
        }
        #expect(isLost)
        let files = MemoryFileSystem()
        files.disk.liesAboutSync = true
        _ = try await files.make("f", [4])
        files.disk.clearFaults()
        let after = files.crash(using: &generator)
        #expect(try await after.open("f", .read).bytes(1) == [4])
    }

    @Test("a read that lies gives another bit or another place's bytes, so many times, and says that all is well")
    func liedRead() async throws {
        let files = MemoryFileSystem()
        let file = try await files.make("d", [1, 2, 3, 4])
        files.disk.inject(ReadLie(.flipped(bit: 9), pathPrefix: "d", after: 1, times: 2))
        #expect(try await file.bytes(4) == [1, 2, 3, 4])
        #expect(try await file.bytes(4) == [1, 0, 3, 4])
        #expect(try await file.bytes(1) == [3], "on from the beginning where there are fewer")
        #expect(try await file.bytes(4) == [1, 2, 3, 4])
        files.disk.inject(ReadLie(.misdirected(by: 2)))
        #expect(try await file.bytes(2) == [3, 4])
        #expect(try await file.bytes(2) == [1, 2])
    }

    @Test("flipped bits are read until the byte is written again; the pristine byte stays")
    func flips() async throws {
        let files = MemoryFileSystem()
        let file = try await files.make("f", [0, 0, 0, 0])
        #expect(files.disk.flip("f", offset: 2, mask: 0x81))
        #expect(!files.disk.flip("g", offset: 2, mask: 0x81))
        #expect(try await file.bytes(9) == [0, 0, 0x81, 0])
        #expect(try await file.bytes(1, from: 2) == [0x81])
        files.disk.clearFlips()
        #expect(try await file.bytes(9) == [0, 0, 0, 0])
        files.disk.flip("f", offset: 1, mask: 1)
        try await file.write(bytes: [4, 5], at: 1)
        #expect(try await file.bytes(9) == [0, 4, 5, 0])
    }

    @Test("a disk that was pulled answers gone, and comes back as it was; a copy goes its own way")
    func goneAndCopied() async throws {
        let files = MemoryFileSystem()
        try await files.make("f", [1])
        let copy = files.disk.copy().mount()
        files.disk.isGone = true
        let error = await #expect(throws: FileError.self) { try await files.list(".") }
        #expect(error?.code == .gone)
        files.disk.isGone = false
        try await files.make("g", [2])
        #expect(files.disk.files == ["f", "g"])
        #expect(copy.disk.files == ["f"])
    }
}
