/// The targets of Package.swift and what they say they depend on, read from its text.
struct Manifest {
    /// By name; the names of targets only, products of other packages left out.
    var targets: [String: Set<String>] = [:]

    /// Reads calls like `library("A", ["B", "C"])`, `.target(name: "A", …)` and `.executableTarget(name: "A", …)`.
    init(_ text: String) {
        for (kind, nameLabel) in [
            ("library(", ""), ("tests(", ""), (".target(", "name: "), (".executableTarget(", "name: "),
            (".systemLibrary(", "name: "),
        ] {
            for start in text.ranges(of: kind) {
                let call = Self.argument(of: text[start.upperBound...])
                guard let name = Self.strings(in: call).first,
                    call.drop(while: \.isWhitespace).hasPrefix("\(nameLabel)\"\(name)\"")
                else { continue }
                let list = call.firstIndex(of: "[").map { Self.argument(of: call[call.index(after: $0)...]) } ?? ""
                targets[name] = kind == ".systemLibrary(" ? [] : Set(Self.strings(in: list))
            }
        }
    }

    /// The text up to the bracket that closes what was just opened.
    private static func argument(of text: Substring) -> Substring {
        var depth = 1
        var index = text.startIndex
        while index < text.endIndex {
            if "([".contains(text[index]) { depth += 1 }
            if ")]".contains(text[index]) { depth -= 1 }
            if depth == 0 { break }
            index = text.index(after: index)
        }
        return text[..<index]
    }

    /// The string literals of a piece of the manifest.
    private static func strings(in text: Substring) -> [String] {
        text.split(separator: "\"", omittingEmptySubsequences: false).enumerated()
            .filter { $0.offset % 2 == 1 }.map { String($0.element) }
    }
}
