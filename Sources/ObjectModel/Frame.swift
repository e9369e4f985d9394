/// What was done to a frame's bytes before they were stored.
package struct Frame: Hashable, Sendable {
    /// The reversible rearrangement before compression; the number is the one on disk.
    package enum Filter: UInt8, Sendable {
        case none = 0
        /// Bytes of 16-bit samples split into a low and a high plane.
        case shuffle16 = 1
    }

    /// The compression; the number is the one on disk.
    package enum Codec: UInt8, Sendable {
        case plain = 0
        /// LZ4 block format.
        case lz4 = 1
    }

    /// Bytes before coding: at most `Limits.frameLength`.
    package var logicalLength: Int
    /// Bytes in the blob.
    package var storedLength: Int
    package var filter: Filter
    package var codec: Codec
    /// Which data key of the blob sealed it; 0 is none.
    package var keySlot: UInt8

    package init(
        logicalLength: Int,
        storedLength: Int,
        filter: Filter = .none,
        codec: Codec = .plain,
        keySlot: UInt8 = 0
    ) {
        self.logicalLength = logicalLength
        self.storedLength = storedLength
        self.filter = filter
        self.codec = codec
        self.keySlot = keySlot
    }

    package var isPlain: Bool { codec == .plain && filter == .none && keySlot == 0 }
}

/// The frames of a blob in order: where each lies and how it was coded.
///
/// `uniform` when every frame is plain and all but the last are `Limits.frameLength` long: then the blob's length
/// alone says it all, and the index is absent on disk (DESIGN §6).
package enum FrameIndex: Hashable, Sendable {
    case uniform
    case explicit([Frame])

    package var isUniform: Bool { self == .uniform }

    /// The number of frames of a blob with `storedLength` bytes.
    package func count(storedLength: Int) -> Int {
        switch self {
        case .uniform: (storedLength + Limits.frameLength - 1) / Limits.frameLength
        case .explicit(let frames): frames.count
        }
    }

    /// The frame and the offset in the blob at which it is stored; nil when there is no such frame.
    package func frame(_ index: Int, storedLength: Int) -> (frame: Frame, storedOffset: Int)? {
        switch self {
        case .uniform:
            let offset = index * Limits.frameLength
            guard index >= 0, offset < storedLength else { return nil }
            let length = min(Limits.frameLength, storedLength - offset)
            return (Frame(logicalLength: length, storedLength: length), offset)
        case .explicit(let frames):
            guard frames.indices.contains(index) else { return nil }
            return (frames[index], frames[..<index].reduce(0) { $0 + $1.storedLength })
        }
    }

    /// The simplest form that says the same: `uniform` where the frames allow it.
    package static func simplest(_ frames: [Frame]) -> FrameIndex {
        let isUniform =
            frames.allSatisfy(\.isPlain)
            && frames.dropLast().allSatisfy { $0.storedLength == Limits.frameLength }
        return isUniform ? .uniform : .explicit(frames)
    }
}
