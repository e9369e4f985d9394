/// Numbers of parameters, headers and documents: digits alone, as Swift's own reading of a number takes `+1`, too.
package enum DecimalText {
    /// Nil for what is no number, or too large a one.
    package static func value(_ text: some StringProtocol) -> Int? {
        guard !text.isEmpty, text.utf8.allSatisfy({ (48...57).contains($0) }) else { return nil }
        return Int(text)
    }

    /// The same with a minus sign before it or without.
    package static func signedValue(_ text: some StringProtocol) -> Int? {
        text.utf8.first == UInt8(ascii: "-") ? value(text.dropFirst()).map { -$0 } : value(text)
    }
}
