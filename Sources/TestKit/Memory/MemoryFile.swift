import Synchronization
import SystemInterface

/// An open file of a `MemoryFileSystem`. Refuses further writes and syncs after a failed sync, as the real one does.
final class MemoryFile: File {
    private let fileSystem: MemoryFileSystem
    private let node: Int
    private let mount: Int
    private let path: String
    private let isWritable: Bool
    private let isSuspect = Atomic(false)

    private var disk: MemoryDisk { fileSystem.disk }

    init(fileSystem: MemoryFileSystem, node: Int, mount: Int, path: String, isWritable: Bool) {
        self.fileSystem = fileSystem
        self.node = node
        self.mount = mount
        self.path = path
        self.isWritable = isWritable
    }

    deinit {
        disk.state.withLock { state in
            if state.mounts.contains(mount) { state.tree.closed(node) }
        }
    }

    func read(
        into buffer: AlignedBuffer,
        at bufferOffset: Int,
        count: Int,
        from offset: Int
    ) async throws(FileError) -> Int {
        try check(buffer, bufferOffset, count, offset)
        return try await disk.perform(.read, path, mount: mount, bytes: count) { state throws(FileError) in
            let lie = self.lie(in: &state)
            let place = if case .misdirected(let distance) = lie { offset + distance } else { offset }
            try self.checkMedium(state, place, count)
            let got = self.copy(from: state, into: buffer, at: bufferOffset, count: count, from: place)
            if case .flipped(let bit) = lie, got > 0 {
                buffer.mutableBytes[bufferOffset + bit / 8 % got] ^= 1 << UInt8(bit % 8)
            }
            return got
        }
    }

    /// What this read gives instead; nil when it says the truth.
    private func lie(in state: inout MemoryDisk.State) -> ReadLie.Kind? {
        let struck = state.readLies.indices.first { state.readLies[$0].strikes(path) }
        return struck.map { state.readLies[$0].kind }
    }

    func readIfCached(
        into buffer: AlignedBuffer,
        at bufferOffset: Int,
        count: Int,
        from offset: Int
    ) throws(FileError) -> Int? {
        try check(buffer, bufferOffset, count, offset)
        guard disk.answersCachedReads else { return nil }
        return try disk.performNow(.read, path, mount: mount) { state throws(FileError) in
            try self.checkMedium(state, offset, count)
            let got = self.copy(from: state, into: buffer, at: bufferOffset, count: count, from: offset)
            return got == count ? got : nil
        }
    }

    func write(_ pieces: [BufferSlice], at offset: Int) async throws(FileError) {
        try checkChange(.write, offset)
        let count = pieces.reduce(0) { $0 + $1.count }
        try await disk.perform(
            .write,
            path,
            mount: mount,
            bytes: count,
            onFault: { state in
                let half = Array(pieces.flatMap { $0.copied() }.prefix(count / 2))
                state.tree.update(self.node) { $0.write(half, at: offset) }
            },
            { state throws(FileError) in
                try self.checkTrust(.write)
                let bytes = pieces.count == 1 ? pieces[0].copied() : pieces.flatMap { $0.copied() }
                try self.write(bytes, at: offset, in: &state)
            }
        )
    }

    func sync() async throws(FileError) {
        try await disk.perform(
            .sync,
            path,
            mount: mount,
            onFault: { state in
                self.isSuspect.store(true, ordering: .relaxed)
                state.tree.update(self.node) { $0.forgetPending() }
            },
            { state throws(FileError) in
                try self.checkTrust(.sync)
                if !state.liesAboutSync { state.tree.update(self.node) { $0.sync() } }
            }
        )
    }

    func allocate(_ range: Range<Int>) async throws(FileError) {
        try checkChange(.allocate, range.lowerBound)
        try await disk.perform(.allocate, path, mount: mount) { state throws(FileError) in
            guard !range.isEmpty else { return }
            guard self.room(for: range, in: state) >= range.count else { throw self.error(.full, .allocate) }
            state.tree.update(self.node) { $0.reserve(range) }
        }
    }

