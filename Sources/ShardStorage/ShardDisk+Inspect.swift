internal import Checksums
package import DiskFormat
package import ObjectModel
internal import Synchronization
internal import SystemInterface

/// What reading all of a shard showed.
package enum VerifyResult: Hashable, Sendable {
    case good
    /// What does not match; the shard should be written anew from its peers.
    case bad(String)

    package var isGood: Bool { self == .good }
}

/// Figures of one disk.
package struct ShardDiskStatistics: Hashable, Sendable {
    /// Shards that can be read.
    package var shardCount = 0
    /// Bytes of their records.
    package var liveBytes = 0
    /// Bytes of dead records that compaction would bring back.
    package var deadBytes = 0
    /// Bytes of the file system, and those new shards may still take: by the rule that refuses them.
    package var capacity = 0
    package var room = 0
    package var segmentCount = 0
    /// Segments whose live records lie elsewhere, kept for a while.
    package var supersededCount = 0
    /// Bytes of the reserve that are missing: above 0 the disk is or was full.
    package var missingReserve = 0
    package var failure: String?
    /// Why it takes nothing new, though it has not failed.
    package var refusal: String?
    /// Shards verified by the scrub pass under way, and whole passes since the disk was opened.
    package var scrubbedShards = 0
    package var scrubPasses = 0

    package init() {}
}

extension ShardDisk {
    /// What a shard's header and trailer say, checked.
    package func describe(_ shard: ShardID) async throws(ShardStorageError) -> (ShardHeader, ShardTrailer) {
        while true {
            let entry = try locate(shard)
            do throws(ShardStorageError) {
                let (header, trailer) = try await readRecord(entry)
                return (header.header, trailer.trailer)
            } catch {
                if index.lookup(shard) != entry { continue }
                throw error
            }
        }
    }

    /// Header and trailer of a record, each checked against the index entry.
    func readRecord(_ entry: IndexEntry) async throws(ShardStorageError) -> (ShardRecordHeader, ShardRecordTrailer) {
        try await readRecord(entry, from: try await file(of: entry.segment).0)
    }

    private func readRecord(
        _ entry: IndexEntry,
        from file: any File
    ) async throws(ShardStorageError) -> (ShardRecordHeader, ShardRecordTrailer) {
        guard let segment = state.withLock({ $0.segments[entry.segment]?.header }) else {
            throw .corrupt("segment \(entry.segment) is gone")
        }
        let kind = segment.kind
        let layout = entry.layout(kind)
        let head: BufferSlice?
        let tail: BufferSlice?
        do throws(FileError) {
            head = try await file.readBlocks(entry.headerLength, at: entry.offset, pool)
            tail = try await file.readBlocks(entry.trailerCapacity, at: entry.offset + layout.trailerOffset, pool)
        } catch {
            throw Self.readError(error)
        }
        guard let head, let tail else { throw .corrupt("shard \(entry.shard) is cut short") }
        do throws(DiskFormatError) {
            let decoded = try head.withBytes { bytes throws(DiskFormatError) in
                try RecordHeader.decode(bytes, at: segment.place(entry.offset), in: kind)
            }
            guard case .shard(let header) = decoded.header, header.header.shard == entry.shard,
                header.header.writeStamp == entry.writeStamp, header.layout(in: kind) == layout
            else { throw .inconsistent("another record than the index says") }
            let trailer = try tail.withBytes { bytes throws(DiskFormatError) in
                try ShardRecordTrailer.decode(bytes, header.header)
            }
            guard trailer.bodyLength == entry.bodyLength else { throw .inconsistent("length of the body") }
            return (header, trailer)
        } catch {
            throw Self.formatError(error, in: "shard \(entry.shard)")
        }
    }

    /// Reads all of a shard from the disk and compares header, trailer, table, every leaf and the shard's digest.
    /// Throws only when there is no such shard or the disk cannot be read at all.
    package func verify(_ shard: ShardID) async throws(ShardStorageError) -> VerifyResult {
        while true {
            let entry = try locate(shard)
            let result: VerifyResult
            do throws(ShardStorageError) {
                result = try await verify(entry)
            } catch .corrupt(let what) {
                result = .bad(what)
            }
            if index.lookup(shard) == entry { return result }
        }
    }

    func verify(_ entry: IndexEntry) async throws(ShardStorageError) -> VerifyResult {
        guard let segment = state.withLock({ $0.segments[entry.segment] }) else {
            throw .corrupt("segment \(entry.segment) is gone")
        }
        // What the page cache holds proves nothing.
        let file: any File
        do throws(FileError) {
            file = try await fileSystem.open(segment.path, .read.direct())
        } catch {
            throw Self.readError(error)
        }
        let kind = segment.header.kind
        let (header, trailer) = try await readRecord(entry, from: file)
        let check = BodyCheck(
            file: file,
            pool: pool,
            layout: entry.layout(kind),
            offset: entry.offset,
            header: header.header
        )
        do throws(FileError) {
            guard let table = try await check.table(trailer) else { return .bad("leaf table") }
            let digest = XXH3Digest()
            let seed = ShardRecordTrailer.seed(header.header)
            var position = 0
            while position < trailer.bodyLength {
                let count = min(BodyCheck.pieceLength, trailer.bodyLength - position)
                guard let piece = try await check.read(count, at: check.layout.bodyOffset + position) else {
                    return .bad("cut short")
                }
                let first = position / Leaf.size
                let expected = table[first..<first + Leaf.count(of: count)]
                if let leaf = piece.withBytes({ seed.firstMismatch(of: $0, firstLeaf: first, expected: expected) }) {
                    return .bad("leaf \(leaf)")
                }
                piece.withBytes { digest.update($0) }
                position += count
            }
            let found = digest.finalize()
            let expected = trailer.trailer.shardDigests[Int(entry.shard.index)]
            return ContentDigest(high: found.high, low: found.low) == expected ? .good : .bad("digest")
        } catch {
            throw Self.readError(error)
        }
    }

    /// Shards on this disk in the order of their ids, from the first behind `shard` on.
    package func inventory(after shard: ShardID?, limit: Int) -> [IndexEntry] {
        index.entries(after: shard, limit: limit)
    }

    /// Whether a shard is here.
    package func contains(_ shard: ShardID) -> Bool { index.lookup(shard) != nil }

    /// Figures as of now.
    package func statistics() async throws(ShardStorageError) -> ShardDiskStatistics {
        let space: FileSystemSpace
        do throws(FileError) { space = try await fileSystem.space() } catch { throw .diskFailed(error.description) }
        let count = index.count
        return state.withLock { state in
            var result = ShardDiskStatistics()
            result.shardCount = count
            for segment in state.segments.values {
                result.liveBytes += segment.liveBytes
                result.supersededCount += segment.isSuperseded ? 1 : 0
                result.deadBytes += segment.isSuperseded ? 0 : segment.deadBytes
            }
            result.segmentCount = state.segments.count
            result.capacity = space.total
            result.missingReserve = state.missingReserve
            result.room = state.room(in: space)
            result.failure = state.failure
            result.refusal = state.refusal
            result.scrubbedShards = state.scrub.verified
            result.scrubPasses = state.scrub.passes
            return result
        }
    }
}
