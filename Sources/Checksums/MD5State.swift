/// MD5 (RFC 1321) part way through: a value that can be copied, continued and finalized.
package struct MD5State: Sendable {
    /// The four registers A, B, C, D after all whole blocks so far.
    var words = SIMD4<UInt32>(0x6745_2301, 0xEFCD_AB89, 0x98BA_DCFE, 0x1032_5476)
    /// The bytes after the last whole block: the first `tailCount` of them count.
    private var tail = [64 of UInt8](repeating: 0)
    private var tailCount = 0
    private var byteCount: UInt64 = 0

    /// Bytes of a block.
    static let blockLength = 64

    package init() {}

    /// Takes `bytes` on the calling thread.
    package mutating func update(_ bytes: UnsafeRawBufferPointer) {
        guard let start = bytes.baseAddress else { return }
        let (head, blocks) = takeHead(of: bytes)
        run(blocks, at: start + head)
        takeTail(of: bytes)
    }

    /// The 16 bytes of the digest of everything so far.
    package func finalize() -> [UInt8] {
        var last = self
        let padding = (tailCount < 56 ? 56 : 120) - tailCount
        withUnsafeTemporaryAllocation(byteCount: padding + 8, alignment: 8) { bytes in
            bytes.initializeMemory(as: UInt8.self, repeating: 0)
            bytes[0] = 0x80
            bytes.storeBytes(of: (byteCount &* 8).littleEndian, toByteOffset: padding, as: UInt64.self)
            last.update(UnsafeRawBufferPointer(bytes))
        }
        return (0..<16).map { UInt8(truncatingIfNeeded: last.words[$0 / 4] >> UInt32(8 * ($0 % 4))) }
    }

    // MARK: - In three steps, so that an engine can run the blocks of many states side by side

    /// Completes the open block with the first of `bytes`; tells how many those were and how many whole blocks follow
    /// them, which the caller runs.
    mutating func takeHead(of bytes: UnsafeRawBufferPointer) -> (length: Int, blocks: Int) {
        byteCount &+= UInt64(bytes.count)
        guard tailCount > 0 else { return (0, bytes.count / Self.blockLength) }
        let length = min(Self.blockLength - tailCount, bytes.count)
        append(bytes[..<length])
        if tailCount == Self.blockLength { runTail() }
        return (length, (bytes.count - length) / Self.blockLength)
    }

    /// Keeps the bytes after the last whole block. `bytes` are those of `takeHead`, whose blocks have been run by now.
    mutating func takeTail(of bytes: UnsafeRawBufferPointer) {
        guard tailCount == 0 else { return }
        append(bytes.suffix(Int(byteCount % UInt64(Self.blockLength))))
    }

    private mutating func append(_ bytes: Slice<UnsafeRawBufferPointer>) {
        for byte in bytes {
            tail[tailCount] = byte
            tailCount += 1
        }
    }

    private mutating func runTail() {
        let block = tail
        withUnsafeBytes(of: block) { bytes in
            if let start = bytes.baseAddress { run(1, at: start) }
        }
        tailCount = 0
    }

    private mutating func run(_ blocks: Int, at start: UnsafeRawPointer) {
        var lane = MD5Lane(words: words, cursor: start, blocks: blocks)
        withUnsafeMutablePointer(to: &lane) {
            MD5Lanes.advance(UnsafeMutableBufferPointer(start: $0, count: 1), blocks: blocks)
        }
        words = lane.words
    }
}
