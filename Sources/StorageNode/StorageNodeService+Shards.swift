package import ClusterProtocol
internal import DiskFormat
internal import ObjectModel
internal import ShardStorage
internal import SystemInterface

extension StorageNodeService {
    func perform(
        _ request: ShardRequest,
        from caller: ShardCaller,
        on disk: ShardDisk,
        buffers: [BufferSlice]
    ) async throws(ShardFailure) -> (ShardResponse, [BufferSlice]) {
        do {
            switch request {
            case .write(_, let header, let trailer, let checksums):
                try await disk.write(header, body: buffers, leafChecksums: checksums, trailer: trailer)
                return (.done, [])
            case .rewrite(_, let header, let trailer, let checksums):
                try await disk.write(
                    header,
                    body: buffers,
                    leafChecksums: checksums,
                    trailer: trailer,
                    isRewrite: true
                )
                return (.done, [])
            case .begin(_, let header):
                return (.handle(try await begin(header, for: caller, on: disk)), [])
            case .append(let id, let handle, let offset):
                try await writer(handle, of: caller, on: id).append(buffers, at: offset)
                return (.done, [])
            case .seal(let id, let handle, let trailer, let checksums):
                let writer = try writer(handle, of: caller, on: id)
                forget(handle)
                try await writer.seal(trailer: trailer, leafChecksums: checksums)
                return (.done, [])
            case .abort(let id, let handle):
                let writer = try writer(handle, of: caller, on: id)
                forget(handle)
                await writer.abort()
                return (.done, [])
            case .read(_, let shard, let ranges): return try await read(shard, ranges: ranges, on: disk)
            case .describe(_, let shard):
                let (header, trailer) = try await disk.describe(shard)
                return (.description(header, trailer), [])
            case .verify(_, let shard): return (.verified(isGood: try await verify(shard, on: disk)), [])
            case .erase(_, let shards):
                _ = try await disk.erase(shards)
                return (.done, [])
            case .eraseRecord(_, let shard, let stamp):
                _ = try await disk.erase([ShardErasure(shard, writeStamp: stamp)])
                return (.done, [])
            case .inventory(_, let after, let limit): return (inventory(after: after, limit: limit, of: disk), [])
            case .status: return (.status(await status(of: disk)), [])
            }
        } catch let error as ShardStorageError {
            throw ShardFailure(error)
        } catch let error as ShardFailure {
            throw error
        } catch {
            throw .diskUnusable("\(error)")
        }
    }

    private func begin(
        _ header: ShardHeader,
        for caller: ShardCaller,
        on disk: ShardDisk
    ) async throws -> UInt64 {
        let writer = try await disk.begin(header)
        do throws(ShardFailure) {
            return try register(writer, of: caller, on: disk)
        } catch {
            await writer.abort()
            throw error
        }
    }

    private func read(
        _ shard: ShardID,
        ranges: [Range<Int>],
        on disk: ShardDisk
    ) async throws -> (ShardResponse, [BufferSlice]) {
        await buggify.pause(.shardReadLate, time)
        let read: ShardRead
        if let warm = disk.readNow(shard, ranges: ranges) {
            read = warm
        } else {
            read = try await disk.read(shard, ranges: ranges)
        }
        let parts = read.parts.map { part in
            ShardReadAnswer.Part(
                firstLeaf: part.range.lowerBound / Leaf.size,
                length: part.range.count,
                leafChecksums: part.leafChecksums
            )
        }
        return (
            .read(ShardReadAnswer(writeStamp: read.writeStamp, parts: parts)), read.parts.flatMap(\.bytes)
        )
    }

    private func verify(_ shard: ShardID, on disk: ShardDisk) async throws -> Bool {
        do {
            return try await disk.verify(shard).isGood
        } catch ShardStorageError.corrupt {
            return false
        }
    }

    private func inventory(after shard: ShardID?, limit: Int, of disk: ShardDisk) -> ShardResponse {
        let bounded = min(max(limit, 1), ShardRequest.batchLimit)
        let entries = disk.inventory(after: shard, limit: bounded)
        return .inventory(
            entries.map {
                ShardInventoryEntry(shard: $0.shard, writeStamp: $0.writeStamp, bodyLength: $0.bodyLength)
            },
            isLast: entries.count < bounded
        )
    }

    /// How each disk does, with its slot.
    package func statuses() async -> [(slot: String, status: DiskStatus)] {
        var statuses: [(String, DiskStatus)] = []
        for disk in disks { statuses.append((disk.slot, await status(of: disk.shards))) }
        return statuses
    }

    private static func hanging(_ age: Duration) -> String {
        "a write to it has been under way for \(age.components.seconds) s: it hangs, and gets nothing new until that "
            + "ends"
    }

    private func status(of disk: ShardDisk) async -> DiskStatus {
        do {
            let statistics = try await disk.statistics()
            return DiskStatus(
                isUsable: statistics.failure == nil,
                reason: statistics.failure ?? statistics.refusal ?? disk.hang.map(Self.hanging) ?? "",
                capacity: statistics.capacity,
                room: statistics.room,
                liveBytes: statistics.liveBytes,
                deadBytes: statistics.deadBytes,
                shardCount: statistics.shardCount
            )
        } catch {
            return DiskStatus(
                isUsable: false,
                reason: error.description,
                capacity: 0,
                room: 0,
                liveBytes: 0,
                deadBytes: 0,
                shardCount: 0
            )
        }
    }
}

extension ShardFailure {
    init(_ error: ShardStorageError) {
        switch error {
        case .notFound: self = .notFound
        case .corrupt: self = .corrupt
        case .full: self = .full
        case .invalid(let what): self = .invalid(what)
        case .diskFailed, .foreignDisk, .staleDisk, .notFormatted, .notEmpty, .locked, .unsupportedFormat, .closed:
            self = .diskUnusable(error.description)
        }
    }
}
