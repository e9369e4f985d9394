import ObjectModel

/// Object tags: in the `x-amz-tagging` header and in the `Tagging` document.
package enum Tagging {
    /// Characters of a tag's key and value (AWS).
    package static let maximumKeyLength = 128
    package static let maximumValueLength = 256

    /// `a=b&c=d`, URL-encoded.
    package static func header(_ text: String) throws(S3Error) -> [ObjectTag] {
        var tags: [ObjectTag] = []
        for part in text.utf8.split(separator: UInt8(ascii: "&")) {
            let equals = part.firstIndex(of: UInt8(ascii: "="))
            let rawValue = equals.map { part[part.index(after: $0)...] } ?? part[part.endIndex...]
            guard let key = PercentCoding.decodeText(part[..<(equals ?? part.endIndex)], plusIsSpace: true),
                let value = PercentCoding.decodeText(rawValue, plusIsSpace: true)
            else { throw malformedHeader(text) }
            guard !key.isEmpty else { throw malformedHeader(text) }
            guard !tags.contains(where: { $0.key.utf8.elementsEqual(key.utf8) }) else { throw malformedHeader(text) }
            tags.append(ObjectTag(key: key, value: value))
        }
        try check(tags)
        return tags
    }

    private static func malformedHeader(_ text: String) -> S3Error {
        .invalidArgument(
            "The header 'x-amz-tagging' shall be encoded as UTF-8 then URLEncoded URL query parameters without "
                + "tag name duplicates.",
            name: "x-amz-tagging",
            value: text
        )
    }

    /// `<Tagging><TagSet><Tag><Key/><Value/></Tag>…</TagSet></Tagging>`
    package static func document(_ bytes: [UInt8]) throws(S3Error) -> [ObjectTag] {
        let tags = try S3Body.parse(bytes) { (root) throws(XMLError) in try Self.tags(in: root) }
        for (index, tag) in tags.enumerated()
        where tags[..<index].contains(where: { $0.key.utf8.elementsEqual(tag.key.utf8) }) {
            throw S3Error(
                .invalidTag,
                "Cannot provide multiple Tags with the same key",
                details: [("TagKey", tag.key)]
            )
        }
        try check(tags)
        return tags
    }

    private static func tags(in root: XMLElement) throws(XMLError) -> [ObjectTag] {
        guard root.name == "Tagging" else { throw .unexpected }
        try root.requireChildren(["TagSet"])
        guard root.children.count == 1 else { throw .unexpected }
        var tags: [ObjectTag] = []
        for element in root.children[0].children {
            guard element.name == "Tag" else { throw .unexpected }
            try element.requireChildren(["Key", "Value"])
            guard let key = try element.onlyText("Key"), let value = try element.onlyText("Value") else {
                throw .unexpected
            }
            tags.append(ObjectTag(key: key, value: value))
        }
        return tags
    }

    package static func write(_ tags: [ObjectTag]) -> [UInt8] {
        var xml = XMLWriter()
        xml.openRoot("Tagging")
        xml.open("TagSet")
        for tag in tags {
            xml.open("Tag")
            xml.element("Key", tag.key)
            xml.element("Value", tag.value)
            xml.close("Tag")
        }
        xml.close("TagSet")
        xml.close("Tagging")
        return xml.bytes
    }

    // MARK: Rules

    private static func check(_ tags: [ObjectTag]) throws(S3Error) {
        guard tags.count <= Limits.tagCount else {
            throw S3Error(.badRequest, "Object tags cannot be greater than \(Limits.tagCount)")
        }
        for tag in tags {
            guard (1...maximumKeyLength).contains(tag.key.unicodeScalars.count),
                tag.key.unicodeScalars.allSatisfy(isAllowed)
            else {
                throw S3Error(.invalidTag, "The TagKey you have provided is invalid", details: [("TagKey", tag.key)])
            }
            guard !tag.key.lowercased().hasPrefix("aws:") else {
                throw S3Error(
                    .invalidTag,
                    "System tags cannot be added/updated by requester",
                    details: [("TagKey", tag.key)]
                )
            }
            guard tag.value.unicodeScalars.count <= maximumValueLength,
                tag.value.unicodeScalars.allSatisfy(isAllowed)
            else {
                throw S3Error(
                    .invalidTag,
                    "The TagValue you have provided is invalid",
                    details: [("TagKey", tag.key), ("TagValue", tag.value)]
                )
            }
        }
    }

    /// Letters, numbers and spaces of any script, and `+ - = . _ : / @`.
    private static func isAllowed(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar {
        case "+", "-", "=", ".", "_", ":", "/", "@": return true
        default: break
        }
        switch scalar.properties.generalCategory {
        case .uppercaseLetter, .lowercaseLetter, .titlecaseLetter, .modifierLetter, .otherLetter, .decimalNumber,
            .letterNumber, .otherNumber, .spaceSeparator, .nonspacingMark, .spacingMark:
            return true
        default: return false
        }
    }
}
