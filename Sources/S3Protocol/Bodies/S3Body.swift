/// Request documents: parsed strictly, every departure from the schema being AWS's `MalformedXML`.
package enum S3Body {
    static func parse<Value>(
        _ bytes: [UInt8],
        _ read: (XMLElement) throws(XMLError) -> Value
    ) throws(S3Error) -> Value {
        guard !bytes.isEmpty else { throw S3Error(.missingRequestBody) }
        do throws(XMLError) {
            return try read(XMLElement.document(bytes))
        } catch {
            switch error {
            case .tooLong: throw S3Error(.maxMessageLengthExceeded)
            case .notWellFormed, .forbiddenEntity, .tooDeep, .unexpected: throw S3Error(.malformedXML)
            }
        }
    }

    /// XML Schema's white space around what is a number or a boolean is none of it.
    static func collapsed(_ text: String) -> Substring {
        let space: Set<UInt8> = [0x20, 0x09, 0x0A, 0x0D]
        var rest = text.utf8[...]
        while let first = rest.first, space.contains(first) { rest = rest.dropFirst() }
        while let last = rest.last, space.contains(last) { rest = rest.dropLast() }
        return Substring(rest)
    }

    static func flag(_ text: String?) throws(XMLError) -> Bool {
        switch text.map({ collapsed($0).lowercased() }) {
        case nil, "false", "0": return false
        case "true", "1": return true
        default: throw .unexpected
        }
    }
}
