import Checksums
import ObjectModel
import Recovery
import SystemInterface
import TestKit
import Testing

@Suite("Names, dates and JSON of recovery")
struct RecoveryFormatTests {
    @Test("every key gets a safe path of its own, which gives the key back", arguments: RecoveryHarness.oddKeys)
    func names(key: String) throws {
        let paths = [SafeName.path(key), SafeName.path(key, isAlsoFolder: true)]
        for path in paths {
            let names = try RelativePath.components(path, operation: "test")
            #expect(names.allSatisfy { $0.utf8.count <= 255 && !$0.utf8.contains { $0 < 0x20 || $0 == 0x7F } })
            #expect(path.utf8.count <= 3_002)
            #expect(SafeName.key(ofPath: path) == (path.hasPrefix(SafeName.shortened) ? nil : key))
        }
        #expect(paths[0] != paths[1] || paths[0].hasPrefix(SafeName.shortened))
    }

    @Test("random keys never share a path")
    func uniqueNames() {
        var generator = SplitMix64(seed: 21)
        let alphabet: [Character] = ["/", ".", "%", "+", "=", "2", "F", "E", "\u{1}", "a", "\u{301}"]
        var keys: [String: String] = [:]
        for _ in 0..<20_000 {
            let length = Int(generator.next() % 7) + 1
            let key = String((0..<length).map { _ in alphabet[Int(generator.next() % UInt64(alphabet.count))] })
            let path = SafeName.path(key)
            if let other = keys[path] { #expect(Array(other.utf8) == Array(key.utf8)) }
            keys[path] = key
            #expect(SafeName.key(ofPath: path).map { Array($0.utf8) } == Array(key.utf8))
        }
    }

    @Test("only a path that no system may take is shortened, to a name of the key's SHA-256")
    func shortNames() {
        let (whole, short) = (String(repeating: "/", count: 749), String(repeating: "/", count: 750))
        #expect(SafeName.path(whole).utf8.count == 2_999)
        #expect(SafeName.path(short) == "%~" + Hexadecimal.text(MessageDigest.sha256.digest(Array(short.utf8))))
        #expect(SafeName.path(short, isAlsoFolder: true) == SafeName.path(short))
    }

    @Test("no path is given twice, nor as a file and as a folder")
    func claimedPaths() {
        var paths = SalvagePaths(ignoresCase: false)
        for path in ["o/b/k", "o/b/K", "o/b/l/m", "o/b/l/n", "o/b/\u{E9}", "o/b/e\u{301}"] {
            #expect(paths.claim(path) == nil, "\(path)")
        }
        #expect(paths.claim("o/b/k")?.contains("another object has it") == true)
        #expect(paths.claim("o/b/k/x/y")?.contains("in the way") == true)
        #expect(paths.claim("o/b/l")?.contains("folder of other objects") == true)
        #expect(paths.claim("o/b/k/x") != nil && paths.claim("o/b/l/o") == nil)
        var folded = SalvagePaths(ignoresCase: true)
        #expect(folded.claim("o/b/k") == nil && folded.claim("o/b/l/m") == nil)
        #expect(folded.claim("o/b/K") != nil && folded.claim("o/B/L") != nil && folded.claim("o/b/L/n") == nil)
    }

    @Test("a date is written and read again")
    func dates() {
        for milliseconds: Int64 in [0, 951_782_399_999, 951_782_400_000, 1_767_225_600_123, 4_107_542_399_999] {
            let time = WallTime(milliseconds: milliseconds)
            #expect(CivilTime.parse(CivilTime.text(time)) == time)
        }
        #expect(CivilTime.text(WallTime(milliseconds: 951_782_400_000)) == "2000-02-29T00:00:00.000Z")
        #expect(CivilTime.parse("2026-01-01")?.milliseconds == 1_767_225_600_000)
        #expect(CivilTime.parse("2026-01-01T01:02")?.milliseconds == 1_767_229_320_000)
        for bad in ["", "2026", "2026-13-01", "2026-02-30", "2026-01-01T25:00", "2026-01-01T1:00", "x-01-01"] {
            #expect(CivilTime.parse(bad) == nil, "\(bad)")
        }
    }

    @Test("JSON is read back as it was written, and bad JSON is refused")
    func json() {
        let value = JSONValue.fields([
            ("a", .string("q\"\\\n\u{1}é𝄞")), ("b", .array([.number(-5), .bool(true), .null])), ("c", .object([])),
        ])
        #expect(JSONValue(parsing: value.encoded().utf8) == value)
        #expect(JSONValue(parsing: value.encoded(indent: 2).utf8) == value)
        #expect(JSONValue(parsing: "\"\\ud834\\udd1e\"".utf8) == .string("𝄞"))
        let bad = ["", "{", "[1,]", "{\"a\"}", "\"\\ud834\"", "01x", "nul", "[1] 2", String(repeating: "[", count: 99)]
        for text in bad { #expect(JSONValue(parsing: text.utf8) == nil, "\(text)") }
    }

    @Test("a scratch view changes, renames and removes in memory only")
    func scratch() async throws {
        let disk = MemoryDisk()
        let below = disk.mount()
        try await below.open("f", .create).write([BufferSlice(copying: Array("0123456789".utf8))], at: 0)
        let view = ScratchFileSystem(over: below)
        try await view.open("f", .write).write([BufferSlice(copying: Array("AB".utf8))], at: 9_000)
        let buffer = AlignedBuffer(capacity: 16_384)
        let file = try await view.open("f", .read)
        #expect(try await file.read(into: buffer, at: 0, count: 16_384, from: 5) == 8_997)
        #expect(Array(buffer.mutableBytes[..<6]) == Array("56789\u{0}".utf8))
        #expect(Array(buffer.mutableBytes[8_995..<8_997]) == Array("AB".utf8))
        try await view.rename("f", to: "g")
        #expect(try await view.status("f") == nil)
        #expect(try await view.list(".") == ["g"])
        try await view.remove("g")
        #expect(try await view.list(".") == [])
        #expect(disk.files == ["f"])
        #expect(try await below.status("f")?.length == 10)
    }
}
