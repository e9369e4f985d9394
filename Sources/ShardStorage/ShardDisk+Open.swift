package import DiskFormat
package import ObjectModel
internal import Synchronization
package import SystemInterface

/// What the caller knows of the disk it is about to open.
package struct DiskExpectation: Hashable, Sendable {
    package var cluster: ClusterID
    /// Nil when any disk of the cluster will do.
    package var disk: DiskID?
    /// The lowest epoch that is not stale.
    package var epoch: UInt32

    package init(cluster: ClusterID, disk: DiskID? = nil, epoch: UInt32 = 0) {
        self.cluster = cluster
        self.disk = disk
        self.epoch = epoch
    }
}

extension ShardDisk {
    /// Makes a disk of an empty folder; durable on return. Throws `.notEmpty` when anything is in it: nothing is ever
    /// formatted over, but for what a formatting that was cut off has left.
    package static func format(
        fileSystem: any FileSystem,
        identity: DiskIdentity
    ) async throws(ShardStorageError) {
        let content: String?
        do throws(FileError) { content = try await self.content(of: fileSystem) } catch { throw openError(error) }
        if let content { throw .notEmpty(content) }
        do throws(FileError) {
            try await fileSystem.createDirectory(DiskFolder.segments)
            try await fileSystem.createDirectory(DiskFolder.reserve)
            // The identity comes last: a disk is formatted when it has one.
            try await writeIdentity(identity, to: fileSystem)
        } catch {
            throw openError(error)
        }
    }

    /// The name of something in a folder that is no disk yet and is worth keeping; nil when there is nothing. What a
    /// formatting leaves that was cut off by a crash is not: it is done over.
    package static func content(of fileSystem: any FileSystem) async throws(FileError) -> String? {
        for name in try await fileSystem.list(RelativePath.root).sorted() where !DiskFolder.foreign.contains(name) {
            switch name {
            case DiskFolder.newIdentity: continue
            case DiskFolder.segments, DiskFolder.reserve:
                let isFolder = try await fileSystem.status(name)?.isDirectory == true
                guard isFolder, try await fileSystem.list(name).isEmpty else { return name }
            default: return name
            }
        }
        return nil
    }

    /// Reads whose disk a folder is, without opening it.
    package static func readIdentity(_ fileSystem: any FileSystem) async throws(ShardStorageError) -> DiskIdentity {
        let buffer = AlignedBuffer(capacity: DiskIdentity.encodedLength)
        let count: Int
        do throws(FileError) {
            guard try await fileSystem.status(DiskFolder.identity) != nil else {
                throw FileError(.notFound, operation: "open", path: DiskFolder.identity)
            }
            let file = try await fileSystem.open(DiskFolder.identity, .read)
            // Either copy will do.
            count = try await file.readAround(buffer, count: DiskIdentity.encodedLength, from: 0, limit: 1).count
        } catch  where error.code == .notFound {
            throw .notFormatted
        } catch {
            throw openError(error)
        }
        do throws(DiskFormatError) {
            return try DiskIdentity.decode(UnsafeRawBufferPointer(rebasing: buffer.mutableBytes[..<count]))
        } catch {
            throw formatError(error, in: "the disk's identity")
        }
    }

    /// Opens a disk: checks whose it is, takes the lock, recovers what a crash left, and rebuilds the index.
    ///
    /// Throws `.notFormatted`, `.foreignDisk`, `.staleDisk`, `.locked`, `.unsupportedFormat`; the disk is then
    /// unchanged.
    package static func open(
        fileSystem: any FileSystem,
        expecting: DiskExpectation,
        time: any TimeSource,
        random: any RandomSource,
        pool: BufferPool = BufferPool(limit: 64 << 20),
        configuration: ShardDiskConfiguration = ShardDiskConfiguration(),
        index: any ShardIndex = MemoryShardIndex()
    ) async throws(ShardStorageError) -> ShardDisk {
        let identity = try await readIdentity(fileSystem)
        try check(identity, expecting)
        let isMine: Bool
        do throws(FileError) { isMine = try await fileSystem.lock(DiskFolder.lock) } catch { throw openError(error) }
        guard isMine else { throw .locked }
        let recovery = DiskRecovery(
            fileSystem: fileSystem,
            identity: identity,
            pool: pool,
            time: time,
            index: index
        )
        let (state, report): (DiskState, RecoveryReport)
        do throws(FileError) { (state, report) = try await recovery.run() } catch { throw openError(error) }
        let disk = ShardDisk(
            fileSystem: fileSystem,
            time: time,
            random: random,
            pool: pool,
            configuration: configuration,
            index: index,
            state: state,
            recovery: report
        )
        do throws(FileError) { try await disk.findReserve() } catch { throw openError(error) }
        try await disk.finishIdleSegments()
        try await disk.refillReserve()
        return disk
    }

    /// Gives segments that take no more records, and that nobody writes to, their footers: those that recovery found
    /// without one, and those whose last writer was dropped.
    func finishIdleSegments() async throws(ShardStorageError) {
        try await structure.run { () async throws(ShardStorageError) in
            let closing = state.withLock { $0.segments.values.filter(\.isClosing).map(\.id).sorted() }
            for segment in closing { try await finishClosing(segment) }
        }
    }

    private static func check(_ identity: DiskIdentity, _ expected: DiskExpectation) throws(ShardStorageError) {
        guard identity.cluster == expected.cluster else {
            throw .foreignDisk("it belongs to cluster \(identity.cluster)")
        }
        if let disk = expected.disk, identity.disk != disk {
            throw .foreignDisk("it is disk \(identity.disk), not \(disk)")
        }
        guard identity.epoch >= expected.epoch else {
            throw .staleDisk(found: identity.epoch, expected: expected.epoch)
        }
        guard identity.features.allowsChanges else { throw .unsupportedFormat("features of the disk") }
    }

    /// Replaces the identity as a whole; durable on return.
    static func writeIdentity(_ identity: DiskIdentity, to fileSystem: any FileSystem) async throws(FileError) {
        guard let bytes = identity.encoded() else {
            throw FileError(.invalid, operation: "encode", path: DiskFolder.identity)
        }
        let file = try await fileSystem.open(DiskFolder.newIdentity, .create)
        try await file.write([BufferSlice(copying: bytes)], at: 0)
        try await file.truncate(to: bytes.count)
        try await file.sync()
        try await fileSystem.rename(DiskFolder.newIdentity, to: DiskFolder.identity)
        try await fileSystem.syncDirectory(RelativePath.root)
    }

    private static func openError(_ error: FileError) -> ShardStorageError {
        switch error.code {
        case .full: .full
        default: .diskFailed(error.description)
        }
    }

    static func formatError(_ error: DiskFormatError, in what: String) -> ShardStorageError {
        if case .unsupported(let feature) = error { return .unsupportedFormat("\(what): \(feature)") }
        return .corrupt("\(what): \(error)")
    }
}
