/// A parsed element: what the small documents of S3 are read into before they are checked.
package struct XMLElement: Hashable, Sendable {
    package var name: String
    /// The element's own text.
    package var text: String
    package var children: [XMLElement]

    /// Reads a whole document; nodes are bounded by the document's length.
    package static func document(_ bytes: [UInt8]) throws(XMLError) -> XMLElement {
        var reader = try XMLReader(bytes)
        var stack: [XMLElement] = []
        while let event = try reader.next() {
            switch event {
            case .start(let name): stack.append(XMLElement(name: name, text: "", children: []))
            case .text(let text):
                guard !stack.isEmpty else { throw .notWellFormed }
                stack[stack.count - 1].text += text
            case .end:
                guard let element = stack.popLast() else { throw .notWellFormed }
                guard !stack.isEmpty else {
                    // The root is closed: only comments and white space may follow.
                    while let trailing = try reader.next() {
                        _ = trailing
                        throw .notWellFormed
                    }
                    return element
                }
                stack[stack.count - 1].children.append(element)
            }
        }
        throw .notWellFormed
    }

    /// The children's names are all among `known`; S3 refuses what its schema does not know.
    package func requireChildren(_ known: Set<String>) throws(XMLError) {
        for child in children where !known.contains(child.name) { throw .unexpected }
    }

    /// The text of the one child of that name; nil when there is none, an error when there are several.
    package func onlyText(_ name: String) throws(XMLError) -> String? {
        var found: String?
        for child in children where child.name == name {
            guard found == nil, child.children.isEmpty else { throw .unexpected }
            found = child.text
        }
        return found
    }
}
