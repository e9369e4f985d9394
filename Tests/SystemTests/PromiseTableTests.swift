import Testing

/// The table of Docs/Testing.md that says which test proves which promise names tests that there are.
@Suite("The table of promises")
struct PromiseTableTests {
    private static let heading = "## Which test proves which promise"
    /// What may stand there beside tests and mutants: scenarios of the simulator, and what runs the fuzzers.
    private static let others: Set<String> = ["store", "cluster", "rot", "make fuzz"]

    /// The functions of the files that declare a suite, by its name. Two targets may have suites of one name.
    private static let suites: [String: Set<String>] = {
        var suites: [String: Set<String>] = [:]
        for file in HouseRulesTests.tests where file.path.hasSuffix(".swift") {
            let functions = PromiseTableTests.names(after: "func", in: file)
            for suite in PromiseTableTests.names(after: "struct", in: file) where suite.hasSuffix("Tests") {
                suites[suite, default: []].formUnion(functions)
            }
        }
        return suites
    }()

    /// The names in `Tests/Mutants/NN-name.patch`.
    private static let mutants: Set<String> = {
        var mutants: Set<String> = []
        for file in (try? Repository.files(in: "Tests/Mutants", extensions: ["patch"])) ?? [] {
            let name = file.path.split(separator: "/").last ?? ""
            mutants.insert(String(name.dropFirst(3).dropLast(6)))
        }
        return mutants
    }()

    @Test("Every test that a promise names is there")
    func rows() throws {
        let rows = Self.rows(of: try Repository.file("Docs/Testing.md"))
        #expect(rows.count > 20)
        for row in rows {
            #expect(!Self.words(of: row.tests).isEmpty, "Docs/Testing.md:\(row.number): no test")
            let unknown = Self.unknown(in: row.tests)
            #expect(unknown.isEmpty, "Docs/Testing.md:\(row.number): \(unknown)")
        }
    }

    @Test("A name that is misspelt is noticed")
    func misspelt() {
        #expect(Self.suites.count > 50 && Self.mutants.count > 40)
        for right in [
            "simulator `store`, `cluster`; `make fuzz`; mutant `drop-fsync`", "`JournalTests/rot`, `zombie`",
            "`JournalTests`; `ConformanceTests` of `MetadataTests`", "`test_kill.py`",
            "`test_kill.py::test_kill_under_load`",
        ] {
            #expect(Self.unknown(in: right).isEmpty, "\(right)")
        }
        for wrong in [
            "`stor`", "`drop-fsyn`", "`JournalTests/rott`", "`JournalTest/rot`", "`JournalTests/rot`, `zombi`",
            "`zombie`", "`JournalTest`", "`JournalTests/rot/rot`", "`test_kil.py`", "`test_kill.py::test_kill`",
        ] {
            #expect(Self.unknown(in: wrong).count == 1, "\(wrong)")
        }
    }

    /// The rows of the table: their line numbers and their last cells.
    private static func rows(of page: Repository.File) -> [(number: Int, tests: String)] {
        var rows: [(number: Int, tests: String)] = []
        var isWithin = false
        for (number, line) in page.lines.enumerated() {
            if line.hasPrefix("## ") { isWithin = line == heading }
            let tests = line.split(separator: "|").map(String.init).last ?? ""
            guard isWithin, line.hasPrefix("| "), tests != " test " else { continue }
            rows.append((number + 1, tests))
        }
        return rows
    }

    /// What stands between backticks.
    private static func words(of cell: String) -> [String] {
        let pieces = cell.split(separator: "`", omittingEmptySubsequences: false).map(String.init)
        return stride(from: 1, to: pieces.count, by: 2).map { pieces[$0] }
    }

    /// The words that name nothing. One alone may be a function of the suite that was named last.
    private static func unknown(in cell: String) -> [String] {
        var unknown: [String] = []
        var suite = ""
        for word in words(of: cell) {
            let parts = word.split(separator: "/").map(String.init)
            if let first = parts.first, suites[first] != nil { suite = first }
            let isKnown: Bool
            if word.contains(".py") {
                isKnown = isClientTest(word)
            } else if parts.count > 1 {
                isKnown = parts.count == 2 && parts[0] == suite && hasFunction(parts[1], suite)
            } else {
                isKnown =
                    word == suite || others.contains(word) || mutants.contains(word) || isTarget(word)
                    || hasFunction(word, suite)
            }
            if !isKnown { unknown.append(word) }
        }
        return unknown
    }

    private static func hasFunction(_ name: String, _ suite: String) -> Bool {
        suites[suite]?.contains(name) ?? false
    }

    private static func isTarget(_ word: String) -> Bool {
        word.hasSuffix("Tests") && Repository.exists("Tests/\(word)")
    }

    /// `test_file.py`, or `test_file.py::test_function`.
    private static func isClientTest(_ word: String) -> Bool {
        let parts = word.split(separator: ":").map(String.init)
        guard let name = parts.first,
            let file = HouseRulesTests.tests.first(where: { $0.path == "Tests/Clients/\(name)" })
        else { return false }
        return parts.count == 1 || file.lines.contains { $0.hasPrefix("def \(parts[1])(") }
    }

    /// The names that follow a keyword in a file's code.
    private static func names(after keyword: String, in file: Repository.File) -> [String] {
        file.code.compactMap { _, text in
            let words = text.split(separator: " ").map(String.init)
            guard let place = words.firstIndex(of: keyword), words.count > place + 1 else { return nil }
            return String(words[place + 1].prefix { $0.isLetter || $0.isNumber || $0 == "_" })
        }
    }
}
