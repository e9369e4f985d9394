internal import ClusterProtocol
package import ObjectModel
package import SystemInterface

extension BlobStore {
    /// The stored bytes of `range`, in order, verified; the pieces lie within one cell each.
    ///
    /// `range` must lie within the blob and in one stripe (`stripeRange(containing:)`). Asks the shards that hold the
    /// bytes; whatever is lost, bad or slower than its disk's hedge delay is reconstructed from the others.
    package func read(_ location: BlobLocation, range: Range<Int>) async throws(BlobError) -> [BufferSlice] {
        let runs = location.geometry.runs(of: range)
        guard let first = runs.first else { return [] }
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
        let fanOut = FanOut<VerifiedRange, ShardFailure>(count: runs.count, executor: executor)
        var hedge = Duration.zero
        for (place, run) in runs.enumerated() {
            let disk = location.members[run.shard]
            guard !location.missing.contains(UInt8(run.shard)), view.isUsable(disk) else {
                fanOut.settle(place, .failure(.notFound))
                continue
            }
            hedge = max(hedge, view.hedgeDelay(for: disk))
            fanOut.start(place) { [self] in
                await ShardFailure.result { () async throws(ShardFailure) in
                    try await readVerified(location, shard: run.shard, range: run.shardRange)
                }
            }
        }
        if buggify.strikes(.hedgeAtOnce) { hedge = .zero }
        let outcomes = await fanOut.wait(needed: Quorum(count: 0), grace: hedge, alarm: alarm)
        return outcomes.map { try? $0?.get() }
    }

    /// Fills what direct reads did not bring by reconstructing it.
    private func complete(
        _ location: BlobLocation,
        runs: [StripeGeometry.Run],
        direct: [VerifiedRange?]
    ) async throws(BlobError) -> [BufferSlice] {
        let lost = runs.indices.filter { direct[$0] == nil }
        guard !lost.isEmpty, let stripe = runs.first?.stripe else { return direct.compactMap { $0?.bytes } }
        let wanted = lost.map { runs[$0] }
        let hull = (wanted.map(\.shardRange.lowerBound).min() ?? 0)..<(wanted.map(\.shardRange.upperBound).max() ?? 0)
        let given = direct.compactMap { $0 }
        let cells = try await reconstruct(
            location,
            stripe: stripe,
            range: hull,
            wanted: Set(wanted.map(\.shard)),
            given: given
        )
        return try runs.indices.map { place throws(BlobError) in
            if let bytes = direct[place]?.bytes { return bytes }
            let run = runs[place]
            guard let cell = cells[run.shard] else { throw BlobError.digestMismatch(location.blob) }
            return cell.slice(run.shardRange.lowerBound - hull.lowerBound..<run.shardRange.upperBound - hull.lowerBound)
        }
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
