internal import Synchronization
internal import SystemInterface

/// A file of a `ScratchFileSystem`: the one below, opened for reading, and the blocks that were changed here.
final class ScratchFile: File {
    private struct State {
        var blocks: [Int: [UInt8]] = [:]
        /// nil: as long as the file below.
        var length: Int?
    }

    private static let blockSize = 4_096
    /// Bytes read apart where a longer read failed: what one unreadable place costs.
    private static let salvagePiece = 64 << 10

    let path: String
    private let base: (any File)?
    private let onChange: @Sendable (ScratchFile) -> Void
    private let state = Mutex(State())

    /// `onChange` is called when the file is first changed, with the file.
    init(path: String, base: (any File)?, onChange: @escaping @Sendable (ScratchFile) -> Void) {
        self.path = path
        self.base = base
        self.onChange = onChange
    }

    func length() async throws(FileError) -> Int {
        if let length = state.withLock({ $0.length }) { return length }
        return try await base?.length() ?? 0
    }

    func read(
        into buffer: AlignedBuffer,
        at bufferOffset: Int,
        count: Int,
        from offset: Int
    ) async throws(FileError) -> Int {
        let (length, isChanged) = state.withLock { ($0.length, !$0.blocks.isEmpty) }
        guard isChanged || length != nil else {
            return try await readBase(into: buffer, at: bufferOffset, count: count, from: offset)
        }
        let end = try await self.length()
        let wanted = max(0, min(count, end - offset))
        guard wanted > 0 else { return 0 }
        let got = try await readBase(into: buffer, at: bufferOffset, count: wanted, from: offset)
        let target = UnsafeMutableRawBufferPointer(rebasing: buffer.mutableBytes[bufferOffset..<bufferOffset + wanted])
        if got < wanted {
            UnsafeMutableRawBufferPointer(rebasing: target[got...]).initializeMemory(as: UInt8.self, repeating: 0)
        }
        overlay(target, from: offset)
        return wanted
    }

    func readIfCached(
        into buffer: AlignedBuffer,
        at bufferOffset: Int,
        count: Int,
        from offset: Int
    ) throws(FileError) -> Int? {
        let isChanged = state.withLock { $0.length != nil || !$0.blocks.isEmpty }
        return isChanged ? nil : try base?.readIfCached(into: buffer, at: bufferOffset, count: count, from: offset)
    }

    func write(_ pieces: [BufferSlice], at offset: Int) async throws(FileError) {
        var position = offset
        var end = try await length()
        for piece in pieces {
            var taken = 0
            while taken < piece.count {
                let block = position / Self.blockSize
                let start = position % Self.blockSize
                let count = min(Self.blockSize - start, piece.count - taken)
                try await fetch(block)
                let isFull = state.withLock { state in
                    piece.slice(taken..<taken + count).withBytes { bytes in
                        state.blocks[block]?.replaceSubrange(start..<start + count, with: bytes)
                    }
                    return state.blocks.count * Self.blockSize > ScratchFileSystem.changeLimit
                }
                if isFull { throw FileError(.full, operation: "write", path: path) }
                taken += count
                position += count
            }
        }
        end = max(end, position)
        state.withLock { $0.length = end }
        onChange(self)
    }

    func sync() async throws(FileError) {}

    func allocate(_ range: Range<Int>) async throws(FileError) {
        throw FileError(.full, operation: "allocate", path: path)
    }

    /// Frees nothing, and leaves the bytes: nobody reads what was punched.
    func punch(_ range: Range<Int>) async throws(FileError) {}

    func truncate(to length: Int) async throws(FileError) {
        state.withLock { state in
            state.length = length
            state.blocks = state.blocks.filter { $0.key * Self.blockSize < length }
        }
        onChange(self)
    }

    /// Brings a block into memory so that a part of it can be changed.
    private func fetch(_ block: Int) async throws(FileError) {
        guard state.withLock({ $0.blocks[block] == nil }) else { return }
        let buffer = AlignedBuffer(capacity: Self.blockSize)
        let got = try await readBase(into: buffer, at: 0, count: Self.blockSize, from: block * Self.blockSize)
        var bytes = Array(buffer.mutableBytes[..<got])
        bytes.append(contentsOf: repeatElement(0, count: Self.blockSize - got))
        state.withLock { $0.blocks[block] = bytes }
    }

    private func overlay(_ target: UnsafeMutableRawBufferPointer, from offset: Int) {
        state.withLock { state in
            for block in offset / Self.blockSize...(offset + target.count - 1) / Self.blockSize {
                guard let bytes = state.blocks[block] else { continue }
                let start = max(offset, block * Self.blockSize)
                let end = min(offset + target.count, (block + 1) * Self.blockSize)
                let source = bytes[start - block * Self.blockSize..<end - block * Self.blockSize]
                UnsafeMutableRawBufferPointer(rebasing: target[start - offset..<end - offset]).copyBytes(from: source)
            }
        }
    }

    /// Reads the file below; where the medium fails, piece by piece, with zeros for what cannot be read.
    private func readBase(
        into buffer: AlignedBuffer,
        at bufferOffset: Int,
        count: Int,
        from offset: Int
    ) async throws(FileError) -> Int {
        guard let base else { return 0 }
        do throws(FileError) {
            return try await base.read(into: buffer, at: bufferOffset, count: count, from: offset)
        } catch  where error.code != .medium {
            throw error
        } catch {
            let end = min(offset + count, try await base.length())
            var position = offset
            while position < end {
                let piece = min(Self.salvagePiece, end - position)
                let place = bufferOffset + position - offset
                if ((try? await base.read(into: buffer, at: place, count: piece, from: position)) ?? 0) < piece {
                    buffer.mutableBytes[place..<place + piece].initializeMemory(as: UInt8.self, repeating: 0)
                }
                position += piece
            }
            return max(0, end - offset)
        }
    }
}
