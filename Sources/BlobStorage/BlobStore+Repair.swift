internal import Checksums
internal import ClusterProtocol
internal import DiskFormat
package import ObjectModel
package import Placement
internal import SystemInterface

/// What repair must know of a blob, from the metadata that names it.
package struct RepairRequest: Sendable {
    package var location: BlobLocation
    /// Where shards belong, in shard order.
    package var members: [DiskID]
    package var groupID: GroupID
    package var groupEpoch: UInt32
    package var frames: FrameIndex
    package var ingestDigest: ContentDigest
    /// The shards to put back.
    package var shards: [UInt8]

    package init(
        location: BlobLocation,
        group: ClusterMap.Group,
        frames: FrameIndex,
        ingestDigest: ContentDigest,
        shards: [UInt8]
    ) {
        self.location = location
        members = group.members
        groupID = group.id
        groupEpoch = group.epoch
        self.frames = frames
        self.ingestDigest = ingestDigest
        self.shards = shards
    }
}

extension BlobStore {
    /// Puts lost shards of a blob back, all in one pass over it (DESIGN §8).
    ///
    /// Inputs are verified leaf by leaf before decoding, and where they are too few, taken from bad shards too: good
    /// leaves of these give what they can. The decoded blob is compared with its ingest digest, each new
    /// shard with the digest that its siblings' trailers state, and what was written is read back. Returns the shards
    /// that are durable and proved; those on disks that cannot be written are left out. Bytes written: shard length
    /// times their number.
    package func repair(_ request: RepairRequest) async throws(BlobError) -> [UInt8] {
        let reachable = request.shards.filter { view.takesShards(request.members[Int($0)]) }
        var done: [UInt8] = []
        var older: [UInt8] = []
        var lost: [UInt8] = []
        for shard in reachable.sorted() {
            switch await presence(of: shard, request) {
            case .current: done.append(shard)
            case .older: older.append(shard)
            case .none: lost.append(shard)
            }
        }
        guard !lost.isEmpty || !older.isEmpty else { return done }
        do throws(BlobError) {
            let written = try await makeAnew((lost + older).sorted(), request)
            return done + written + older.filter { !written.contains($0) }
        } catch {
            // What is there is better than nothing: with it the others may be made.
            guard !older.isEmpty else { throw error }
            return done + older
        }
    }

    /// Puts shards that still lie where their place was before where they belong. Each is read there and verified leaf
    /// by leaf, compared with the digest that its siblings' trailers state, and read back.
    ///
    /// Returns the shards that are durable and proved at their new place, and those that are not good where they were:
    /// they are to be repaired. What could not be read or written now is left out.
    package func move(_ request: RepairRequest) async throws(BlobError) -> (moved: [UInt8], bad: [UInt8]) {
        var moved: [UInt8] = []
        var bad: [UInt8] = []
        for shard in request.shards.sorted() where view.takesShards(request.members[Int(shard)]) {
            let presence = await presence(of: shard, request)
            if presence == .current {
                moved.append(shard)
                continue
            }
            do throws(BlobError) {
                let copied = try await copy(shard, request)
                moved += copied.isEmpty && presence == .older ? [shard] : copied
            } catch {
                if presence == .older {
                    moved.append(shard)
                    continue
                }
                let location = request.location
                let verdict = await nodes.judge(location.shard(Int(shard)), on: location.members[Int(shard)])
                if verdict.isBad { bad.append(shard) }
            }
        }
        return (moved, bad)
    }

    /// One that is whole where it is, and not what its siblings say of it, is made anew from them.
    private func copy(_ shard: UInt8, _ request: RepairRequest) async throws(BlobError) -> [UInt8] {
        let copied = try await write([shard], request, .copied)
        guard copied.isEmpty else { return copied }
        var without = request
        without.location = BlobLocation(request.location, leavingOut: [shard])
        return try await write([shard], without, .decoded)
    }

    private func makeAnew(_ lost: [UInt8], _ request: RepairRequest) async throws(BlobError) -> [UInt8] {
        do throws(BlobError) {
            return try await write(lost, request, .decoded)
        } catch {
            guard case .unreadable = error, let written = try? await write(lost, request, .remains) else { throw error }
            return written
        }
    }

