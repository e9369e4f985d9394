import ObjectModel

/// Turns the logical bytes of frames into what is stored: LZ4, on 16-bit samples after `shuffle16`, when that pays.
///
/// Most of an archive is compressed already (JPEG, JPEG 2000, video): a sample of the frame decides, so that what does
/// not shrink costs some microseconds a frame. Safe to share; synchronous; allocates nothing per frame once warm.
package final class FrameEncoder: Sendable {
    /// A frame is stored compressed only when that saves at least one byte in `1 << savingShift`, an eighth: a blob
    /// with one compressed frame needs a frame index, and a range read of such a frame has to read and decode all of
    /// it.
    package static let savingShift = 3
    /// Shorter frames stay plain: cells are rounded up to 64 bytes, and the index entry costs some as well.
    package static let minimumLength = 512

    private let pool = FrameScratchPool()

    package init() {}

    /// Compresses one frame of at most `Limits.frameLength` bytes into `output`, which has room for at least as many.
    ///
    /// The result says how it was coded and how many bytes of `output` it takes. Nil when the frame is better left
    /// plain: then it is stored as it is, and what `output` holds means nothing.
    package func compress(_ logical: UnsafeRawBufferPointer, into output: UnsafeMutableRawBufferPointer) -> Frame? {
        precondition(logical.count <= Limits.frameLength, "no more than a frame at a time")
        precondition(output.count >= logical.count, "room for the frame as it is")
        guard logical.count >= Self.minimumLength else { return nil }
        let room = UnsafeMutableRawBufferPointer(
            rebasing: output[..<(logical.count - logical.count >> Self.savingShift)]
        )
        return pool.withScratch { scratch in
            switch FrameSample.promisingFilter(of: logical, scratch: scratch) {
            case nil: return nil
            case .none?:
                return scratch.compress(logical, into: room).map {
                    Frame(logicalLength: logical.count, storedLength: $0, codec: .lz4)
                }
            case .shuffle16?:
                let planes = UnsafeMutableRawBufferPointer(rebasing: scratch.planes[..<logical.count])
                Shuffle16.split(logical, into: planes)
                return scratch.compress(UnsafeRawBufferPointer(planes), into: room).map {
                    Frame(logicalLength: logical.count, storedLength: $0, filter: .shuffle16, codec: .lz4)
                }
            }
        }
    }

    /// The same, but a frame that is better left plain is copied into `output`, so that it always holds what is stored.
    package func encode(_ logical: UnsafeRawBufferPointer, into output: UnsafeMutableRawBufferPointer) -> Frame {
        if let frame = compress(logical, into: output) { return frame }
        output.copyMemory(from: logical)
        return Frame(logicalLength: logical.count, storedLength: logical.count)
    }
}

/// Guesses from a small part of a frame whether compressing it will pay.
private enum FrameSample {
    /// The sample: so many slices, evenly spread over the frame, of so many bytes each (even, so that 16-bit samples
    /// stay in phase). 8 KiB of noise cost LZ4 a few microseconds.
    private static let sliceCount = 4
    private static let sliceLength = 2 << 10
    private static let length = sliceCount * sliceLength
    /// A sample is promising when it saves one byte in `1 << savingShift`: half of what the frame has to save, because
    /// matches reach farther in the whole frame.
    private static let savingShift = 4

    /// The filter after which `frame` probably shrinks enough; nil when it probably does not.
    static func promisingFilter(of frame: UnsafeRawBufferPointer, scratch: FrameScratch) -> Frame.Filter? {
        // The sample and its planes are kept where the planes of the frame go later.
        let sample = UnsafeMutableRawBufferPointer(rebasing: scratch.planes[..<min(length, frame.count)])
        take(sample, from: frame)
        let rest = scratch.planes[sample.count...]
        let planes = UnsafeMutableRawBufferPointer(rebasing: rest.prefix(sample.count))
        let output = UnsafeMutableRawBufferPointer(rebasing: rest.dropFirst(sample.count).prefix(sample.count))
        Shuffle16.split(UnsafeRawBufferPointer(sample), into: planes)
        let plainLength = scratch.compress(UnsafeRawBufferPointer(sample), into: output) ?? sample.count
        let shuffledLength = scratch.compress(UnsafeRawBufferPointer(planes), into: output) ?? sample.count
        let saving = sample.count >> savingShift
        // Shuffling costs a pass over the frame on every read too: only for a clear gain over LZ4 alone.
        if shuffledLength + saving <= plainLength { return .shuffle16 }
        return plainLength + saving <= sample.count ? Frame.Filter.none : nil
    }

    private static func take(_ sample: UnsafeMutableRawBufferPointer, from frame: UnsafeRawBufferPointer) {
        guard frame.count > length else {
            sample.copyMemory(from: frame)
            return
        }
        for slice in 0..<sliceCount {
            let start = (frame.count - sliceLength) * slice / (sliceCount - 1) & ~1
            let target = UnsafeMutableRawBufferPointer(rebasing: sample[(slice * sliceLength)...])
            target.copyMemory(from: UnsafeRawBufferPointer(rebasing: frame[start..<start + sliceLength]))
        }
    }
}
