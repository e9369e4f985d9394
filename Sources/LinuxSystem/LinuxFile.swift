import CLinux
import Synchronization
import SystemInterface

/// An open file of a `LinuxFileSystem`.
///
/// **Direct mode.** A writable direct file writes past the page cache and reads through it; a read-only direct file
/// reads past it, and leaves nothing behind for `readIfCached`. A call whose memory, offset or length is not a multiple
/// of 4 KiB, or that the file system refuses with EINVAL, goes through a second, ordinary descriptor of the same file:
/// slower, and just as correct, since the kernel keeps both views of a file equal as long as the calls do not overlap
/// in time (open(2), NOTES on O_DIRECT). A file system without O_DIRECT gives an ordinary file.
final class LinuxFile: File {
    /// Zeros written at a time where the file system cannot reserve.
    private static let zeroChunk = 1 << 20

    let path: String
    private let disk: LinuxDisk
    private let buffered: Descriptor
    private let directReads: Descriptor?
    private let directWrites: Descriptor?
    /// Set by the first failed sync: what the kernel still holds for this file can no longer be trusted.
    private let isSuspect = Atomic(false)

    /// Opens on the calling thread, which waits for the medium.
    init(disk: LinuxDisk, path: String, mode: OpenMode) throws(FileError) {
        self.disk = disk
        self.path = path
        var options = mode.isWritable ? CAIRN_OPEN_WRITE : 0
        let access = options
        if mode.createsIfMissing || mode.mustCreate { options |= CAIRN_OPEN_CREATE }
        if mode.mustCreate { options |= CAIRN_OPEN_EXCLUSIVE }
        buffered = try disk.open(path, options: options)
        let status = try Self.status(of: buffered, path)
        guard !status.is_directory else { throw FileError.linux(ErrorNumber.isDirectory, "openat", path) }
        let direct = mode.isDirect ? Self.openDirect(disk, path, access, like: status) : nil
        directReads = mode.isWritable ? nil : direct
        directWrites = mode.isWritable ? direct : nil
    }

    func read(
        into buffer: AlignedBuffer,
        at bufferOffset: Int,
        count: Int,
        from offset: Int
    ) async throws(FileError) -> Int {
        try checkRead(buffer, bufferOffset, count, offset)
        return try await disk.reads.run { () throws(FileError) in
            var done = 0
            while done < count {
                let target = buffer.pointer + bufferOffset + done
                let got = try self.readOnce(into: target, count: count - done, from: offset + done)
                if got == 0 { break }
                done += got
            }
            return done
        }
    }

    func readIfCached(
        into buffer: AlignedBuffer,
        at bufferOffset: Int,
        count: Int,
        from offset: Int
    ) throws(FileError) -> Int? {
        try checkRead(buffer, bufferOffset, count, offset)
        let target = buffer.pointer + bufferOffset
        let got = SystemCall.retrying {
            cairn_read_cached_at(buffered.number, target, count, Int64(offset))
        }
        if got == count { return count }
        switch Int32(clamping: -got) {
        case ErrorNumber.inputOutput:
            throw FileError.linux(ErrorNumber.inputOutput, "preadv2", path)
        default:
            // Not in memory, partly in memory, the end of the file, or a kernel without RWF_NOWAIT: `read` will tell.
            return nil
        }
    }

    func write(_ pieces: [BufferSlice], at offset: Int) async throws(FileError) {
        try checkOffset(offset, "pwritev")
        try await disk.writes.run { () throws(FileError) in try self.writeAll(pieces, at: offset) }
    }

    func sync() async throws(FileError) {
        try await disk.writes.run { () throws(FileError) in try self.syncNow() }
    }

    func commit(_ writes: [FileWrite]) async throws(FileError) {
        for each in writes { try checkOffset(each.offset, "pwritev") }
        try await disk.writes.run { () throws(FileError) in
            for each in writes { try self.writeAll(each.pieces, at: each.offset) }
            try self.syncNow()
        }
    }

    /// A file that has lost its last name is gone with its descriptor: what was synced to it is not stored anywhere. A
    /// disk that was emptied beneath its open files is noticed here, before the next write is acknowledged.
    private func checkName() throws(FileError) {
        var status = cairn_status()
        guard cairn_status_of(buffered.number, &status) == 0, status.links == 0 else { return }
        isSuspect.store(true, ordering: .relaxed)
        throw FileError(.gone, operation: "fdatasync", path: path)
    }

    func allocate(_ range: Range<Int>) async throws(FileError) {
        try checkOffset(range.lowerBound, "fallocate")
        guard !range.isEmpty else { return }
        try await disk.writes.run { () throws(FileError) in
            let result = SystemCall.retrying {
                cairn_allocate(self.buffered.number, Int64(range.lowerBound), Int64(range.count))
            }
            if result == -ErrorNumber.notSupported || result == -ErrorNumber.noSuchCall {
                try self.writeZeros(upTo: range.upperBound)
            } else {
                try SystemCall.value("fallocate", self.path) { result }
            }
        }
    }

    func punch(_ range: Range<Int>) async throws(FileError) {
        try checkOffset(range.lowerBound, "fallocate")
        guard !range.isEmpty else { return }
        try await disk.writes.run { () throws(FileError) in
            let result = SystemCall.retrying {
                cairn_punch(self.buffered.number, Int64(range.lowerBound), Int64(range.count))
            }
            if result == -ErrorNumber.notSupported || result == -ErrorNumber.noSuchCall {
                try self.writeZeros(in: range.clamped(to: 0..<self.currentLength()))
            } else {
                try SystemCall.value("fallocate", self.path) { result }
            }
        }
    }

