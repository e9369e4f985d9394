package import ObjectModel

/// Appends little-endian integers and bytes: how every structure of this module is encoded.
package struct FormatWriter {
    package private(set) var bytes: [UInt8] = []

    package init(capacity: Int = 256) { bytes.reserveCapacity(capacity) }

    package var count: Int { bytes.count }

    package mutating func put(_ value: some FixedWidthInteger) {
        withUnsafeBytes(of: value.littleEndian) { bytes.append(contentsOf: $0) }
    }

    package mutating func put(bytes more: some Sequence<UInt8>) { bytes.append(contentsOf: more) }

    package mutating func put(_ value: Identifier128) {
        put(value.high)
        put(value.low)
    }

    package mutating func put(_ digest: ContentDigest) {
        put(digest.high)
        put(digest.low)
    }

    /// 17 bytes.
    package mutating func put(_ shard: ShardID) {
        put(shard.blob.incarnation)
        put(shard.blob.lease)
        put(shard.blob.sequence)
        put(shard.index)
    }

    /// 7 bits a byte, the lowest first; bit 7 says that more follow.
    package mutating func putVarint(_ value: UInt32) {
        var rest = value
        while rest >= 0x80 {
            bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        bytes.append(UInt8(rest))
    }

    /// Zeros until `length` bytes are there.
    package mutating func pad(to length: Int) {
        guard length > bytes.count else { return }
        bytes.append(contentsOf: repeatElement(0, count: length - bytes.count))
    }

    /// Replaces four bytes written before, e.g. a length known only later.
    package mutating func replace(at offset: Int, with value: UInt32) {
        for index in 0..<4 { bytes[offset + index] = UInt8(truncatingIfNeeded: value >> (8 * UInt32(index))) }
    }
}

/// Reads what `FormatWriter` wrote; runs off the end with `.truncated`, never with a trap.
package struct FormatReader {
    private let bytes: UnsafeRawBufferPointer
    package private(set) var position: Int

    /// `bytes` stay valid as long as this reader is used.
    package init(_ bytes: UnsafeRawBufferPointer, at position: Int = 0) {
        self.bytes = bytes
        self.position = position
    }

    package var remaining: Int { max(0, bytes.count - position) }

    package mutating func get<Value: FixedWidthInteger>(_: Value.Type = Value.self) throws(DiskFormatError) -> Value {
        let size = MemoryLayout<Value>.size
        guard position >= 0, size <= remaining else { throw .truncated }
        var value = Value.zero
        withUnsafeMutableBytes(of: &value) { $0.copyMemory(from: .init(rebasing: bytes[position..<position + size])) }
        position += size
        return Value(littleEndian: value)
    }

    /// A 64-bit length or offset that must fit a non-negative `Int`.
    package mutating func getLength() throws(DiskFormatError) -> Int {
        let value: UInt64 = try get()
        guard let length = Int(exactly: value) else { throw .inconsistent("length \(value)") }
        return length
    }

    package mutating func getBytes(_ count: Int) throws(DiskFormatError) -> [UInt8] {
        guard count >= 0, count <= remaining else { throw .truncated }
        defer { position += count }
        return [UInt8](bytes[position..<position + count])
    }

    package mutating func skip(_ count: Int) throws(DiskFormatError) {
        guard count >= 0, count <= remaining else { throw .truncated }
        position += count
    }

    package mutating func getIdentifier() throws(DiskFormatError) -> Identifier128 {
        Identifier128(high: try get(), low: try get())
    }

    package mutating func getDigest() throws(DiskFormatError) -> ContentDigest {
        ContentDigest(high: try get(), low: try get())
    }

    package mutating func getShard() throws(DiskFormatError) -> ShardID {
        let blob = BlobID(incarnation: try get(), lease: try get(), sequence: try get())
        return ShardID(blob: blob, index: try get())
    }

    package mutating func getVarint() throws(DiskFormatError) -> UInt32 {
        var value: UInt64 = 0
        for shift in stride(from: UInt64(0), to: 35, by: 7) {
            let byte: UInt8 = try get()
            value |= UInt64(byte & 0x7F) << shift
            guard byte & 0x80 == 0 else { continue }
            guard let result = UInt32(exactly: value) else { break }
            return result
        }
        throw .inconsistent("varint")
    }
}

extension [UInt8] {
    /// Runs `body` over a reader of these bytes.
    func read<Value>(
        _ body: (inout FormatReader) throws(DiskFormatError) -> Value
    ) throws(DiskFormatError) -> Value {
        try withUnsafeBytes { bytes -> Result<Value, DiskFormatError> in
            var reader = FormatReader(bytes)
            do throws(DiskFormatError) { return .success(try body(&reader)) } catch { return .failure(error) }
        }.get()
    }
}
