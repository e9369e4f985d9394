import ByteLending
@_spi(CustomByteBufferAllocator) import NIOCore
import SystemInterface
import Testing

/// Bytes go to the socket from where they were read: their memory must live as long as NIO needs it, and no longer.
@Suite("Lent bytes")
struct LentBytesTests {
    /// A pooled slice with a pattern, and a look at whether its memory is in use still.
    private func slice(_ pool: BufferPool, _ range: Range<Int>) -> BufferSlice {
        let buffer = pool.take(range.upperBound)
        for place in 0..<range.upperBound { buffer.mutableBytes[place] = UInt8(truncatingIfNeeded: place / 7) }
        return buffer.slice(range)
    }

    @Test("Memory goes back to its pool when the last reference of NIO's goes, not before")
    func lifetime() {
        let pool = BufferPool(limit: 1 << 20)
        var sent: ByteBuffer? = nil
        var expected: [UInt8] = []
        do {
            let lent = slice(pool, 4_096..<4_096 + ByteBuffer.smallestLent)
            expected = lent.copied()
            sent = ByteBuffer(sending: lent)
        }
        // Nothing idle yet: the first trim only begins to count.
        _ = pool.trim()
        #expect(pool.trim() == 0)
        #expect(sent.map { Array($0.readableBytesView) } == expected)
        sent = nil
        _ = pool.trim()
        #expect(pool.trim() == 64 << 10)
    }

    @Test("The same bytes may be lent twice")
    func twice() {
        let pool = BufferPool(limit: 1 << 20)
        let lent = slice(pool, 0..<64 << 10)
        var first: ByteBuffer? = ByteBuffer(sending: lent)
        let second = ByteBuffer(sending: lent)
        #expect(first?.readableBytes == second.readableBytes)
        first = nil
        #expect(Array(second.readableBytesView) == lent.copied())
    }

    @Test("Writing to a lent buffer, or growing it, leaves what was lent alone")
    func writing() {
        let pool = BufferPool(limit: 1 << 20)
        let lent = slice(pool, 0..<64 << 10)
        let before = lent.copied()
        let kept = ByteBuffer(sending: lent)
        var changed = kept
        changed.writeBytes([1, 2, 3])
        changed.setInteger(UInt8(255), at: 0)
        #expect(lent.copied() == before)
        #expect(Array(kept.readableBytesView) == before)
        #expect(changed.readableBytes == before.count + 3)

        var grown = ByteBuffer(sending: lent)
        grown.writeBytes([UInt8](repeating: 9, count: 100_000))
        #expect(Array(grown.readableBytesView.prefix(before.count)) == before)
        #expect(lent.copied() == before)
    }

    @Test("Few bytes are copied")
    func small() {
        let pool = BufferPool(limit: 1 << 20)
        let lent = slice(pool, 0..<100)
        #expect(Array(ByteBuffer(sending: lent).readableBytesView) == lent.copied())
    }
}
