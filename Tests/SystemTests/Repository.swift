import Foundation

/// The checkout that these tests are part of, as text.
enum Repository {
    /// The folder of Package.swift, found from this file; links are followed, so that a package made of links to the
    /// real folders examines the real ones.
    static let root = URL(fileURLWithPath: #filePath).resolvingSymlinksInPath()
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

    struct File {
        /// Relative to the root.
        var path: String
        var lines: [String]
    }

    /// The text files with one of `extensions` under a folder of the root, sorted by path.
    static func files(in folder: String, extensions: Set<String>) throws -> [File] {
        let base = root.appendingPathComponent(folder)
        guard let walk = FileManager.default.enumerator(at: base, includingPropertiesForKeys: nil) else { return [] }
        var files: [File] = []
        for case let url as URL in walk where extensions.contains(url.pathExtension) {
            files.append(try file(at: url))
        }
        return files.sorted { $0.path < $1.path }
    }

    static func file(_ path: String) throws -> File {
        try file(at: root.appendingPathComponent(path))
    }

    static func exists(_ path: String) -> Bool {
        FileManager.default.fileExists(atPath: root.appendingPathComponent(path).path)
    }

    private static func file(at url: URL) throws -> File {
        let text = try String(contentsOf: url, encoding: .utf8)
        let path = url.standardizedFileURL.path
        let prefix = root.standardizedFileURL.path + "/"
        return File(
            path: path.hasPrefix(prefix) ? String(path.dropFirst(prefix.count)) : path,
            lines: text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
        )
    }
}

extension Repository.File {
    /// The target a source file belongs to: the folder under `Sources`.
    var target: String {
        let parts = path.split(separator: "/")
        return parts.count > 1 ? String(parts[1]) : ""
    }

    /// Line numbers (from 1) and lines without comments and without the contents of string literals: what the compiler
    /// acts on. Good enough for lines of this house's style; a literal over several lines counts as code.
    var code: [(number: Int, text: String)] {
        lines.enumerated().map { ($0.offset + 1, Self.stripped($0.element)) }
    }

    private static func stripped(_ line: String) -> String {
        var result = ""
        var isInLiteral = false
        var previous: Character = " "
        for character in line {
            if character == "\"", previous != "\\" {
                isInLiteral.toggle()
                result.append(character)
            } else if !isInLiteral {
                if character == "/", previous == "/" {
                    result.removeLast()
                    return result
                }
                result.append(character)
            }
            previous = previous == "\\" && character == "\\" ? " " : character
        }
        return result
    }

    /// The modules that a Swift file imports, with their line numbers.
    var imports: [(number: Int, module: String)] {
        code.compactMap { number, text in
            let words = text.split(whereSeparator: { $0 == " " || $0 == "(" || $0 == ")" }).map(String.init)
            guard let place = words.firstIndex(of: "import"), words.count > place + 1 else { return nil }
            let before: Set = ["package", "public", "internal", "private", "fileprivate"]
            guard words[..<place].allSatisfy({ before.contains($0) || $0.hasPrefix("@") }) else { return nil }
            let kinds: Set = ["struct", "class", "enum", "protocol", "func", "typealias", "var", "let"]
            let name = kinds.contains(words[place + 1]) && words.count > place + 2 ? words[place + 2] : words[place + 1]
            return (number, String(name.split(separator: ".").first ?? ""))
        }
    }
}
