internal import ObjectModel

/// Appends varints and bytes: how rows and effects are encoded (`Docs/MetadataRecords.md`).
struct ByteWriter {
    private(set) var bytes: [UInt8] = []

    init(capacity: Int = 96) { bytes.reserveCapacity(capacity) }

    mutating func put(byte: UInt8) { bytes.append(byte) }

    mutating func put(raw more: [UInt8]) { bytes.append(contentsOf: more) }

    /// 7 bits a byte, the lowest first; bit 7 says that more follow.
    mutating func put(_ value: UInt64) {
        var rest = value
        while rest >= 0x80 {
            bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        bytes.append(UInt8(truncatingIfNeeded: rest))
    }

    mutating func put(_ value: UInt32) { put(UInt64(value)) }

    /// A count or a length; negative ones are programmer's errors and are written as 0.
    mutating func put(_ value: Int) { put(UInt64(max(0, value))) }

    /// Signed, in zigzag form.
    mutating func put(signed value: Int64) { put(UInt64(bitPattern: value << 1 ^ value >> 63)) }

    /// 8 bytes, little-endian.
    mutating func put(fixed value: UInt64) {
        withUnsafeBytes(of: value.littleEndian) { bytes.append(contentsOf: $0) }
    }

    /// The length and the bytes.
    mutating func put(_ more: [UInt8]) {
        put(more.count)
        bytes.append(contentsOf: more)
    }

    mutating func put(_ text: String) {
        put(text.utf8.count)
        bytes.append(contentsOf: text.utf8)
    }

    /// A tagged field: tag (2 bytes), length (4 bytes), content.
    mutating func putField(_ tag: UInt16, _ content: [UInt8]) {
        withUnsafeBytes(of: tag.littleEndian) { bytes.append(contentsOf: $0) }
        withUnsafeBytes(of: UInt32(clamping: content.count).littleEndian) { bytes.append(contentsOf: $0) }
        bytes.append(contentsOf: content)
    }
}

/// Reads what `ByteWriter` wrote. Bytes are input: whatever they are, it throws and never traps.
struct ByteReader {
    private let bytes: [UInt8]
    private(set) var position = 0

    init(_ bytes: [UInt8]) { self.bytes = bytes }

    var remaining: Int { bytes.count - position }
    var isAtEnd: Bool { position == bytes.count }

    mutating func getByte() throws(MetadataError) -> UInt8 {
        guard position < bytes.count else { throw .corrupt("cut short") }
        defer { position += 1 }
        return bytes[position]
    }

    mutating func getInteger() throws(MetadataError) -> UInt64 {
        var value: UInt64 = 0
        for shift in stride(from: UInt64(0), to: 64, by: 7) {
            let byte = try getByte()
            let part = UInt64(byte & 0x7F)
            guard shift < 63 || part <= 1 else { break }
            value |= part << shift
            if byte & 0x80 == 0 { return value }
        }
        throw .corrupt("varint")
    }

    mutating func getUInt32() throws(MetadataError) -> UInt32 {
        guard let value = UInt32(exactly: try getInteger()) else { throw .corrupt("32-bit number") }
        return value
    }

    /// A length or number of at most 2^62, so that sums of two cannot overflow.
    mutating func getInt() throws(MetadataError) -> Int {
        let value = try getInteger()
        guard value <= 1 << 62 else { throw .corrupt("length") }
        return Int(value)
    }

    /// The length of an object or of a part: bounded, so that sums over a store's objects cannot overflow.
    mutating func getObjectLength() throws(MetadataError) -> Int {
        let length = try getInt()
        guard length <= Limits.objectLength else { throw .corrupt("length of an object") }
        return length
    }

    /// A count of things that take at least `size` bytes each: a hostile one cannot reserve more than was given.
    mutating func getCount(size: Int) throws(MetadataError) -> Int {
        let count = try getInt()
        guard count <= remaining / size else { throw .corrupt("count") }
        return count
    }

    mutating func getSigned() throws(MetadataError) -> Int64 {
        let value = try getInteger()
        return Int64(bitPattern: value >> 1) ^ -Int64(bitPattern: value & 1)
    }

    mutating func getFixed() throws(MetadataError) -> UInt64 {
        guard remaining >= 8 else { throw .corrupt("cut short") }
        var value: UInt64 = 0
        for index in 0..<8 { value |= UInt64(bytes[position + index]) << UInt64(8 * index) }
        position += 8
        return value
    }

    mutating func getRaw(_ count: Int) throws(MetadataError) -> [UInt8] {
        guard count >= 0, count <= remaining else { throw .corrupt("cut short") }
        defer { position += count }
        return [UInt8](bytes[position..<position + count])
    }

    mutating func getBytes() throws(MetadataError) -> [UInt8] { try getRaw(try getInt()) }

    mutating func getRest() throws(MetadataError) -> [UInt8] { try getRaw(remaining) }

    mutating func getText() throws(MetadataError) -> String {
        let count = try getInt()
        guard count <= remaining else { throw .corrupt("cut short") }
        defer { position += count }
        return try bytes[position..<position + count].text()
    }

    mutating func getField() throws(MetadataError) -> (tag: UInt16, content: [UInt8]) {
        let tag = UInt16(try getByte()) | UInt16(try getByte()) << 8
        var length = 0
        for shift in stride(from: 0, to: 32, by: 8) { length |= Int(try getByte()) << shift }
        return (tag, try getRaw(length))
    }

    func expectEnd(of what: String) throws(MetadataError) {
        guard isAtEnd else { throw .corrupt("bytes behind \(what)") }
    }
}

extension Sequence<UInt8> {
    /// The bytes as text; anything but valid UTF-8 is refused, since names must come back as they went in.
    func text() throws(MetadataError) -> String {
        guard let text = String(validating: Array(self), as: UTF8.self) else { throw .corrupt("text") }
        return text
    }
}
