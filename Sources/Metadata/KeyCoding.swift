internal import ObjectModel
internal import SystemInterface

/// A table's key: bytes that sort as the values do.
typealias RowKey = [UInt8]

extension RowKey {
    /// The number of significant bytes and those bytes, big-endian: short, and ordered by value.
    mutating func append(ordered value: UInt64) {
        let count = (64 - value.leadingZeroBitCount + 7) / 8
        append(UInt8(count))
        for index in stride(from: count - 1, through: 0, by: -1) {
            append(UInt8(truncatingIfNeeded: value >> UInt64(8 * index)))
        }
    }

    mutating func append(_ blob: BlobID) {
        append(ordered: UInt64(blob.incarnation))
        append(ordered: UInt64(blob.lease))
        append(ordered: blob.sequence)
    }

    /// Text with an end of its own, so that more can follow: NUL becomes 00 FF, the end is 00 00.
    mutating func append(terminated text: String) {
        append(escaped: text)
        append(0)
        append(0)
    }

    /// The beginning of all terminated texts that begin with `text`.
    mutating func append(escaped text: String) {
        for byte in text.utf8 {
            append(byte)
            if byte == 0 { append(0xFF) }
        }
    }

    mutating func append(bigEndian value: some FixedWidthInteger) {
        Swift.withUnsafeBytes(of: value.bigEndian) { append(contentsOf: $0) }
    }

    mutating func append(_ time: WallTime) {
        append(bigEndian: UInt64(bitPattern: time.milliseconds) ^ 1 << 63)
    }

    /// The first key after all that begin with this; nil when there is none.
    var successor: RowKey? {
        guard let last = lastIndex(where: { $0 != 0xFF }) else { return nil }
        var key = RowKey(self[...last])
        key[last] += 1
        return key
    }

    /// The first key after this one.
    var next: RowKey { self + [0] }

    static func blob(_ id: BlobID) -> RowKey {
        var key = RowKey()
        key.reserveCapacity(16)
        key.append(id)
        return key
    }

    static func text(_ text: String) -> RowKey { RowKey(text.utf8) }

    static func number(_ number: UInt64) -> RowKey {
        var key = RowKey()
        key.append(ordered: number)
        return key
    }

    static func version(bucket: UInt64, key text: String) -> RowKey {
        var key = RowKey()
        key.reserveCapacity(text.utf8.count + 4)
        key.append(ordered: bucket)
        key.append(contentsOf: text.utf8)
        return key
    }

    static func part(_ upload: UploadID, number: Int) -> RowKey {
        var key = RowKey.upload(upload)
        key.append(bigEndian: UInt16(clamping: number))
        return key
    }

    static func upload(_ upload: UploadID) -> RowKey {
        var key = RowKey()
        key.append(terminated: upload.text)
        return key
    }

    static func group(_ id: GroupID) -> RowKey {
        var key = RowKey()
        key.append(bigEndian: id.number)
        return key
    }

    static func disk(_ id: DiskID) -> RowKey {
        var key = RowKey()
        key.append(bigEndian: id.value.high)
        key.append(bigEndian: id.value.low)
        return key
    }

    static func lease(_ lease: WriteLease) -> RowKey {
        var key = RowKey()
        key.append(bigEndian: lease.incarnation)
        key.append(bigEndian: lease.number)
        return key
    }
}

/// Takes a key apart again.
struct KeyReader {
    private let bytes: RowKey
    private(set) var position: Int

    init(_ bytes: RowKey, at position: Int = 0) {
        self.bytes = bytes
        self.position = position
    }

    private mutating func byte() throws(MetadataError) -> UInt8 {
        guard position < bytes.count else { throw .corrupt("key") }
        defer { position += 1 }
        return bytes[position]
    }

    mutating func ordered() throws(MetadataError) -> UInt64 {
        let count = try byte()
        guard count <= 8 else { throw .corrupt("key") }
        var value: UInt64 = 0
        for _ in 0..<count { value = value << 8 | UInt64(try byte()) }
        return value
    }

    mutating func blob() throws(MetadataError) -> BlobID {
        guard let incarnation = UInt32(exactly: try ordered()), let lease = UInt32(exactly: try ordered()) else {
            throw .corrupt("key")
        }
        return BlobID(incarnation: incarnation, lease: lease, sequence: try ordered())
    }

    mutating func terminated() throws(MetadataError) -> String {
        var text: [UInt8] = []
        while true {
            let next = try byte()
            if next == 0, try byte() == 0 { break }
            text.append(next)
        }
        return try text.text()
    }

    mutating func bigEndian<Value: FixedWidthInteger & UnsignedInteger>(
        _: Value.Type = Value.self
    ) throws(MetadataError) -> Value {
        var value = Value.zero
        for _ in 0..<MemoryLayout<Value>.size { value = value << 8 | Value(truncatingIfNeeded: try byte()) }
        return value
    }

    mutating func time() throws(MetadataError) -> WallTime {
        WallTime(milliseconds: Int64(bitPattern: try bigEndian(UInt64.self) ^ 1 << 63))
    }

    mutating func rest() -> ArraySlice<UInt8> {
        defer { position = bytes.count }
        return bytes[min(position, bytes.count)...]
    }
}
