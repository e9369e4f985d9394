/// Why bytes from a peer are no message. They are input like any other: never a trap.
package enum MessageError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The message ends before the field at `offset` does.
    case truncated(offset: Int)
    /// A length that is more than the field may have.
    case tooLong(length: Int, limit: Int)
    /// A version this program does not speak.
    case unknownVersion(UInt16)
    /// A message kind that the receiver does not answer.
    case unknownKind(UInt16)
    /// A value that the field cannot have.
    case invalid(field: String)
    /// Bytes behind the last field.
    case trailingBytes(Int)

    package var description: String {
        switch self {
        case .truncated(let offset): "the message ends within the field at byte \(offset)"
        case .tooLong(let length, let limit): "a field of \(length) bytes, at most \(limit) are allowed"
        case .unknownVersion(let version): "message version \(version) is not spoken here: upgrade the older program"
        case .unknownKind(let kind): "message kind \(kind) is not known here: upgrade the older program"
        case .invalid(let field): "the field \(field) has no valid value"
        case .trailingBytes(let count): "\(count) bytes behind the last field"
        }
    }
}

/// What every message begins with: the version of its layout (2 bytes) and its kind (2 bytes).
package struct MessageHead: Hashable, Sendable {
    package var version: UInt16
    package var kind: UInt16

    package init(version: UInt16, kind: UInt16) {
        self.version = version
        self.kind = kind
    }
}

/// Writes the fields of a message one after another: integers little-endian in their width, byte strings and lists
/// behind a 4-byte count, optionals behind a byte 0 or 1.
package struct MessageEncoder: Sendable {
    package private(set) var bytes: [UInt8]

    /// An encoder without a head, for a part of a message.
    package init(capacity: Int = 0) {
        bytes = []
        bytes.reserveCapacity(capacity)
    }

    package init(_ head: MessageHead, capacity: Int = 64) {
        self.init(capacity: capacity + 4)
        append(head.version)
        append(head.kind)
    }

    package mutating func append(_ value: some FixedWidthInteger) {
        withUnsafeBytes(of: value.littleEndian) { bytes.append(contentsOf: $0) }
    }

    /// A count or offset of this process as 8 bytes. Must not be negative.
    package mutating func append(count value: Int) { append(UInt64(value)) }

    package mutating func append(_ value: Bool) { bytes.append(value ? 1 : 0) }

    /// At most 2^32 - 1 bytes.
    package mutating func append(bytes value: some Collection<UInt8>) {
        append(UInt32(value.count))
        bytes.append(contentsOf: value)
    }

    package mutating func append(text: String) { append(bytes: Array(text.utf8)) }

    /// The bytes as they are, without a count.
    package mutating func append(raw value: some Collection<UInt8>) { bytes.append(contentsOf: value) }

    package mutating func append<Value>(optional value: Value?, _ body: (inout MessageEncoder, Value) -> Void) {
        append(value != nil)
        if let value { body(&self, value) }
    }

    package mutating func append<Element>(
        list: some Collection<Element>,
        _ body: (inout MessageEncoder, Element) -> Void
    ) {
        append(UInt32(list.count))
        for element in list { body(&self, element) }
    }
}

/// Reads what `MessageEncoder` wrote: every read is checked against the end, every count against a limit.
package struct MessageDecoder: Sendable {
    /// Elements of a list at most, unless the caller says otherwise: a hostile count cannot reserve memory.
    package static let defaultListLimit = 65_536
    /// Bytes of a byte string at most, unless the caller says otherwise.
    package static let defaultLengthLimit = 16 << 20

    private let bytes: [UInt8]
    package private(set) var offset = 0

    package init(_ bytes: [UInt8]) { self.bytes = bytes }

    package var remaining: Int { bytes.count - offset }

    /// The head; the caller checks version and kind.
    package mutating func head() throws(MessageError) -> MessageHead {
        MessageHead(version: try integer(), kind: try integer())
    }

    package mutating func integer<Value: FixedWidthInteger>(
        _ type: Value.Type = Value.self
    ) throws(MessageError) -> Value {
        let width = Value.bitWidth / 8
        guard remaining >= width else { throw .truncated(offset: offset) }
        var value = Value.zero
        withUnsafeMutableBytes(of: &value) { $0.copyBytes(from: bytes[offset..<offset + width]) }
        offset += width
        return Value(littleEndian: value)
    }

    /// A count written with `append(count:)`.
    package mutating func count(limit: Int = .max) throws(MessageError) -> Int {
        let value = try integer(UInt64.self)
        guard let count = Int(exactly: value), count <= limit else {
            throw .tooLong(length: Int(clamping: value), limit: limit)
        }
        return count
    }

    package mutating func bool() throws(MessageError) -> Bool {
        switch try integer(UInt8.self) {
        case 0: false
        case 1: true
        default: throw .invalid(field: "boolean")
        }
    }

    package mutating func byteString(limit: Int = MessageDecoder.defaultLengthLimit) throws(MessageError) -> [UInt8] {
        let length = Int(try integer(UInt32.self))
        guard length <= limit else { throw .tooLong(length: length, limit: limit) }
        return try raw(length)
    }

    package mutating func text(limit: Int = MessageDecoder.defaultLengthLimit) throws(MessageError) -> String {
        guard let text = String(validating: try byteString(limit: limit), as: UTF8.self) else {
            throw .invalid(field: "text")
        }
        return text
    }

    /// Exactly `count` bytes.
    package mutating func raw(_ count: Int) throws(MessageError) -> [UInt8] {
        guard count >= 0, remaining >= count else { throw .truncated(offset: offset) }
        defer { offset += count }
        return Array(bytes[offset..<offset + count])
    }

    package mutating func optional<Value>(
        _ body: (inout MessageDecoder) throws(MessageError) -> Value
    ) throws(MessageError) -> Value? {
        try bool() ? try body(&self) : nil
    }

    package mutating func list<Element>(
        limit: Int = MessageDecoder.defaultListLimit,
        _ body: (inout MessageDecoder) throws(MessageError) -> Element
    ) throws(MessageError) -> [Element] {
        let count = Int(try integer(UInt32.self))
        guard count <= limit else { throw .tooLong(length: count, limit: limit) }
        var elements: [Element] = []
        // The count is the sender's word; what really follows may be less.
        elements.reserveCapacity(min(count, remaining))
        for _ in 0..<count { elements.append(try body(&self)) }
        return elements
    }

    /// Refuses bytes behind the last field.
    package func finish() throws(MessageError) {
        guard remaining == 0 else { throw .trailingBytes(remaining) }
    }
}
