internal import ClusterProtocol
internal import ObjectModel
package import SystemInterface

extension BlobStore {
    /// The stored bytes of `range`, in order, verified; the pieces lie within one cell each.
    ///
    /// `range` must lie within the blob and in one stripe (`stripeRange(containing:)`). Asks the shards that hold the
    /// bytes, or k others where fewer bytes come from other sites then; whatever is lost, bad or slower than its disk's
    /// hedge delay is reconstructed from what is left.
    package func read(_ location: BlobLocation, range: Range<Int>) async throws(BlobError) -> [BufferSlice] {
        let runs = location.geometry.runs(of: range)
        guard let first = runs.first else { return [] }
        if runs.contains(where: { location.missing.contains(UInt8($0.shard)) }) { reportDegraded(location.blob) }
        if let sources = nearSources(location, runs: runs) {
            return try await readDecoding(location, runs: runs, from: sources)
        }
        if runs.count == 1, !location.missing.contains(UInt8(first.shard)) {
            return [try await readOne(location, run: first)]
        }
        let direct = await readDirect(location, runs: runs)
        return try await complete(location, runs: runs, direct: direct)
    }

    /// The part of the blob in the stripe that holds `offset`.
    package func stripeRange(_ location: BlobLocation, containing offset: Int) -> Range<Int> {
        let size = location.scheme.dataCount * location.scheme.cellSize
        let start = offset / size * size
        return start..<min(start + size, location.geometry.blobLength)
    }

    /// One run: no task is made while its disk answers in time.
    private func readOne(_ location: BlobLocation, run: StripeGeometry.Run) async throws(BlobError) -> BufferSlice {
        let outcomes = await readDirect(location, runs: [run])
        return try await complete(location, runs: [run], direct: outcomes)[0]
    }

    /// Reads each run from the shard that holds it; nil for what failed or is too slow.
    private func readDirect(
        _ location: BlobLocation,
        runs: [StripeGeometry.Run]
    ) async -> [VerifiedRange?] {
        await readInTime(location, pieces: runs.map { (shard: $0.shard, range: $0.shardRange) })
    }

    /// Reads ranges of shards; nil for what failed or is slower than its disk's hedge delay.
    private func readInTime(
        _ location: BlobLocation,
        pieces: [(shard: Int, range: Range<Int>)]
    ) async -> [VerifiedRange?] {
        let fanOut = FanOut<VerifiedRange, ShardFailure>(count: pieces.count, executor: executor)
        var hedge = Duration.zero
        for (place, piece) in pieces.enumerated() {
            let disk = location.members[piece.shard]
            guard !location.missing.contains(UInt8(piece.shard)), view.isUsable(disk) else {
                fanOut.settle(place, .failure(.notFound))
                continue
            }
            hedge = max(hedge, view.hedgeDelay(for: disk))
            fanOut.start(place) { [self] in
                await ShardFailure.result { () async throws(ShardFailure) in
                    try await readVerified(location, shard: piece.shard, range: piece.range)
                }
            }
        }
        if buggify.strikes(.hedgeAtOnce) { hedge = .zero }
        let outcomes = await fanOut.wait(.atMost(hedge), alarm: alarm)
        return outcomes.map { try? $0?.get() }
    }

    /// Fills what direct reads did not bring by reconstructing it.
    private func complete(
        _ location: BlobLocation,
        runs: [StripeGeometry.Run],
        direct: [VerifiedRange?]
    ) async throws(BlobError) -> [BufferSlice] {
        let lost = runs.indices.filter { direct[$0] == nil }
        guard !lost.isEmpty else { return direct.compactMap { $0?.bytes } }
        let found = try await decode(
            location,
            runs: lost.map { runs[$0] },
            given: direct.compactMap { $0 },
            tried: nil
        )
        var rest = found[...]
        return direct.compactMap { $0?.bytes ?? rest.popFirst() }
    }

    /// The runs, which lie in one stripe, by way of other shards. When those are too few, also by way of what is left
    /// of shards that are noted as missing: it may be all but the leaf for which they are.
    private func decode(
        _ location: BlobLocation,
        runs: [StripeGeometry.Run],
        given: [VerifiedRange],
        tried: Set<Int>?
    ) async throws(BlobError) -> [BufferSlice] {
        let hull = StripeGeometry.hull(runs)
        let wanted = Dictionary(runs.map { ($0.shard, $0.shardRange) }) { first, _ in first }
        func reconstruct(by remains: [Int]) async throws(BlobError) -> [Int: BufferSlice] {
            try await self.reconstruct(
                Reconstruction(
                    location: location,
                    range: hull,
                    wanted: wanted,
                    given: given,
                    tried: tried,
                    remains: remains
                )
            )
        }
        let cells: [Int: BufferSlice]
        do throws(BlobError) {
            cells = try await reconstruct(by: [])
        } catch {
            guard case .unreadable = error else { throw error }
            let remains = await remains(of: location)
            guard !remains.isEmpty else { throw error }
            cells = try await reconstruct(by: remains)
        }
        return try runs.map { run throws(BlobError) in try Self.part(run, of: cells, hull: hull, location) }
    }

    private static func part(
        _ run: StripeGeometry.Run,
        of cells: [Int: BufferSlice],
        hull: Range<Int>,
        _ location: BlobLocation
    ) throws(BlobError) -> BufferSlice {
        guard let cell = cells[run.shard] else { throw .digestMismatch(location.blob) }
        return cell.slice(run.shardRange.lowerBound - hull.lowerBound..<run.shardRange.upperBound - hull.lowerBound)
    }

    // MARK: Near reads

    /// The shards to decode the runs from, where that spares bytes from other sites.
    private func nearSources(_ location: BlobLocation, runs: [StripeGeometry.Run]) -> [Int]? {
        guard let distances = view.distances(to: location.members) else { return nil }
        let present = location.members.indices.filter {
            !location.missing.contains(UInt8($0)) && view.isUsable(location.members[$0])
        }
        return ReadChoice(location: location, distances: distances, present: Set(present)).sources(for: runs)
    }

    /// The runs by way of k near shards; one that fails or is too slow is left out for another.
    private func readDecoding(
        _ location: BlobLocation,
        runs: [StripeGeometry.Run],
        from sources: [Int]
    ) async throws(BlobError) -> [BufferSlice] {
        let hull = StripeGeometry.hull(runs)
        let pieces = await readInTime(location, pieces: sources.map { (shard: $0, range: hull) }).compactMap { $0 }
        return try await decode(location, runs: runs, given: pieces, tried: Set(sources))
    }
}

extension BlobStore {
    /// The same for a range that may cross stripes, read one stripe after another; for what is at most a few stripes.
    package func readAcrossStripes(
        _ location: BlobLocation,
        range: Range<Int>
    ) async throws(BlobError) -> [BufferSlice] {
        var result: [BufferSlice] = []
        var position = range.lowerBound
        while position < range.upperBound {
            let end = min(stripeRange(location, containing: position).upperBound, range.upperBound)
            result += try await read(location, range: position..<end)
            position = end
        }
        return result
    }
}