    private func write(
        _ lost: [UInt8],
        _ request: RepairRequest,
        _ source: RepairWriter.Source
    ) async throws(BlobError) -> [UInt8] {
        let location = request.location
        let trailer = try await survivingTrailer(location)
        guard trailer.ingestDigest == request.ingestDigest,
            trailer.shardDigests.count == location.scheme.shardCount
        else { throw .digestMismatch(location.blob) }
        let shards = lost.map { Int($0) }
        var writer = RepairWriter(store: self, request: request, trailer: trailer, lost: shards, source: source)
        return try await writer.run()
    }

    /// What the disk where a shard belongs holds of it.
    private enum Presence {
        /// A good one, written for this placement: it arrived late, after its write was acknowledged without it, or a
        /// repair or move was cut off behind it. It needs only proof.
        case current
        /// A good one of another placement: an erasure that was decided under that one may still be on its way to it,
        /// so it is written anew.
        case older
        case none
    }

    private func presence(of shard: UInt8, _ request: RepairRequest) async -> Presence {
        let (disk, id) = (request.members[Int(shard)], request.location.shard(Int(shard)))
        guard await nodes.judge(id, on: disk) == .good, let header = try? await nodes.describe(disk, id).header else {
            return .none
        }
        return header.groupEpoch == request.groupEpoch ? .current : .older
    }

    /// The trailer of a shard that is there; every one of them holds all digests. One of a shard that is noted as
    /// missing is better than none: what is made by it is compared with the blob's own digest.
    private func survivingTrailer(_ location: BlobLocation) async throws(BlobError) -> ShardTrailer {
        let shards = Array(0..<location.scheme.shardCount)
        let isMissing = { (shard: Int) in location.missing.contains(UInt8(shard)) }
        for shard in shards.filter({ !isMissing($0) }) + shards.filter(isMissing) {
            let described = try? await nodes.describe(location.members[shard], location.shard(shard))
            if let trailer = described?.trailer, trailer.blobLength == location.geometry.blobLength { return trailer }
        }
        throw .unreadable(location.blob, good: 0, needed: location.scheme.dataCount)
    }
}

/// Writes shards of one blob to where they belong, stripe by stripe.
private struct RepairWriter {
    /// Where their bytes come from.
    enum Source {
        /// From any k others; the blob that they make is compared with its ingest digest.
        case decoded
        /// The same, also from what is left of shards that are noted as missing.
        case remains
        /// From where each lies now.
        case copied
    }

    let store: BlobStore
    let request: RepairRequest
    let trailer: ShardTrailer
    let lost: [Int]
    let source: Source
    private var targets: [Target] = []
    private var verifier: IngestVerifier

    private struct Target {
        var header: ShardHeader
        var disk: DiskID
        var place: Place
        var digest = XXH3Digest()
        var leafChecksums: [UInt32] = []

        var shard: Int { Int(header.shard.index) }
    }

    /// Where a shard in the making is.
    private enum Place {
        /// A writer on its disk takes it cell by cell.
        case open(handle: UInt64)
        /// A shard of one stripe is written whole at the end, beside other small ones.
        case inMemory(BufferSlice?)
        /// Its disk failed.
        case failed
    }

    init(store: BlobStore, request: RepairRequest, trailer: ShardTrailer, lost: [Int], source: Source) {
        self.source = source
        self.store = store
        self.request = request
        self.trailer = trailer
        self.lost = lost
        verifier = IngestVerifier(frames: request.frames, pool: store.pool)
    }

    mutating func run() async throws(BlobError) -> [UInt8] {
        let location = request.location
        for shard in lost { await open(shard) }
        guard targets.contains(where: { if case .failed = $0.place { false } else { true } }) else { return [] }
        do throws(BlobError) {
            for stripe in 0..<location.geometry.stripeCount { try await rebuild(stripe) }
            guard source == .copied || verifier.finalize() == request.ingestDigest else {
                throw BlobError.digestMismatch(location.blob)
            }
        } catch {
            targets.forEach(giveUp)
            throw error
        }
        var done: [UInt8] = []
        for target in targets where await seal(target) { done.append(UInt8(target.shard)) }
        return done
    }

