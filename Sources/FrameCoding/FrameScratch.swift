import CLZ4
import ObjectModel
import Synchronization

/// The memory that coding one frame needs beside its input and output. One user at a time.
final class FrameScratch: @unchecked Sendable {
    // SAFETY: the pointers never change, and the pool hands a scratch to one caller at a time.

    /// The hash table of LZ4.
    let lz4State: UnsafeMutableRawPointer
    /// A frame's planes.
    let planes: UnsafeMutableRawBufferPointer

    init() {
        lz4State = .allocate(byteCount: Int(LZ4_sizeofState()), alignment: 64)
        planes = .allocate(byteCount: Limits.frameLength, alignment: 64)
    }

    deinit {
        lz4State.deallocate()
        planes.deallocate()
    }

    /// Compresses `bytes` into `output`, or gives nil when the result would not fit there.
    func compress(_ bytes: UnsafeRawBufferPointer, into output: UnsafeMutableRawBufferPointer) -> Int? {
        let length = LZ4_compress_fast_extState(
            lz4State,
            bytes.baseAddress?.assumingMemoryBound(to: CChar.self),
            output.baseAddress?.assumingMemoryBound(to: CChar.self),
            Int32(bytes.count),
            Int32(output.count),
            1
        )
        return length > 0 ? Int(length) : nil
    }
}

/// A bounded stock of scratch memory, so that no frame allocates any once the store is warm.
final class FrameScratchPool: Sendable {
    /// Scratches kept idle, at most: more frames than this are seldom coded at once, and each holds 272 KiB.
    static let idleLimit = 8

    private let idle = Mutex<[FrameScratch]>([])

    /// Runs `body` with a scratch of its own.
    func withScratch<Value, Failure: Error>(
        _ body: (FrameScratch) throws(Failure) -> Value
    ) throws(Failure) -> Value {
        let scratch = idle.withLock { $0.popLast() } ?? FrameScratch()
        defer { idle.withLock { if $0.count < Self.idleLimit { $0.append(scratch) } } }
        return try body(scratch)
    }
}
