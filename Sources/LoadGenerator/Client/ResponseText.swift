/// What one page of a list held.
struct ListPage {
    var keyCount: Int
    /// Percent-encoded; nil on the last page.
    var nextToken: String?
    /// Bytes of the response.
    var bytes: Int
}

/// Finds single elements in S3's XML answers, without reading the rest.
enum ResponseText {
    /// The text of the first element called `name`, with `&amp;`, `&quot;`, `&lt;` and `&gt;` resolved.
    static func element(_ name: String, in body: [UInt8]) -> String? {
        let opening = Array("<\(name)>".utf8)
        return body.withUnsafeBytes { bytes in
            guard let start = first(opening, in: bytes, from: 0).map({ $0 + opening.count }),
                let end = first(Array("</".utf8), in: bytes, from: start)
            else { return nil }
            return unescaped(String(decoding: bytes[start..<end], as: UTF8.self))
        }
    }

    /// How often `text` occurs.
    static func count(_ text: String, in body: [UInt8]) -> Int {
        let pattern = Array(text.utf8)
        return body.withUnsafeBytes { bytes in
            var count = 0
            var start = 0
            while let found = first(pattern, in: bytes, from: start) {
                count += 1
                start = found + pattern.count
            }
            return count
        }
    }

    private static func first(_ pattern: [UInt8], in bytes: UnsafeRawBufferPointer, from start: Int) -> Int? {
        guard let head = pattern.first else { return nil }
        var index = start
        while index + pattern.count <= bytes.count {
            if bytes[index] == head, pattern.indices.allSatisfy({ bytes[index + $0] == pattern[$0] }) { return index }
            index += 1
        }
        return nil
    }

    private static func unescaped(_ text: String) -> String {
        guard text.contains("&") else { return text }
        return [("&quot;", "\""), ("&lt;", "<"), ("&gt;", ">"), ("&amp;", "&")].reduce(text) {
            $0.replacing($1.0, with: $1.1)
        }
    }
}
