/// Writes a JSON document: on one line when `indent` is nil, else for people.
struct JSONWriter {
    private(set) var text = ""
    private let indent: Int?
    /// Arrays and objects that are open.
    private var level = 0

    init(indent: Int?) { self.indent = indent }

    mutating func write(_ value: JSONValue) {
        switch value {
        case .null: text += "null"
        case .bool(let value): text += value ? "true" : "false"
        case .number(let value): text += String(value)
        case .string(let value): write(string: value)
        case .array(let values):
            write(values, between: "[", and: "]") { writer, value in writer.write(value) }
        case .object(let members):
            write(members, between: "{", and: "}") { writer, member in writer.write(member) }
        }
    }

    private mutating func write(_ member: JSONValue.Member) {
        write(string: member.name)
        text += indent == nil ? ":" : ": "
        write(member.value)
    }

    private mutating func write<Element>(
        _ elements: [Element],
        between open: String,
        and close: String,
        each write: (inout Self, Element) -> Void
    ) {
        text += open
        level += 1
        for (place, element) in elements.enumerated() {
            if place > 0 { text += "," }
            beginLine()
            write(&self, element)
        }
        level -= 1
        if !elements.isEmpty { beginLine() }
        text += close
    }

    private mutating func beginLine() {
        guard let indent else { return }
        text += "\n" + String(repeating: " ", count: indent * level)
    }

    private mutating func write(string: String) {
        text += "\""
        for scalar in string.unicodeScalars {
            switch scalar {
            case "\"": text += "\\\""
            case "\\": text += "\\\\"
            case "\n": text += "\\n"
            case _ where scalar.value < 0x20 || scalar.value == 0x7F:
                let digits = String(scalar.value, radix: 16)
                text += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
            default: text.unicodeScalars.append(scalar)
            }
        }
        text += "\""
    }
}
