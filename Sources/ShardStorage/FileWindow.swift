internal import DiskFormat
internal import SystemInterface

/// Reads a file through one large buffer, so that walking small records costs few reads.
struct FileWindow {
    let file: any File
    let length: Int
    private let size: Int
    private let pool: BufferPool
    private var buffer: AlignedBuffer
    private var start = 0
    private var count = 0

    init(file: any File, length: Int, size: Int, pool: BufferPool) {
        self.file = file
        self.length = length
        self.size = size
        self.pool = pool
        buffer = pool.take(size)
    }

    /// At most `wanted` bytes from `offset` on, fewer at the end of the file. Valid until the next call.
    mutating func bytes(at offset: Int, count wanted: Int) async throws(FileError) -> UnsafeRawBufferPointer {
        let end = min(length, offset + wanted)
        guard offset < end else { return UnsafeRawBufferPointer(start: nil, count: 0) }
        if offset < start || end > start + count {
            // Whole blocks, so that a direct file reads past the page cache.
            start = offset / Block.size * Block.size
            let capacity = Block.rounded(max(size, end - start))
            if buffer.capacity < capacity { buffer = pool.take(capacity) }
            count = try await file.read(into: buffer, at: 0, count: capacity, from: start)
        }
        let upper = min(end, start + count)
        guard offset < upper else { return UnsafeRawBufferPointer(start: nil, count: 0) }
        return UnsafeRawBufferPointer(rebasing: buffer.mutableBytes[offset - start..<upper - start])
    }

    /// Behind the last byte of `range` that is not zero; nil when all are.
    mutating func endOfContent(in range: Range<Int>) async throws(FileError) -> Int? {
        var last: Int?
        var position = range.lowerBound
        while position < range.upperBound {
            let bytes = try await bytes(at: position, count: min(size, range.upperBound - position))
            guard !bytes.isEmpty else { break }
            if let index = bytes.lastIndex(where: { $0 != 0 }) { last = position + index + 1 }
            position += bytes.count
        }
        return last
    }
}

extension File {
    /// Exactly `count` bytes from `offset` on, read as whole blocks, so that a direct file reads past the page cache;
    /// nil when the file ends before.
    func readBlocks(_ count: Int, at offset: Int, _ pool: BufferPool) async throws(FileError) -> BufferSlice? {
        let start = offset / Block.size * Block.size
        let length = Block.rounded(offset + count - start)
        let buffer = pool.take(max(length, 1))
        let got = try await read(into: buffer, at: 0, count: length, from: start)
        let range = offset - start..<offset - start + count
        return got >= range.upperBound ? buffer.slice(range) : nil
    }
}
