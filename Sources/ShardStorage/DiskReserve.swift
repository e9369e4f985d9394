internal import DiskFormat
internal import Synchronization
internal import SystemInterface

// Preallocated files that are given up when the file system is full, so that tombstones and copies still have room.
extension ShardDisk {
    /// Bytes of one reserve file.
    static let reserveFileLength = 4 << 20
    /// Bytes of the file system that nothing but the reserve may take: room for names and extents.
    fileprivate static let headroom = 1 << 20
    /// Reserve files of a disk from this length on, however small a part of it they would be otherwise.
    private static let leastReserve = 2
    private static let reservedDiskLength = 64 << 20

    /// Whether `length` more bytes may be taken by a caller of that privilege.
    func mayTake(_ length: Int, _ privilege: Privilege) async throws(ShardStorageError) -> Bool {
        if privilege != .ordinary { return true }
        let space: FileSystemSpace
        do throws(FileError) { space = try await fileSystem.space() } catch { throw fail(error) }
        return state.withLock { $0.ordinaryRoom(in: space) } >= length
    }

    /// Whether a caller of that privilege may have a reserve file given up for it.
    func mayRelease(_ privilege: Privilege) -> Bool {
        switch privilege {
        case .ordinary: false
        case .rewrite: state.withLock { $0.reserveFiles.count > $0.reserveWanted / 2 }
        case .reserve: true
        }
    }

    /// Gives one reserve file up; false when there is none left. Under the structure lock.
    func releaseReserve() async throws(ShardStorageError) -> Bool {
        guard let name = state.withLock({ $0.reserveFiles.popLast() }) else { return false }
        do throws(FileError) {
            try await fileSystem.remove("\(DiskFolder.reserve)/\(name)")
            return true
        } catch  where error.code == .notFound {
            return true
        } catch {
            throw fail(error)
        }
    }

    /// Takes back what was given up, as far as there is room. Called after room came back, and at the start.
    package func refillReserve() async throws(ShardStorageError) {
        try await structure.run { () async throws(ShardStorageError) in
            while try await addReserveFile() {}
        }
    }

    private func addReserveFile() async throws(ShardStorageError) -> Bool {
        let name = state.withLock { state -> String? in
            guard state.failure == nil, state.missingReserve > 0 else { return nil }
            let used = Set(state.reserveFiles)
            return (0...).lazy.map(Self.reserveName).first { !used.contains($0) }
        }
        guard let name else { return false }
        let path = "\(DiskFolder.reserve)/\(name)"
        do throws(FileError) {
            guard try await fileSystem.space().available >= Self.reserveFileLength + Self.headroom else { return false }
            let file = try await fileSystem.open(path, .create)
            try await file.allocate(0..<Self.reserveFileLength)
            try await file.sync()
            try await fileSystem.syncDirectory(DiskFolder.reserve)
        } catch  where error.code == .full {
            try? await fileSystem.remove(path)
            return false
        } catch {
            throw fail(error)
        }
        state.withLock { $0.reserveFiles.append(name) }
        return true
    }

    private static func reserveName(_ number: Int) -> String {
        let digits = String(number)
        return String(repeating: "0", count: max(0, 4 - digits.count)) + digits
    }

    /// Reads which reserve files there are and settles how many there should be. At the start.
    func findReserve() async throws(FileError) {
        let total = try await fileSystem.space().total
        let share = min(configuration.reserveLength, total / 50) / Self.reserveFileLength
        // A small disk needs some as well: one file for what is rewritten, one for the tombstones of what it replaces.
        let wanted = total >= Self.reservedDiskLength ? max(share, Self.leastReserve) : share
        var names: [String] = []
        for name in try await fileSystem.list(DiskFolder.reserve) {
            let path = "\(DiskFolder.reserve)/\(name)"
            // A crash may have left one without its room.
            if let status = try await fileSystem.status(path), status.allocated >= Self.reserveFileLength {
                names.append(name)
            } else {
                try await fileSystem.remove(path)
            }
        }
        let found = names
        state.withLock { state in
            state.reserveWanted = wanted
            state.reserveFiles = found
        }
    }
}

extension DiskState {
    /// Bytes of reserve files that have been given up.
    var missingReserve: Int { max(0, reserveWanted - reserveFiles.count) * ShardDisk.reserveFileLength }

    /// Bytes that segments may grow by for what clients write; below 0 when the reserve itself is short.
    func ordinaryRoom(in space: FileSystemSpace) -> Int { space.available - missingReserve - ShardDisk.headroom }

    /// The length of the longest shard of a client that would be taken now, whichever kind of segment it goes to.
    func room(in space: FileSystemSpace) -> Int {
        let growth = max(0, ordinaryRoom(in: space))
        // What is set aside for the shards of one kind is of no use to those of the other.
        let packed = min(growth + spare(in: .packed), ShardDiskConfiguration.alignedBodyLength)
        return max(growth + spare(in: .aligned), packed)
    }

    /// Bytes that the open segment of a kind has been given, and needs neither for its records nor for its footer.
    private func spare(in kind: SegmentKind) -> Int {
        guard let segment = openSegments[kind].flatMap({ segments[$0] }) else { return 0 }
        return max(0, segment.allocated - segment.endWithFooter(adding: 0, count: 1))
    }
}
