import Synchronization

/// A fixed piece of memory, aligned to 4 KiB, that goes back to its pool when the last reference is dropped.
///
/// Written by one owner, then shared read-only: whoever passes a `BufferSlice` on stops writing to that range. The
/// engine's one buffer type (DESIGN §12); direct I/O needs the alignment.
package final class AlignedBuffer: @unchecked Sendable {
    // SAFETY: the pointer and capacity never change; the single-writer-then-read-only rule above orders the bytes.

    /// Alignment of `pointer`, and what direct I/O asks of offsets and lengths.
    package static let alignment = 4_096

    package let pointer: UnsafeMutableRawPointer
    /// Bytes; a multiple of `alignment`.
    package let capacity: Int
    private let pool: BufferPool?

    /// Zeroed memory of its own, outside any pool.
    package convenience init(capacity: Int) {
        let rounded = BufferPool.rounded(max(capacity, 1))
        let pointer = UnsafeMutableRawPointer.allocate(byteCount: rounded, alignment: Self.alignment)
        pointer.initializeMemory(as: UInt8.self, repeating: 0, count: rounded)
        self.init(pointer: pointer, capacity: rounded, pool: nil)
    }

    fileprivate init(pointer: UnsafeMutableRawPointer, capacity: Int, pool: BufferPool?) {
        self.pointer = pointer
        self.capacity = capacity
        self.pool = pool
    }

    deinit {
        if let pool {
            pool.giveBack(pointer, capacity: capacity)
        } else {
            pointer.deallocate()
        }
    }

    /// All the bytes, for the one that fills them.
    package var mutableBytes: UnsafeMutableRawBufferPointer {
        UnsafeMutableRawBufferPointer(start: pointer, count: capacity)
    }

    package func slice(_ range: Range<Int>) -> BufferSlice { BufferSlice(buffer: self, range: range) }
}

/// A range of an `AlignedBuffer`, kept alive by it; passed by reference, never copied.
package struct BufferSlice: Sendable {
    package let buffer: AlignedBuffer
    package let range: Range<Int>

    /// `range` must lie within the buffer.
    package init(buffer: AlignedBuffer, range: Range<Int>) {
        precondition(range.lowerBound >= 0 && range.upperBound <= buffer.capacity, "slice outside its buffer")
        self.buffer = buffer
        self.range = range
    }

    /// A copy of `bytes` in memory of its own.
    package init(copying bytes: some Collection<UInt8>) {
        let buffer = AlignedBuffer(capacity: max(bytes.count, 1))
        buffer.mutableBytes.copyBytes(from: bytes)
        self.init(buffer: buffer, range: 0..<bytes.count)
    }

    package var count: Int { range.count }
    package var isEmpty: Bool { range.isEmpty }

    /// Valid while this slice (or another of the same buffer) is alive: use inside `withExtendedLifetime` or
    /// through `withBytes` when in doubt.
    package var bytes: UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(start: buffer.pointer + range.lowerBound, count: range.count)
    }

    package func withBytes<Result, Failure: Error>(
        _ body: (UnsafeRawBufferPointer) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        defer { withExtendedLifetime(buffer) {} }
        return try body(bytes)
    }

    /// A part of this slice; `part` counts from the slice's start.
    package func slice(_ part: Range<Int>) -> BufferSlice {
        precondition(part.lowerBound >= 0 && part.upperBound <= count, "part outside its slice")
        return BufferSlice(
            buffer: buffer,
            range: range.lowerBound + part.lowerBound..<range.lowerBound + part.upperBound
        )
    }

    package func copied() -> [UInt8] { withBytes { Array($0) } }
}

/// A bounded stock of aligned buffers in power-of-two sizes; what exceeds the bound is given back to the system.
///
/// Buffers come back by themselves when their last reference goes. Contents are what the last user left: whoever
/// sends a range out has written all of it.
package final class BufferPool: Sendable {
    private struct Stock {
        var free: [Int: [UInt]] = [:]
        var bytes = 0
        /// The fewest idle bytes since the last `trim`: nobody has needed them.
        var unused = 0
    }

    private let stock = Mutex(Stock())
    private let limit: Int

    /// Keeps at most `limit` idle bytes.
    package init(limit: Int) { self.limit = limit }

    /// A buffer of at least `capacity` bytes with undefined contents.
    package func take(_ capacity: Int) -> AlignedBuffer {
        let rounded = Self.rounded(capacity)
        let address = stock.withLock { stock -> UInt? in
            guard let address = stock.free[rounded]?.popLast() else { return nil }
            stock.bytes -= rounded
            stock.unused = min(stock.unused, stock.bytes)
            return address
        }
        let pointer =
            address.flatMap { UnsafeMutableRawPointer(bitPattern: $0) }
            ?? .allocate(byteCount: rounded, alignment: AlignedBuffer.alignment)
        return AlignedBuffer(pointer: pointer, capacity: rounded, pool: self)
    }

    fileprivate func giveBack(_ pointer: UnsafeMutableRawPointer, capacity: Int) {
        let isKept = stock.withLock { stock in
            guard stock.bytes + capacity <= limit else { return false }
            stock.free[capacity, default: []].append(UInt(bitPattern: pointer))
            stock.bytes += capacity
            return true
        }
        if !isKept { pointer.deallocate() }
    }

    /// Gives back what has lain idle since the last call; returns how many bytes that were.
    package func trim() -> Int {
        let (addresses, count) = stock.withLock { stock -> ([UInt], Int) in
            var addresses: [UInt] = []
            let before = stock.bytes
            var left = stock.unused
            for capacity in stock.free.keys.sorted(by: >) {
                while left >= capacity, let address = stock.free[capacity]?.popLast() {
                    addresses.append(address)
                    stock.bytes -= capacity
                    left -= capacity
                }
            }
            stock.unused = stock.bytes
            return (addresses, before - stock.bytes)
        }
        for address in addresses { UnsafeMutableRawPointer(bitPattern: address)?.deallocate() }
        return count
    }

    deinit {
        stock.withLock { stock in
            for address in stock.free.values.joined() {
                UnsafeMutableRawPointer(bitPattern: address)?.deallocate()
            }
        }
    }

    /// The next power of two from 4 KiB up to 1 MiB, then the next whole MiB.
    fileprivate static func rounded(_ capacity: Int) -> Int {
        guard capacity <= 1 << 20 else { return (capacity + 0xF_FFFF) & ~0xF_FFFF }
        var size = AlignedBuffer.alignment
        while size < capacity { size *= 2 }
        return size
    }
}
