/// Why a stored frame could not be decoded. All of them mean that the frame index or the frame's bytes are not what was
/// written: read the frame from other shards.
package enum FrameCodingError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The index names a length that no frame has.
    case impossibleLength(Int)
    /// The bytes at hand, or the room for them, are not as many as the index says.
    case lengthMismatch(expected: Int, actual: Int)
    /// The compressed bytes are damaged.
    case corrupt

    package var description: String {
        switch self {
        case .impossibleLength(let length): "the frame index names a frame of \(length) bytes, which cannot be"
        case .lengthMismatch(let expected, let actual):
            "the frame index names \(expected) bytes where there are \(actual)"
        case .corrupt: "the compressed bytes of a frame are damaged; they have to be read from other shards"
        }
    }
}