    func punch(_ range: Range<Int>) async throws(FileError) {
        try checkChange(.punch, range.lowerBound)
        try await disk.perform(.punch, path, mount: mount) { state throws(FileError) in
            state.tree.update(self.node) { $0.punch(range) }
        }
    }

    func truncate(to length: Int) async throws(FileError) {
        try checkChange(.truncate, length)
        try await disk.perform(.truncate, path, mount: mount) { state throws(FileError) in
            state.tree.update(self.node) { $0.setLength(length) }
        }
    }

    func length() async throws(FileError) -> Int {
        try await disk.perform(.length, path, mount: mount) { state throws(FileError) in
            state.tree.node(self.node)?.content.current.length ?? 0
        }
    }

    // MARK: Under the disk's lock

    private func copy(
        from state: MemoryDisk.State,
        into buffer: AlignedBuffer,
        at bufferOffset: Int,
        count: Int,
        from offset: Int
    ) -> Int {
        guard let content = state.tree.node(node)?.content, count > 0 else { return 0 }
        let target = UnsafeMutableRawBufferPointer(rebasing: buffer.mutableBytes[bufferOffset..<bufferOffset + count])
        let got = content.current.read(offset..<offset + count, into: target)
        for (position, mask) in content.flips where (offset..<offset + got).contains(position) {
            target[position - offset] ^= mask
        }
        return got
    }

    /// Writes as much as there is room for, then says that the disk is full.
    private func write(_ bytes: [UInt8], at offset: Int, in state: inout MemoryDisk.State) throws(FileError) {
        let room = room(for: offset..<offset + bytes.count, in: state)
        let fitting = room >= bytes.count ? bytes : Array(bytes.prefix(room))
        if !fitting.isEmpty, let offset = place(of: offset, in: &state) {
            state.tree.update(node) { $0.write(fitting, at: offset) }
        }
        if fitting.count < bytes.count { throw error(.full, .write) }
    }

    /// Where a write really lands; nil when it does nowhere.
    private func place(of offset: Int, in state: inout MemoryDisk.State) -> Int? {
        // Every lie counts the write, and at most one is used up.
        var struck: Int?
        for index in state.lies.indices where state.lies[index].strikes(path) && struck == nil { struck = index }
        guard let struck else { return offset }
        switch state.lies.remove(at: struck).kind {
        case .lost: return nil
        case .misdirected(let distance): return offset + distance
        }
    }

    /// Bytes from the start of `range` that the capacity still allows.
    private func room(for range: Range<Int>, in state: MemoryDisk.State) -> Int {
        guard let content = state.tree.node(node)?.content.current else { return 0 }
        let pageSize = SparseBytes.pageSize
        var freePages = max(0, (state.capacity - state.tree.used) / pageSize)
        if content.missingPages(in: range) <= freePages { return range.count }
        for page in SparseBytes.pageRange(range) {
            if content.missingPages(in: page * pageSize..<(page + 1) * pageSize) == 0 { continue }
            if freePages == 0 { return max(0, page * pageSize - range.lowerBound) }
            freePages -= 1
        }
        return range.count
    }

    // MARK: Checks

    private func error(_ code: FileError.Code, _ operation: DiskOperation) -> FileError {
        FileError(code, operation: operation.rawValue, path: path)
    }

    private func checkTrust(_ operation: DiskOperation) throws(FileError) {
        if isSuspect.load(ordering: .relaxed) { throw error(.medium, operation) }
    }

    private func checkMedium(_ state: MemoryDisk.State, _ offset: Int, _ count: Int) throws(FileError) {
        guard let content = state.tree.node(node)?.content, content.canRead(offset..<offset + count) else {
            throw error(.medium, .read)
        }
    }

    private func checkChange(_ operation: DiskOperation, _ offset: Int) throws(FileError) {
        guard offset >= 0 else { throw error(.invalid, operation) }
        guard isWritable else { throw error(.notPermitted, operation) }
    }

    private func check(_ buffer: AlignedBuffer, _ start: Int, _ count: Int, _ offset: Int) throws(FileError) {
        precondition(
            start >= 0 && count >= 0 && count <= buffer.capacity - start,
            "a read beyond the end of its buffer"
        )
        guard offset >= 0 else { throw error(.invalid, .read) }
    }
}
