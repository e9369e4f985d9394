/// Writes an XML document into one byte array.
///
/// Text is escaped, and characters that XML 1.0 cannot hold are written as numeric references, as AWS does; a client
/// that wants them asks for `encoding-type=url`.
package struct XMLWriter: Sendable {
    /// The document so far.
    package private(set) var bytes: [UInt8] = []

    /// AWS's name space of S3 documents.
    package static let s3Namespace = "http://s3.amazonaws.com/doc/2006-03-01/"

    package init(capacity: Int = 1_024) { bytes.reserveCapacity(capacity) }

    /// How every document begins. White space may follow before the root element.
    package static let prolog = Array("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n".utf8)

    package mutating func declaration() { bytes.append(contentsOf: Self.prolog) }

    /// Opens the root element of an S3 document.
    package mutating func openRoot(_ name: StaticString) {
        declaration()
        raw("<")
        raw(name)
        raw(" xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">")
    }

    package mutating func open(_ name: StaticString) {
        bytes.append(UInt8(ascii: "<"))
        raw(name)
        bytes.append(UInt8(ascii: ">"))
    }

    package mutating func close(_ name: StaticString) {
        raw("</")
        raw(name)
        bytes.append(UInt8(ascii: ">"))
    }

    package mutating func element(_ name: StaticString, _ text: String) {
        open(name)
        self.text(text)
        close(name)
    }

    /// The same for a name that is known only at run time; it must be a valid XML name.
    package mutating func dynamicElement(_ name: String, _ text: String) {
        bytes.append(UInt8(ascii: "<"))
        bytes.append(contentsOf: name.utf8)
        bytes.append(UInt8(ascii: ">"))
        self.text(text)
        raw("</")
        bytes.append(contentsOf: name.utf8)
        bytes.append(UInt8(ascii: ">"))
    }

    package mutating func element(_ name: StaticString, _ number: Int) {
        open(name)
        decimal(number)
        close(name)
    }

    package mutating func element(_ name: StaticString, _ flag: Bool) {
        open(name)
        raw(flag ? "true" : "false")
        close(name)
    }

    /// An element whose text is written by the caller, already safe for XML.
    package mutating func element(_ name: StaticString, writing body: (inout [UInt8]) -> Void) {
        open(name)
        body(&bytes)
        close(name)
    }

    /// Whether XML 1.0 (§2.2) has a way to say this text, which it has not for most control characters.
    package static func canCarry(_ text: String) -> Bool {
        text.unicodeScalars.allSatisfy { scalar in
            scalar.value >= 0x20 ? scalar.value & ~1 != 0xFFFE : [0x09, 0x0A, 0x0D].contains(scalar.value)
        }
    }

    /// Character data, escaped.
    package mutating func text(_ text: String) {
        var text = text
        text.withUTF8 { utf8 in
            var start = 0
            for (index, byte) in utf8.enumerated() where Self.needsEscape(byte) {
                bytes.append(contentsOf: utf8[start..<index])
                appendEscape(byte)
                start = index + 1
            }
            bytes.append(contentsOf: utf8[start...])
        }
    }

    /// An ETag in the form that S3 gives it: between escaped quotes.
    package mutating func quotedETag(_ name: StaticString, _ eTag: String) {
        open(name)
        raw("&quot;")
        text(eTag)
        raw("&quot;")
        close(name)
    }

    /// Bytes that are XML already.
    package mutating func raw(_ text: StaticString) {
        text.withUTF8Buffer { bytes.append(contentsOf: $0) }
    }

    private mutating func decimal(_ number: Int) {
        guard number >= 0 else {
            bytes.append(contentsOf: String(number).utf8)
            return
        }
        let start = bytes.count
        var rest = number
        repeat {
            bytes.append(UInt8(ascii: "0") + UInt8(truncatingIfNeeded: rest % 10))
            rest /= 10
        } while rest > 0
        bytes[start...].reverse()
    }

    @inline(__always)
    private static func needsEscape(_ byte: UInt8) -> Bool {
        byte < 0x20 || byte == UInt8(ascii: "<") || byte == UInt8(ascii: ">") || byte == UInt8(ascii: "&")
            || byte == UInt8(ascii: "\"")
    }

    private mutating func appendEscape(_ byte: UInt8) {
        switch byte {
        case UInt8(ascii: "<"): raw("&lt;")
        case UInt8(ascii: ">"): raw("&gt;")
        case UInt8(ascii: "&"): raw("&amp;")
        case UInt8(ascii: "\""): raw("&quot;")
        case 0x09, 0x0A: bytes.append(byte)
        default:
            raw("&#x")
            bytes.append(contentsOf: String(byte, radix: 16).utf8)
            raw(";")
        }
    }
}
