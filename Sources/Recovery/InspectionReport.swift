/// What an inspection found: shown to people as aligned text, and to programs as JSON.
package struct InspectionReport: Sendable {
    package struct Table: Sendable {
        package var title: String
        package var columns: [String]
        package var rows: [[String]]
    }

    package private(set) var fields: [(name: String, value: String)] = []
    package private(set) var tables: [Table] = []

    package init() {}

    mutating func add(_ name: String, _ value: String?) {
        if let value { fields.append((name, value)) }
    }

    mutating func add(_ name: String, _ value: Int) { fields.append((name, String(value))) }

    mutating func add(_ title: String, columns: [String], rows: [[String]]) {
        tables.append(Table(title: title, columns: columns, rows: rows))
    }

    package var text: String {
        let width = fields.map(\.name.count).max() ?? 0
        var lines = fields.map { Self.pad($0.name, width) + "  " + Self.printable($0.value) }
        for table in tables {
            lines.append("")
            lines.append(table.title)
            let rows = [table.columns] + table.rows.map { $0.map(Self.printable) }
            let widths = table.columns.indices.map { column in
                rows.map { column < $0.count ? $0[column].count : 0 }.max() ?? 0
            }
            for row in rows {
                let cells = zip(row, widths).map { Self.pad($0, $1) }
                lines.append("  " + Self.trimmed(cells.joined(separator: "  ")))
            }
        }
        return lines.joined(separator: "\n")
    }

    package var json: JSONValue {
        var members = fields.map { JSONValue.Member(Self.name($0.name), .string($0.value)) }
        for table in tables {
            let names = table.columns.map(Self.name)
            let rows = table.rows.map { row in
                JSONValue.object(zip(names, row).map { JSONValue.Member($0, .string($1)) })
            }
            members.append(JSONValue.Member(Self.name(table.title), .array(rows)))
        }
        return .object(members)
    }

    /// `live bytes` as `liveBytes`.
    private static func name(_ words: String) -> String {
        let parts = words.split(separator: " ")
        return parts.enumerated().map { $0 == 0 ? String($1) : $1.prefix(1).uppercased() + $1.dropFirst() }.joined()
    }

    /// Names on a disk may hold anything: what would move the cursor is shown escaped.
    private static func printable(_ text: String) -> String {
        var result = ""
        for scalar in text.unicodeScalars {
            if scalar.value < 0x20 || (0x7F..<0xA0).contains(scalar.value) {
                result += "\\u{" + String(scalar.value, radix: 16) + "}"
            } else {
                result.unicodeScalars.append(scalar)
            }
        }
        return result
    }

    private static func pad(_ text: String, _ width: Int) -> String {
        text + String(repeating: " ", count: max(0, width - text.count))
    }

    private static func trimmed(_ text: String) -> String {
        var text = text
        while text.hasSuffix(" ") { text.removeLast() }
        return text
    }
}
