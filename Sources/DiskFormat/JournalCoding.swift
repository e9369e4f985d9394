internal import Checksums

/// Why bytes of a keeper's log are not what they should be. Corrupt bytes are input: an error, never a trap.
package enum JournalFormatError: Error, Hashable, Sendable, CustomStringConvertible {
    /// Fewer bytes than the structure has.
    case truncated
    /// The magic number is another: nothing of this kind was ever written here, or it is overwritten.
    case notFound
    /// The bytes are not those that were written.
    case checksum
    /// A newer layout; the store must be upgraded before it may touch this file.
    case unknownVersion(UInt16)
    /// Features without which the file cannot be understood.
    case unknownFeatures(UInt32)
    /// A value that the field cannot have.
    case invalid(String)

    package var description: String {
        switch self {
        case .truncated: "the structure is cut off"
        case .notFound: "there is no such structure"
        case .checksum: "the checksum does not match"
        case .unknownVersion(let version): "journal format version \(version) is newer than this program: upgrade it"
        case .unknownFeatures(let bits): "journal features \(bits) are not known: upgrade this program"
        case .invalid(let field): "the field \(field) has no valid value"
        }
    }
}

/// Fixed-width little-endian fields written one after another.
struct JournalBytes {
    var bytes: [UInt8] = []

    mutating func append(_ value: some FixedWidthInteger) {
        withUnsafeBytes(of: value.littleEndian) { bytes.append(contentsOf: $0) }
    }

    /// Zeros up to `length`.
    mutating func pad(to length: Int) {
        if bytes.count < length { bytes.append(contentsOf: repeatElement(0, count: length - bytes.count)) }
    }

    /// The CRC-32C of all so far, begun with `seed`.
    mutating func appendChecksum(seed: UInt64 = 0) {
        append(bytes.withUnsafeBytes { Self.checksum($0, seed: seed) })
    }

    /// What lies before the CRC-32C in the last four bytes.
    static func checkedBody(_ bytes: UnsafeRawBufferPointer) throws(JournalFormatError) -> UnsafeRawBufferPointer {
        guard bytes.count >= 4 else { throw .truncated }
        let body = UnsafeRawBufferPointer(rebasing: bytes[..<(bytes.count - 4)])
        guard checksum(body, seed: 0) == bytes.field(body.count) else { throw .checksum }
        return body
    }

    /// The bytes of an array, for a body that throws.
    static func with<Value>(
        _ bytes: [UInt8],
        _ body: (UnsafeRawBufferPointer) throws(JournalFormatError) -> Value
    ) throws(JournalFormatError) -> Value {
        let result = bytes.withUnsafeBytes { bytes in
            Result { () throws(JournalFormatError) in try body(bytes) }
        }
        return try result.get()
    }

    static func continued(_ checksum: UInt32, _ bytes: UnsafeRawBufferPointer) -> UInt32 {
        CRC32C.checksum(bytes, continuing: checksum)
    }

    static func checksum(_ bytes: UnsafeRawBufferPointer, seed: UInt64) -> UInt32 {
        guard seed != 0 else { return CRC32C.checksum(bytes) }
        return CRC32C.checksum(bytes, continuing: withUnsafeBytes(of: seed.littleEndian) { CRC32C.checksum($0) })
    }
}

extension UnsafeRawBufferPointer {
    /// The little-endian integer at `offset`, which the caller has checked to lie within.
    func field<Value: FixedWidthInteger>(_ offset: Int, as type: Value.Type = Value.self) -> Value {
        Value(littleEndian: loadUnaligned(fromByteOffset: offset, as: Value.self))
    }
}
