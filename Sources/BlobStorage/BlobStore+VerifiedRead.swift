internal import Checksums
internal import ClusterProtocol
internal import DiskFormat
internal import ObjectModel
internal import SystemInterface

extension BlobStore {
    /// Bytes of a shard's body, every leaf of them verified, in one piece.
    struct VerifiedRange: Sendable {
        var shard: Int
        var range: Range<Int>
        var bytes: BufferSlice
    }

    /// Reads a range of one shard and verifies each leaf of it. A shard that is not there or not good is reported, but
    /// for one that is noted as missing already.
    func readVerified(
        _ location: BlobLocation,
        shard: Int,
        range: Range<Int>
    ) async throws(ShardFailure) -> VerifiedRange {
        do {
            return try await readVerified(location, shard: shard, range: range, on: location.members[shard])
        } catch {
            if error == .notFound, let moved = await readMoved(location, shard: shard, range: range) { return moved }
            let isBad = error == .notFound || error == .corrupt
            if isBad, !location.missing.contains(UInt8(shard)) { reportBad(location.shard(shard)) }
            throw error
        }
    }

    /// Where the shard has been moved to since it was located.
    private func readMoved(_ location: BlobLocation, shard: Int, range: Range<Int>) async -> VerifiedRange? {
        for disk in view.otherHolders(of: shard, at: location) {
            if let found = try? await readVerified(location, shard: shard, range: range, on: disk) { return found }
        }
        return nil
    }

    /// The trailer of the record that `readVerified` would read.
    func describe(_ location: BlobLocation, shard: Int) async -> ShardTrailer? {
        let id = location.shard(shard)
        do throws(ShardFailure) {
            return try await nodes.describe(location.members[shard], id).trailer
        } catch {
            guard error == .notFound else { return nil }
            for disk in view.otherHolders(of: shard, at: location) {
                if let found = try? await nodes.describe(disk, id) { return found.trailer }
            }
            return nil
        }
    }

    private func readVerified(
        _ location: BlobLocation,
        shard: Int,
        range: Range<Int>,
        on disk: DiskID
    ) async throws(ShardFailure) -> VerifiedRange {
        let id = location.shard(shard)
        let start = time.monotonic
        let (answer, buffers) = try await nodes.read(disk, id, ranges: [range])
        view.noteRead(of: disk, took: time.monotonic.duration(since: start))
        return try verified(answer, buffers, id: id, range: range, geometry: location.geometry)
    }

    private func verified(
        _ answer: ShardReadAnswer,
        _ buffers: [BufferSlice],
        id: ShardID,
        range: Range<Int>,
        geometry: StripeGeometry
    ) throws(ShardFailure) -> VerifiedRange {
        // The answer is a peer's: every number in it is checked before it is used.
        guard let part = answer.parts.first, answer.parts.count == 1,
            part.firstLeaf == range.lowerBound / Leaf.size, buffers.count == 1, buffers[0].count == part.length
        else { throw .corrupt }
        let start = part.firstLeaf * Leaf.size
        guard start + part.length >= range.upperBound, start + part.length <= geometry.shardLength else {
            throw .corrupt
        }
        let seed = LeafSeed(shard: id, stamp: answer.writeStamp)
        let mismatch = buffers[0].withBytes { bytes in
            seed.firstMismatch(of: bytes, firstLeaf: part.firstLeaf, expected: part.leafChecksums)
        }
        guard mismatch == nil else { throw .corrupt }
        return VerifiedRange(
            shard: Int(id.index),
            range: range,
            bytes: buffers[0].slice(range.lowerBound - start..<range.upperBound - start)
        )
    }
}
