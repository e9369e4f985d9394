internal import DiskFormat
internal import Synchronization
package import SystemInterface

extension ShardDisk {
    /// Whether the folder is still this disk's. An identity that has rotted in its place, was cut behind its first copy
    /// or has something behind it is written again: the open disk knows its own. One that is gone, emptied or another's
    /// means that the folder was emptied, unmounted or exchanged beneath the open files. So does a path that leads
    /// elsewhere by now.
    package func isInPlace() async -> Bool {
        guard await fileSystem.isAtItsPlace() else { return false }
        let found = await readPlace()
        guard found == .rotten else { return found == .whole }
        return await structure.run { await mendIdentity() }
    }

    private enum PlaceState { case whole, rotten, lost }

    /// Compares both copies of the identity, and the length of the file, with what they should be.
    private func readPlace() async -> PlaceState {
        let identity = identity
        let length = DiskIdentity.encodedLength
        let buffer = pool.take(length)
        let fileLength: Int
        let count: Int
        do throws(FileError) {
            let file = try await fileSystem.open(DiskFolder.identity, .read)
            fileLength = try await file.length()
            // Neither copy may be readable.
            count = try await file.readAround(buffer, count: length, from: 0).count
        } catch {
            return .lost
        }
        return buffer.slice(0..<count).withBytes { bytes in
            if fileLength == length, let expected = identity.encoded(), bytes.elementsEqual(expected) { return .whole }
            guard let found = try? DiskIdentity.decode(bytes) else { return count == length ? .rotten : .lost }
            return found.disk == identity.disk && found.cluster == identity.cluster ? .rotten : .lost
        }
    }

    /// Under the structure lock, so that no newer identity is written at the same time.
    private func mendIdentity() async -> Bool {
        let found = await readPlace()
        guard found == .rotten else { return found == .whole }
        do throws(FileError) {
            try await Self.writeIdentity(identity, to: fileSystem)
        } catch  where error.code == .full {
            // It is known, and is written once there is room.
        } catch {
            fail(error)
        }
        return true
    }
}

extension ShardDisk {
    /// Writes and syncs a block, and removes it again, where the identity lies and where new segments are made: whether
    /// a disk that failed takes writes.
    package static func probe(_ fileSystem: any FileSystem) async throws(FileError) {
        try await probe(fileSystem, DiskFolder.probe, in: RelativePath.root)
        try await fileSystem.createDirectory(DiskFolder.segments)
        try await probe(fileSystem, DiskFolder.segments + "/" + DiskFolder.probe, in: DiskFolder.segments)
    }

    private static func probe(
        _ fileSystem: any FileSystem,
        _ path: String,
        in folder: String
    ) async throws(FileError) {
        let file = try await fileSystem.open(path, .create)
        try await file.write(
            [AlignedBuffer(capacity: AlignedBuffer.alignment).slice(0..<AlignedBuffer.alignment)],
            at: 0
        )
        try await file.sync()
        try await fileSystem.remove(path)
        try await fileSystem.syncDirectory(folder)
    }
}