    private mutating func open(_ shard: Int) async {
        let location = request.location
        let stamp = store.random.next()
        let header = ShardHeader(
            shard: location.shard(shard),
            group: request.groupID,
            groupEpoch: request.groupEpoch,
            scheme: location.scheme,
            writeStamp: stamp,
            bodyCapacity: location.geometry.shardLength
        )
        let disk = request.members[shard]
        var place = Place.inMemory(nil)
        if location.geometry.stripeCount > 1 {
            let handle = try? await store.nodes.begin(disk, header: header)
            place = handle.map { .open(handle: $0) } ?? .failed
        }
        targets.append(Target(header: header, disk: disk, place: place))
    }

    private mutating func rebuild(_ stripe: Int) async throws(BlobError) {
        let location = request.location
        let range = location.geometry.shardRange(ofStripe: stripe)
        let cells: [Int: BufferSlice]
        switch source {
        case .copied: cells = try await copies(range)
        case .decoded, .remains:
            let wanted = Set(0..<location.scheme.dataCount).union(lost)
            cells = try await store.reconstruct(
                Reconstruction(
                    location: location,
                    range: range,
                    wanted: Dictionary(uniqueKeysWithValues: wanted.map { ($0, range) }),
                    remains: source == .remains ? location.missing.map { Int($0) }.sorted() : []
                )
            )
            try verify(cells, stripe: stripe)
        }
        for index in targets.indices {
            guard let cell = cells[targets[index].shard] else { continue }
            await take(cell, for: index, offset: range.lowerBound)
        }
    }

    private func copies(_ range: Range<Int>) async throws(BlobError) -> [Int: BufferSlice] {
        var cells: [Int: BufferSlice] = [:]
        for shard in lost {
            do throws(ShardFailure) {
                cells[shard] = try await store.readVerified(request.location, shard: shard, range: range).bytes
            } catch {
                throw .unreadable(request.location.blob, good: 0, needed: 1)
            }
        }
        return cells
    }

    private mutating func take(_ cell: BufferSlice, for index: Int, offset: Int) async {
        let header = targets[index].header
        let seed = LeafSeed(shard: header.shard, stamp: header.writeStamp)
        cell.withBytes { bytes in
            targets[index].digest.update(bytes)
            seed.checksums(of: bytes, firstLeaf: offset / Leaf.size, into: &targets[index].leafChecksums)
        }
        switch targets[index].place {
        case .failed: break
        case .inMemory: targets[index].place = .inMemory(cell)
        case .open(let handle):
            do {
                try await store.nodes.append(targets[index].disk, handle: handle, offset: offset, cells: [cell])
            } catch {
                giveUp(targets[index])
                targets[index].place = .failed
            }
        }
    }

    /// Feeds the stripe's data, without its padding, to the digest of the blob.
    private mutating func verify(_ cells: [Int: BufferSlice], stripe: Int) throws(BlobError) {
        let location = request.location
        var left = min(
            location.scheme.dataCount * location.scheme.cellSize,
            location.geometry.blobLength - stripe * location.scheme.dataCount * location.scheme.cellSize
        )
        for shard in 0..<location.scheme.dataCount where left > 0 {
            guard let cell = cells[shard] else { throw .digestMismatch(location.blob) }
            let part = cell.slice(0..<min(cell.count, left))
            do {
                try part.withBytes { bytes throws(FrameMismatch) in try verifier.update(bytes) }
            } catch {
                throw .digestMismatch(location.blob)
            }
            left -= part.count
        }
    }

    /// Makes a shard that is proved equal to the lost one durable, and reads it back.
    private func seal(_ target: Target) async -> Bool {
        guard ContentDigest(target.digest.finalize()) == trailer.shardDigests[target.shard] else {
            giveUp(target)
            return false
        }
        var own = trailer
        if target.shard > request.location.scheme.parityCount { own.identity = nil }
        do {
            switch target.place {
            case .failed, .inMemory(nil): return false
            case .inMemory(let cell?):
                try await store.nodes.write(
                    target.disk,
                    header: target.header,
                    trailer: own,
                    leafChecksums: target.leafChecksums,
                    body: [cell]
                )
            case .open(let handle):
                try await store.nodes.seal(
                    target.disk,
                    handle: handle,
                    trailer: own,
                    leafChecksums: target.leafChecksums
                )
            }
            if store.buggify.strikes(.repairReadsBad) { return false }
            return try await store.nodes.verify(target.disk, target.header.shard)
        } catch {
            giveUp(target)
            return false
        }
    }

    private func giveUp(_ target: Target) {
        if case .open(let handle) = target.place { store.giveUp([(target.disk, handle)]) }
    }
}
