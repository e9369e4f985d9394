/// A small strict pull parser for the request bodies of S3.
///
/// Knows elements, character data, CDATA, comments, a leading declaration, and the five predefined entities beside
/// numeric references. Refuses all else: DOCTYPE, other entities, processing instructions. A prefix of a name is
/// dropped and attributes are skipped, so that any name space is tolerated. Never recurses: depth costs no stack.
package struct XMLReader {
    package enum Event: Hashable, Sendable {
        case start(String)
        case end(String)
        /// Unescaped character data, whole up to the next tag; white space alone is dropped.
        case text(String)
    }

    /// Elements inside one another.
    package static let maximumDepth = 16
    /// Bytes of a document: room for a completion of 10,000 parts with checksums of 64 bytes.
    package static let maximumLength = 4 << 20

    private let input: [UInt8]
    private var position = 0
    /// Names of the open elements, as written (with prefix).
    private var open: [ArraySlice<UInt8>] = []
    private var pendingEnd: ArraySlice<UInt8>?
    private var sawRoot = false

    /// Refuses documents that are too long or not UTF-8.
    package init(_ input: [UInt8]) throws(XMLError) {
        guard input.count <= Self.maximumLength else { throw .tooLong }
        guard String(validating: input, as: UTF8.self) != nil else { throw .notWellFormed }
        self.input = input
        if input.starts(with: [0xEF, 0xBB, 0xBF]) { position = 3 }
        try skipDeclaration()
    }

    /// The next event; nil at the end of a complete document.
    package mutating func next() throws(XMLError) -> Event? {
        if let name = pendingEnd {
            pendingEnd = nil
            return .end(Self.localName(name))
        }
        while position < input.count {
            if input[position] == UInt8(ascii: "<"), !starts(with: "<![CDATA[") {
                if starts(with: "<!--") {
                    try skipComment()
                } else if starts(with: "</") {
                    return try endTag()
                } else {
                    return try startTag()
                }
            } else if let text = try characterData() {
                return .text(text)
            }
        }
        guard open.isEmpty, sawRoot else { throw .notWellFormed }
        return nil
    }

    // MARK: Tags

    private mutating func startTag() throws(XMLError) -> Event {
        guard !(open.isEmpty && sawRoot) else { throw .notWellFormed }
        position += 1
        let name = try self.name()
        while true {
            let hadSpace = skipSpace()
            guard position < input.count else { throw .notWellFormed }
            if input[position] == UInt8(ascii: ">") {
                position += 1
                guard open.count < Self.maximumDepth else { throw .tooDeep }
                open.append(name)
                break
            }
            if starts(with: "/>") {
                position += 2
                pendingEnd = name
                break
            }
            guard hadSpace else { throw .notWellFormed }
            try skipAttribute()
        }
        sawRoot = true
        return .start(Self.localName(name))
    }

    private mutating func endTag() throws(XMLError) -> Event {
        position += 2
        let name = try self.name()
        _ = skipSpace()
        guard position < input.count, input[position] == UInt8(ascii: ">"), let expected = open.popLast(),
            expected == name
        else { throw .notWellFormed }
        position += 1
        return .end(Self.localName(name))
    }

    private mutating func skipAttribute() throws(XMLError) {
        _ = try name()
        _ = skipSpace()
        guard position < input.count, input[position] == UInt8(ascii: "=") else { throw .notWellFormed }
        position += 1
        _ = skipSpace()
        guard position < input.count else { throw .notWellFormed }
        let quote = input[position]
        guard quote == UInt8(ascii: "\"") || quote == UInt8(ascii: "'") else { throw .notWellFormed }
        position += 1
        while position < input.count, input[position] != quote {
            guard input[position] != UInt8(ascii: "<") else { throw .notWellFormed }
            position += 1
        }
        guard position < input.count else { throw .notWellFormed }
        position += 1
    }

    private mutating func name() throws(XMLError) -> ArraySlice<UInt8> {
        let start = position
        while position < input.count, Self.isNameByte(input[position]) { position += 1 }
        let name = input[start..<position]
        // Both parts of a name with a prefix begin as names do.
        let local = name.lastIndex(of: UInt8(ascii: ":")).map { $0 + 1 } ?? start
        guard local < position, !Self.isDigitOrPunctuation(input[start]), !Self.isDigitOrPunctuation(input[local])
        else { throw .notWellFormed }
        return name
    }

    // MARK: Text

    /// Text up to the next tag; nil when it was only white space.
    private mutating func characterData() throws(XMLError) -> String? {
        var text: [UInt8] = []
        while position < input.count {
            let byte = input[position]
            if byte == UInt8(ascii: "<") {
                if starts(with: "<![CDATA[") {
                    try appendSection(to: &text)
                } else if starts(with: "<!--") {
                    try skipComment()
                } else {
                    break
                }
            } else if byte == UInt8(ascii: "&") {
                try appendReference(to: &text)
            } else {
                guard Self.isCharacter(byte) else { throw .notWellFormed }
                text.append(byte)
                position += 1
            }
        }
        if text.allSatisfy(Self.isSpace) {
            return open.isEmpty || text.isEmpty ? nil : String(decoding: text, as: UTF8.self)
        }
        guard !open.isEmpty else { throw .notWellFormed }
        return String(decoding: text, as: UTF8.self)
    }

    private mutating func appendSection(to text: inout [UInt8]) throws(XMLError) {
        position += 9
        while position < input.count {
            if starts(with: "]]>") {
                position += 3
                return
            }
            guard Self.isCharacter(input[position]) else { throw .notWellFormed }
            text.append(input[position])
            position += 1
        }
        throw .notWellFormed
    }

    private mutating func appendReference(to text: inout [UInt8]) throws(XMLError) {
        // The longest reference there is: `&#1114111;`.
        let limit = min(input.count, position + 12)
        guard let end = input[position..<limit].firstIndex(of: UInt8(ascii: ";")) else { throw .notWellFormed }
        let name = String(decoding: input[position + 1..<end], as: UTF8.self)
        position = end + 1
        switch name {
        case "amp": text.append(UInt8(ascii: "&"))
        case "lt": text.append(UInt8(ascii: "<"))
        case "gt": text.append(UInt8(ascii: ">"))
        case "quot": text.append(UInt8(ascii: "\""))
        case "apos": text.append(UInt8(ascii: "'"))
        default:
            guard let scalar = Self.numericReference(name) else { throw .forbiddenEntity }
            text.append(contentsOf: String(Character(scalar)).utf8)
        }
    }

    private static func numericReference(_ name: String) -> Unicode.Scalar? {
        guard name.hasPrefix("#") else { return nil }
        let digits = name.dropFirst()
        let isHexadecimal = digits.hasPrefix("x")
        let text = isHexadecimal ? digits.dropFirst() : digits
        guard let first = text.utf8.first, first != UInt8(ascii: "+"), first != UInt8(ascii: "-"),
            let value = UInt32(text, radix: isHexadecimal ? 16 : 10), value != 0
        else { return nil }
        return Unicode.Scalar(value)
    }

    // MARK: What is skipped

    private mutating func skipDeclaration() throws(XMLError) {
        while position < input.count, Self.isSpace(input[position]) { position += 1 }
        guard starts(with: "<?xml") else { return }
        while position < input.count {
            if starts(with: "?>") {
                position += 2
                return
            }
            position += 1
        }
        throw .notWellFormed
    }

    private mutating func skipComment() throws(XMLError) {
        position += 4
        while position < input.count {
            if starts(with: "-->") {
                position += 3
                return
            }
            position += 1
        }
        throw .notWellFormed
    }

    private mutating func skipSpace() -> Bool {
        let start = position
        while position < input.count, Self.isSpace(input[position]) { position += 1 }
        return position > start
    }

    // MARK: Bytes

    private func starts(with text: StaticString) -> Bool {
        guard input.count - position >= text.utf8CodeUnitCount else { return false }
        return text.withUTF8Buffer { pattern in
            for index in pattern.indices where input[position + index] != pattern[index] { return false }
            return true
        }
    }

    private static func localName(_ name: ArraySlice<UInt8>) -> String {
        guard let colon = name.lastIndex(of: UInt8(ascii: ":")) else { return String(decoding: name, as: UTF8.self) }
        return String(decoding: name[(colon + 1)...], as: UTF8.self)
    }

    /// XML has no control characters but white space, not even in sections.
    private static func isCharacter(_ byte: UInt8) -> Bool { byte >= 0x20 || isSpace(byte) }

    private static func isSpace(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 }

    private static func isNameByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: "-"), UInt8(ascii: "."),
            UInt8(ascii: ":"), 0x80...0xFF:
            true
        default: false
        }
    }

    private static func isDigitOrPunctuation(_ byte: UInt8) -> Bool {
        (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) || byte == UInt8(ascii: "-")
            || byte == UInt8(ascii: ".")
    }
}

/// Why a document was refused.
package enum XMLError: Error, Hashable, Sendable {
    case notWellFormed
    case forbiddenEntity
    case tooDeep
    case tooLong
    /// Well-formed, but not the document that the operation takes.
    case unexpected
}
