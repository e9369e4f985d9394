import Testing

/// Style that a formatter does not hold.
@Suite("House rules")
struct HouseRulesTests {
    static let fileLimit = 600
    static let columnLimit = 120

    static let sources = (try? Repository.files(in: "Sources", extensions: ["swift", "c", "h"])) ?? []
    static let tests = (try? Repository.files(in: "Tests", extensions: ["swift", "py"])) ?? []
    static let scripts = (try? Repository.files(in: "Scripts", extensions: ["py", ""])) ?? []

    @Test("Files are at most 600 lines of at most 120 columns")
    func sizes() {
        #expect(Self.sources.count > 100 && Self.tests.count > 10)
        var long: [String] = []
        for file in Self.sources + Self.tests + Self.scripts {
            if file.lines.count > Self.fileLimit + 1 { long.append("\(file.path): \(file.lines.count) lines") }
            for (number, line) in file.lines.enumerated() where line.count > Self.columnLimit {
                long.append("\(file.path):\(number + 1): \(line.count) columns")
            }
        }
        #expect(long.isEmpty, "\(long.count) too long:\n\(long.joined(separator: "\n"))")
    }

    @Test("No line ends in white space, and every file ends with one newline")
    func whiteSpace() {
        for file in Self.sources + Self.tests + Self.scripts {
            for (number, line) in file.lines.enumerated() where line.last == " " || line.last == "\t" {
                Issue.record("\(file.path):\(number + 1): white space at the end")
            }
            #expect(file.lines.last == "", "\(file.path): no newline at the end")
            #expect(file.lines.suffix(2) != ["", ""], "\(file.path): ends with empty lines")
        }
    }

    /// What a disk, a peer or a client must never be able to turn into a trap.
    static let traps = ["try!", "fatalError", "as!", "unsafeBitCast", "unsafeDowncast"]

    @Test("Nothing traps on what comes from outside")
    func noTraps() {
        for file in Self.sources where file.path.hasSuffix(".swift") {
            for (number, text) in file.code {
                for trap in Self.traps where text.contains(trap) {
                    Issue.record("\(file.path):\(number): \(trap)")
                }
            }
        }
    }

    @Test("No leftovers: what is not finished is not there")
    func noLeftovers() {
        let words = ["TO" + "DO", "FIX" + "ME", "HA" + "CK", "not " + "implemented yet"]
        for file in Self.sources + Self.tests {
            for (number, line) in file.lines.enumerated() {
                for word in words where line.contains(word) {
                    Issue.record("\(file.path):\(number + 1): \(word)")
                }
            }
        }
    }

    @Test("Placeholders are gone once a target has real files")
    func noPlaceholders() {
        let placeholders = (Self.sources + Self.tests).filter { $0.path.hasSuffix("/Placeholder.swift") }
        #expect(placeholders.isEmpty, "\(placeholders.map(\.path))")
    }

    @Test("Whoever promises Sendable by hand says why it holds")
    func uncheckedSendable() {
        for file in Self.sources {
            for (number, text) in file.code where text.contains("@unchecked Sendable") {
                let around = file.lines[max(0, number - 6)..<min(number + 1, file.lines.count)]
                #expect(around.contains { $0.contains("// SAFETY:") }, "\(file.path):\(number): no SAFETY line")
            }
        }
    }

    @Test("Nothing is public: targets share by `package`")
    func nothingIsPublic() {
        for file in Self.sources where file.path.hasSuffix(".swift") {
            for (number, text) in file.code {
                #expect(!text.split(separator: " ").contains("public"), "\(file.path):\(number)")
            }
        }
    }

    @Test("Links between pages lead somewhere")
    func links() throws {
        var pages = try Repository.files(in: "Docs", extensions: ["md"])
        pages.append(try Repository.file("README.md"))
        #expect(pages.count > 2)
        for page in pages {
            let folder = page.path.split(separator: "/").dropLast().joined(separator: "/")
            for (number, line) in page.lines.enumerated() {
                for target in Self.linkTargets(in: line) {
                    let path = folder.isEmpty ? target : "\(folder)/\(target)"
                    #expect(Repository.exists(path), "\(page.path):\(number + 1): \(target)")
                }
            }
        }
    }

    /// The relative targets of `[text](target)`, without anchors.
    static func linkTargets(in line: String) -> [String] {
        line.ranges(of: "](").compactMap { start in
            let target = line[start.upperBound...].prefix { $0 != ")" && $0 != " " }
            let path = target.prefix { $0 != "#" }
            return path.isEmpty || path.contains("://") || path.hasPrefix("mailto:") ? nil : String(path)
        }
    }

    @Test("The rules see what they are meant to see")
    func rulesWork() {
        let file = Repository.File(
            path: "Sources/A/B.swift",
            lines: [
                "let a = \"try! \\\" //\" // try!", "package import Metadata",
                "import struct NIOCore.ByteBuffer", "x as! Y",
            ]
        )
        #expect(file.code[0].text == "let a = \"\" ")
        #expect(file.imports.map(\.module) == ["Metadata", "NIOCore"])
        #expect(file.code[3].text.contains("as!"))
        #expect(Self.linkTargets(in: "see [a](B.md#c), [d](https://e) and [f](#g)") == ["B.md"])
    }
}