    func truncate(to length: Int) async throws(FileError) {
        try checkOffset(length, "ftruncate")
        try await disk.writes.run { () throws(FileError) in
            _ = try SystemCall.value("ftruncate", self.path) { cairn_truncate(self.buffered.number, Int64(length)) }
        }
    }

    func length() async throws(FileError) -> Int {
        try await disk.reads.run { () throws(FileError) in try self.currentLength() }
    }
}

// MARK: On the disk's threads

extension LinuxFile {
    private func readOnce(into target: UnsafeMutableRawPointer, count: Int, from offset: Int) throws(FileError) -> Int {
        if let directReads, (Int(bitPattern: target) | count | offset) % AlignedBuffer.alignment == 0 {
            let got = SystemCall.retrying { cairn_read_at(directReads.number, target, count, Int64(offset)) }
            if got != -Int64(ErrorNumber.invalid) { return try SystemCall.value("pread", path) { got } }
        }
        return try SystemCall.value("pread", path) { cairn_read_at(buffered.number, target, count, Int64(offset)) }
    }

    private func writeAll(_ pieces: [BufferSlice], at offset: Int) throws(FileError) {
        try checkTrust("pwritev")
        var cursor = WriteCursor(pieces: pieces, offset: offset)
        while !cursor.isDone { cursor.advance(by: try writeOnce(cursor)) }
    }

    private func syncNow() throws(FileError) {
        try checkTrust("fdatasync")
        let result = SystemCall.retrying { cairn_sync_data(buffered.number) }
        guard result < 0 else { return try checkName() }
        isSuspect.store(true, ordering: .relaxed)
        let error = FileError.linux(-result, "fdatasync", path)
        throw error.code == .gone ? error : suspect("fdatasync", number: error.number)
    }

    private func writeOnce(_ cursor: WriteCursor) throws(FileError) -> Int {
        let written: Int64 = cursor.withVector { vector in
            if let directWrites, cursor.isAligned {
                let written = writeVector(vector, to: directWrites, at: cursor.offset)
                if written != -Int64(ErrorNumber.invalid) { return written }
            }
            return writeVector(vector, to: buffered, at: cursor.offset)
        }
        // No progress and no error would mean to try for ever.
        guard written != 0 else { throw FileError.linux(ErrorNumber.inputOutput, "pwritev", path) }
        return try SystemCall.value("pwritev", path) { written }
    }

    private func writeVector(
        _ vector: UnsafeMutableBufferPointer<iovec>,
        to descriptor: Descriptor,
        at offset: Int
    ) -> Int64 {
        SystemCall.retrying {
            cairn_write_at(descriptor.number, vector.baseAddress, Int32(vector.count), Int64(offset))
        }
    }

    private func currentLength() throws(FileError) -> Int { Int(try Self.status(of: buffered, path).length) }

    /// Grows the file with real zeros, so that their room is taken; holes below the old end stay holes.
    private func writeZeros(upTo end: Int) throws(FileError) {
        let length = try currentLength()
        if length < end { try writeZeros(in: length..<end) }
    }

    private func writeZeros(in range: Range<Int>) throws(FileError) {
        let zeros = AlignedBuffer(capacity: Self.zeroChunk)
        var position = range.lowerBound
        while position < range.upperBound {
            let piece = zeros.slice(0..<min(Self.zeroChunk, range.upperBound - position))
            position += try writeOnce(WriteCursor(pieces: [piece], offset: position))
        }
    }

    private func checkTrust(_ operation: String) throws(FileError) {
        if isSuspect.load(ordering: .relaxed) { throw suspect(operation) }
    }

    private func suspect(_ operation: String, number: Int32 = ErrorNumber.inputOutput) -> FileError {
        FileError(.medium, operation: operation, path: path, number: number)
    }
}

// MARK: Opening and checks

extension LinuxFile {
    private static func status(of descriptor: Descriptor, _ path: String) throws(FileError) -> cairn_status {
        var status = cairn_status()
        try SystemCall.value("fstat", path) { cairn_status_of(descriptor.number, &status) }
        return status
    }

    /// A second descriptor with O_DIRECT, or nil where the file system refuses it or the name meanwhile means another
    /// file: the ordinary descriptor then does all the work.
    private static func openDirect(
        _ disk: LinuxDisk,
        _ path: String,
        _ access: Int,
        like status: cairn_status
    ) -> Descriptor? {
        guard let direct = try? disk.open(path, options: access | CAIRN_OPEN_DIRECT),
            let other = try? Self.status(of: direct, path),
            other.inode == status.inode, other.device == status.device
        else { return nil }
        return direct
    }

    private func checkRead(_ buffer: AlignedBuffer, _ start: Int, _ count: Int, _ offset: Int) throws(FileError) {
        precondition(
            start >= 0 && count >= 0 && count <= buffer.capacity - start,
            "a read beyond the end of its buffer"
        )
        try checkOffset(offset, "pread")
    }

    private func checkOffset(_ offset: Int, _ operation: String) throws(FileError) {
        guard offset >= 0 else { throw FileError(.invalid, operation: operation, path: path) }
    }
}
