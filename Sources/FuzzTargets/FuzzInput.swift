/// Takes an input apart from its beginning; behind the end there are zeros.
struct FuzzInput {
    private let bytes: [UInt8]
    private var position = 0

    init(_ bytes: [UInt8]) { self.bytes = bytes }

    var isAtEnd: Bool { position >= bytes.count }

    mutating func byte() -> UInt8 {
        guard position < bytes.count else { return 0 }
        defer { position += 1 }
        return bytes[position]
    }

    /// Little-endian.
    mutating func integer<Value: FixedWidthInteger & UnsignedInteger>(_: Value.Type = Value.self) -> Value {
        var value = Value.zero
        for shift in stride(from: 0, to: Value.bitWidth, by: 8) { value |= Value(byte()) << Value(shift) }
        return value
    }

    /// 0 ..< `bound`, from one byte.
    mutating func choice(_ bound: Int) -> Int { Int(byte()) % bound }

    /// At most `count` bytes.
    mutating func bytes(_ count: Int) -> [UInt8] {
        let end = min(bytes.count, position + max(0, count))
        defer { position = end }
        return Array(bytes[position..<end])
    }

    mutating func rest() -> [UInt8] { bytes(bytes.count - position) }
}

extension [UInt8] {
    /// The little-endian integer at `offset`; nil when it does not lie within.
    func field<Value: FixedWidthInteger>(_ offset: Int, as _: Value.Type = Value.self) -> Value? {
        guard offset >= 0, offset + MemoryLayout<Value>.size <= count else { return nil }
        return withUnsafeBytes { Value(littleEndian: $0.loadUnaligned(fromByteOffset: offset, as: Value.self)) }
    }

    /// Writes a little-endian integer over what is at `offset`; does nothing when it does not fit.
    mutating func set(_ offset: Int, _ value: some FixedWidthInteger) {
        guard offset >= 0, offset + value.bitWidth / 8 <= count else { return }
        Swift.withUnsafeBytes(of: value.littleEndian) { source in
            for index in source.indices { self[offset + index] = source[index] }
        }
    }

    /// The raw bytes of a part, for what takes them so.
    func raw<Value>(_ range: Range<Int>, _ body: (UnsafeRawBufferPointer) throws -> Value) rethrows -> Value {
        try withUnsafeBytes { try body(UnsafeRawBufferPointer(rebasing: $0[range])) }
    }
}
