/// A field behind the fixed ones, by which structures grow (`Docs/DiskFormat.md`, Tagged fields).
package struct TaggedField: Hashable, Sendable {
    package var tag: UInt16
    package var bytes: [UInt8]

    package init(tag: UInt16, bytes: [UInt8]) {
        self.tag = tag
        self.bytes = bytes
    }

    /// Whether a reader that does not know the tag may go on.
    package var isOptional: Bool { tag >= Self.firstOptional }

    package static let firstOptional: UInt16 = 0x8000
    /// Bytes of a field beside its content.
    static let overhead = 6
}

extension FormatWriter {
    package mutating func put(_ field: TaggedField) {
        put(field.tag)
        put(UInt32(truncatingIfNeeded: field.bytes.count))
        put(bytes: field.bytes)
    }
}

extension FormatReader {
    package mutating func getField() throws(DiskFormatError) -> TaggedField {
        let tag: UInt16 = try get()
        let length: UInt32 = try get()
        return TaggedField(tag: tag, bytes: try getBytes(Int(length)))
    }

    /// Fields until the end, or until a tag of 0 where the room is fixed; unknown mandatory ones are refused.
    mutating func getUnknownFields(of structure: String) throws(DiskFormatError) -> [TaggedField] {
        var fields: [TaggedField] = []
        while remaining >= TaggedField.overhead {
            let field = try getField()
            guard field.tag != 0 else { break }
            guard field.isOptional else { throw .unsupported("field \(field.tag) of \(structure)") }
            fields.append(field)
        }
        return fields
    }
}
