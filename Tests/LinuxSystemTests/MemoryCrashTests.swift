import SystemInterface
import TestKit
import Testing

/// What a loss of power may and may not do, over many seeds.
@Suite struct MemoryCrashTests {
    static let seeds: Range<UInt64> = 0..<300
    static let sector = 512

    @Test("what was synced, bytes and names, survives every crash")
    func syncedSurvives() async throws {
        for seed in Self.seeds {
            var generator = SplitMix64(seed: seed)
            let bytes = generator.bytes(Int.random(in: 0...20_000, using: &generator))
            var files = MemoryFileSystem()
            try await files.createDirectory("a/b")
            try await files.make("a/b/f", bytes)
            try await files.syncDirectory("a/b")
            for _ in 0..<3 { files = files.crash(using: &generator) }
            #expect(try await files.open("a/b/f", .read).bytes(30_000) == bytes, "seed \(seed)")
        }
    }

    @Test("a sector is what it was at some moment since the last sync, and so is the length")
    func sectorsAreMoments() async throws {
        var outcomes: Set<String> = []
        for seed in Self.seeds {
            var generator = SplitMix64(seed: seed)
            let files = MemoryFileSystem()
            let file = try await files.make("f", generator.bytes(6_000))
            try await files.syncDirectory(".")
            var history = [try await file.bytes(100_000)]
            for _ in 0..<Int.random(in: 1...6, using: &generator) {
                try await Self.change(file, using: &generator)
                history.append(try await file.bytes(100_000))
            }
            let after = try await files.crash(using: &generator).open("f", .read).bytes(100_000)
            #expect(Self.isPossible(after, history), "seed \(seed)")
            if after == history.first { outcomes.insert("lost") }
            if after == history.last { outcomes.insert("kept") }
            if !history.contains(after) { outcomes.insert("torn") }
        }
        // The crash would be harmless, and this suite blind, if one of these never happened.
        #expect(outcomes == ["lost", "kept", "torn"])
    }

    @Test("an un-synced name is there or not; a rename never loses both names")
    func names() async throws {
        var seen: Set<[String]> = []
        for seed in Self.seeds {
            var generator = SplitMix64(seed: seed)
            var files = MemoryFileSystem()
            try await files.make("old", [1])
            try await files.make("target", [2])
            try await files.syncDirectory(".")
            try await files.rename("old", to: "target")
            try await files.make("new", [3])
            files = files.crash(using: &generator)
            let names = try await files.list(".")
            seen.insert(names)
            #expect(names.contains("target"), "seed \(seed)")
            let target = try await files.open("target", .read).bytes(9)
            #expect(target == (names.contains("old") ? [2] : [1]), "seed \(seed)")
        }
        #expect(seen.count == 4)
    }

    @Test("a removal that was not made durable may come back, with its bytes; one that was may not")
    func removals() async throws {
        var returned = 0
        for seed in Self.seeds {
            var generator = SplitMix64(seed: seed)
            var files = MemoryFileSystem()
            for name in ["a", "b"] { try await files.make(name, [7]) }
            try await files.syncDirectory(".")
            try await files.remove("a")
            try await files.syncDirectory(".")
            try await files.remove("b")
            files = files.crash(using: &generator)
            let names = try await files.list(".")
            #expect(!names.contains("a"))
            if names == ["b"] {
                returned += 1
                #expect(try await files.open("b", .read).bytes(9) == [7])
            }
        }
        #expect(returned > 0 && returned < Self.seeds.count)
    }

    @Test("the same seed gives the same crash")
    func deterministic() async throws {
        for seed in Self.seeds.prefix(50) {
            var results: [[UInt8]] = []
            for _ in 0..<2 {
                var generator = SplitMix64(seed: seed)
                let files = MemoryFileSystem()
                let file = try await files.make("f", [])
                try await files.syncDirectory(".")
                for _ in 0..<5 { try await Self.change(file, using: &generator) }
                let after = files.crash(using: &generator)
                results.append(try await after.open("f", .read).bytes(100_000))
            }
            #expect(results[0] == results[1])
        }
    }

    @Test("a crash or restart ends views, files and locks; a restart loses no byte")
    func views() async throws {
        let before = MemoryFileSystem()
        let file = try await before.open("f", .create)
        try await file.write(bytes: [1, 2, 3])
        #expect(try await before.lock("lock"))
        #expect(try await before.disk.mount().lock("lock") == false)
        let after = before.restart()
        let gone = await #expect(throws: FileError.self) { try await file.write(bytes: [9]) }
        #expect(gone?.code == .gone)
        let goneToo = await #expect(throws: FileError.self) { try await before.list(".") }
        #expect(goneToo?.code == .gone)
        #expect(try await after.open("f", .read).bytes(9) == [1, 2, 3])
        #expect(try await after.lock("lock"))
    }

    /// One random write, cut, hole or growth.
    private static func change(_ file: any File, using generator: inout SplitMix64) async throws {
        let offset = Int.random(in: 0..<9_000, using: &generator)
        let count = Int.random(in: 1...3_000, using: &generator)
        switch generator.next() % 6 {
        case 0: try await file.truncate(to: offset)
        case 1: try await file.punch(offset..<offset + count)
        case 2: try await file.allocate(offset..<offset + count)
        default: try await file.write(bytes: generator.bytes(count), at: offset)
        }
    }

    /// Each sector of `bytes` as in some entry of `history`, reading zeros beyond an end.
    private static func isPossible(_ bytes: [UInt8], _ history: [[UInt8]]) -> Bool {
        // A write that grows the file may be torn before the length that follows it.
        let lengths = history.map(\.count)
        guard bytes.count <= lengths.max() ?? 0, bytes.count >= lengths.min() ?? 0 else { return false }
        for start in stride(from: 0, to: bytes.count, by: sector) {
            let range = start..<min(start + sector, bytes.count)
            let isKnown = history.contains { old in
                range.allSatisfy { bytes[$0] == ($0 < old.count ? old[$0] : 0) }
            }
            // Where the new length cuts through a sector, what lies beyond an older length may be zeros.
            if !isKnown && !isCut(range, bytes, history) { return false }
        }
        return true
    }

    private static func isCut(_ range: Range<Int>, _ bytes: [UInt8], _ history: [[UInt8]]) -> Bool {
        history.contains { old in
            history.contains { shorter in
                range.allSatisfy { bytes[$0] == ($0 < min(old.count, shorter.count) ? old[$0] : 0) }
            }
        }
    }
}
