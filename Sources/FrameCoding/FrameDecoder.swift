import CLZ4
import ObjectModel

/// Turns what is stored of frames back into their logical bytes. Damaged input gives an error, never a trap and never a
/// byte outside the output. Safe to share; synchronous; allocates nothing per frame once warm.
package final class FrameDecoder: Sendable {
    private let pool = FrameScratchPool()

    package init() {}

    /// Decodes one frame into `output`, which is exactly as long as the frame's logical bytes.
    ///
    /// `stored` are the frame's bytes after any encryption was undone. When this throws, what `output` holds means
    /// nothing.
    package func decode(
        _ stored: UnsafeRawBufferPointer,
        as frame: Frame,
        into output: UnsafeMutableRawBufferPointer
    ) throws(FrameCodingError) {
        try Self.check(stored, as: frame, into: output)
        switch (frame.codec, frame.filter) {
        case (.plain, .none): output.copyMemory(from: stored)
        case (.plain, .shuffle16): Shuffle16.join(stored, into: output)
        case (.lz4, .none): try Self.decompress(stored, into: output)
        case (.lz4, .shuffle16):
            try pool.withScratch { scratch throws(FrameCodingError) in
                let planes = UnsafeMutableRawBufferPointer(rebasing: scratch.planes[..<output.count])
                try Self.decompress(stored, into: planes)
                Shuffle16.join(UnsafeRawBufferPointer(planes), into: output)
            }
        }
    }

    private static func check(
        _ stored: UnsafeRawBufferPointer,
        as frame: Frame,
        into output: UnsafeMutableRawBufferPointer
    ) throws(FrameCodingError) {
        guard 0...Limits.frameLength ~= frame.logicalLength else { throw .impossibleLength(frame.logicalLength) }
        guard output.count == frame.logicalLength else {
            throw .lengthMismatch(expected: frame.logicalLength, actual: output.count)
        }
        // An encrypted frame is stored with its tag, which is gone by now.
        guard frame.keySlot != 0 || stored.count == frame.storedLength else {
            throw .lengthMismatch(expected: frame.storedLength, actual: stored.count)
        }
        guard stored.count <= Limits.frameLength else { throw .impossibleLength(stored.count) }
        guard frame.codec != .plain || stored.count == frame.logicalLength else {
            throw .lengthMismatch(expected: frame.logicalLength, actual: stored.count)
        }
    }

    private static func decompress(
        _ stored: UnsafeRawBufferPointer,
        into output: UnsafeMutableRawBufferPointer
    ) throws(FrameCodingError) {
        guard let source = stored.baseAddress, let target = output.baseAddress, !stored.isEmpty, !output.isEmpty else {
            throw .corrupt
        }
        let length = LZ4_decompress_safe(
            source.assumingMemoryBound(to: CChar.self),
            target.assumingMemoryBound(to: CChar.self),
            Int32(stored.count),
            Int32(output.count)
        )
        guard length == Int32(output.count) else { throw .corrupt }
    }
}
