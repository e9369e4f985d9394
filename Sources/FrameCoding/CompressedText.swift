import CLZ4

/// LZ4 for the texts beside the data: the identity blocks of trailers, which repeat bucket and field names for each
/// object of a pack. An LZ4 block behind the text's length (4 bytes, little-endian).
package enum CompressedText {
    /// Shorter texts stay as they are: little would be saved, and evidence is best read by eye.
    package static let minimumLength = 512
    /// Texts beyond this length are not believed in: a length is read before anything proves it.
    package static let limit = 16 << 20
    /// Bytes of text that a byte of an LZ4 block can stand for at most (a match's length grows by 255 a byte).
    private static let greatestRatio = 255

    /// The text compressed; nil when that does not save a quarter.
    package static func encode(_ text: [UInt8]) -> [UInt8]? {
        guard (minimumLength...limit).contains(text.count) else { return nil }
        let room = text.count - text.count / 4
        var length: Int32 = 0
        let block = [UInt8](unsafeUninitializedCapacity: 4 + room) { output, count in
            for place in 0..<4 {
                output.initializeElement(at: place, to: UInt8(truncatingIfNeeded: text.count >> (8 * place)))
            }
            length = text.withUnsafeBytes { bytes in
                LZ4_compress_default(
                    bytes.baseAddress?.assumingMemoryBound(to: CChar.self),
                    UnsafeMutableRawPointer(output.baseAddress)?.advanced(by: 4).assumingMemoryBound(to: CChar.self),
                    Int32(bytes.count),
                    Int32(room)
                )
            }
            count = 4 + max(0, Int(length))
        }
        return length > 0 ? block : nil
    }

    /// The text that `encode` was given. Damaged bytes give an error.
    package static func decode(_ block: [UInt8]) throws(FrameCodingError) -> [UInt8] {
        guard block.count > 4 else { throw .corrupt }
        let length = (0..<4).reduce(0) { $0 | Int(block[$1]) << (8 * $1) }
        // Nor beyond what so many bytes can hold: a few of them must not make this reserve the limit.
        guard (1...min(limit, (block.count - 4) * greatestRatio)).contains(length) else {
            throw .impossibleLength(length)
        }
        var decoded: Int32 = 0
        let text = [UInt8](unsafeUninitializedCapacity: length) { output, count in
            decoded = block.withUnsafeBytes { bytes in
                LZ4_decompress_safe(
                    bytes.baseAddress?.advanced(by: 4).assumingMemoryBound(to: CChar.self),
                    UnsafeMutableRawPointer(output.baseAddress)?.assumingMemoryBound(to: CChar.self),
                    Int32(bytes.count - 4),
                    Int32(length)
                )
            }
            count = max(0, min(length, Int(decoded)))
        }
        guard decoded == Int32(length) else { throw .corrupt }
        return text
    }
}
