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
    /// Blocks that the medium could not give, as far as they were met: they read as zeros.
    private(set) var unreadable: Set<Range<Int>> = []

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
            let around = try await file.readAround(buffer, count: capacity, from: start)
            count = around.count
            unreadable.formUnion(around.unreadable)
            guard unreadable.count <= UnreadableBlocks.limit else {
                throw FileError(.medium, operation: "read", path: "\(unreadable.count) blocks in one segment")
            }
        }
        let upper = min(end, start + count)
        guard offset < upper else { return UnsafeRawBufferPointer(start: nil, count: 0) }
        return UnsafeRawBufferPointer(rebasing: buffer.mutableBytes[offset - start..<upper - start])
    }

    /// Behind the last byte of `range` that is not zero, or cannot be read; nil when all are zeros.
    mutating func endOfContent(in range: Range<Int>) async throws(FileError) -> Int? {
        var last: Int?
        var position = range.lowerBound
        while position < range.upperBound {
            let bytes = try await bytes(at: position, count: min(size, range.upperBound - position))
            guard !bytes.isEmpty else { break }
            if let index = bytes.lastIndex(where: { $0 != 0 }) { last = position + index + 1 }
            position += bytes.count
        }
        let hidden = unreadable.filter { $0.overlaps(range) }.map { min($0.upperBound, range.upperBound) }.max()
        return [last, hidden].compactMap { $0 }.max()
    }
}

/// What of a medium may be unreadable before the disk is taken for failed.
enum UnreadableBlocks {
    /// Of a read, and of a segment: a scratch, not a disk that answers nothing any more.
    static let limit = 64
    /// Segments of a disk that records may be hidden in.
    static let segments = 32
}

extension File {
    /// Reads from a block's beginning on into a buffer's; blocks that the medium cannot give are zeros, and are told.
    /// Throws `.medium` when they are more than `limit`.
    func readAround(
        _ buffer: AlignedBuffer,
        count: Int,
        from offset: Int,
        limit: Int = UnreadableBlocks.limit
    ) async throws(FileError) -> (count: Int, unreadable: [Range<Int>]) {
        do throws(FileError) {
            return (try await read(into: buffer, at: 0, count: count, from: offset), [])
        } catch  where error.code != .medium {
            throw error
        } catch {
            let end = min(offset + count, try await length())
            var unreadable: [Range<Int>] = []
            for start in stride(from: offset, to: end, by: Block.size) {
                let piece = min(Block.size, offset + count - start)
                do throws(FileError) {
                    _ = try await read(into: buffer, at: start - offset, count: piece, from: start)
                } catch  where error.code != .medium || unreadable.count == limit {
                    throw error
                } catch {
                    let place = start - offset..<start - offset + piece
                    buffer.mutableBytes[place].initializeMemory(as: UInt8.self, repeating: 0)
                    unreadable.append(start..<start + Block.size)
                }
            }
            return (max(0, end - offset), unreadable)
        }
    }

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
