internal import Checksums
internal import FrameCoding
package import ObjectModel
package import SystemInterface

/// Decodes a blob's stored bytes as they come and takes the digest of its logical bytes: equal to the one taken at
/// ingest, or the blob is not what the client sent (DESIGN §4).
///
/// One user at a time; memory of one frame.
package struct IngestVerifier {
    private let frames: FrameIndex
    private let digest = XXH3Digest()
    private let decoder = FrameDecoder()
    private let input: AlignedBuffer
    private let output: AlignedBuffer
    private var nextFrame = 0
    private var filled = 0

    package init(frames: FrameIndex, pool: BufferPool) {
        self.frames = frames
        input = pool.take(frames.isUniform ? 1 : Limits.frameLength)
        output = pool.take(frames.isUniform ? 1 : Limits.frameLength)
    }

    /// The next stored bytes, in order. Throws when a frame does not decode.
    package mutating func update(_ bytes: UnsafeRawBufferPointer) throws(FrameMismatch) {
        guard case .explicit(let frames) = frames else { return digest.update(bytes) }
        var rest = bytes
        while !rest.isEmpty {
            guard nextFrame < frames.count else { throw FrameMismatch() }
            let frame = frames[nextFrame]
            let count = min(frame.storedLength - filled, rest.count)
            guard frame.storedLength <= input.capacity, count > 0 else { throw FrameMismatch() }
            (input.pointer + filled).copyMemory(
                from: rest.baseAddress ?? UnsafeRawPointer(input.pointer),
                byteCount: count
            )
            filled += count
            rest = UnsafeRawBufferPointer(rebasing: rest[count...])
            if filled == frame.storedLength { try finish(frame) }
        }
    }

    private mutating func finish(_ frame: Frame) throws(FrameMismatch) {
        guard frame.logicalLength <= output.capacity else { throw FrameMismatch() }
        let target = UnsafeMutableRawBufferPointer(start: output.pointer, count: frame.logicalLength)
        do {
            try decoder.decode(
                UnsafeRawBufferPointer(start: input.pointer, count: filled),
                as: frame,
                into: target
            )
        } catch {
            throw FrameMismatch()
        }
        digest.update(UnsafeRawBufferPointer(target))
        nextFrame += 1
        filled = 0
    }

    /// The digest of all logical bytes so far.
    package func finalize() -> ContentDigest { ContentDigest(digest.finalize()) }
}

/// A frame that does not decode to what its index says.
package struct FrameMismatch: Error, Hashable, Sendable {}
