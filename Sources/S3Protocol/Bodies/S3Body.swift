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

    static func flag(_ text: String?) throws(XMLError) -> Bool {
        switch text?.lowercased() {
        case nil, "false": return false
        case "true": return true
        default: throw .unexpected
        }
    }
}
