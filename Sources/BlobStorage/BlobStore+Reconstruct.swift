internal import ClusterProtocol
internal import ErasureCoding
internal import ObjectModel
internal import SystemInterface

extension BlobStore {
    /// Computes a range of shards' bodies from any k others, all of them verified first (DESIGN §5).
    ///
    /// `range` lies within one stripe. `given` are pieces read already; those that cover the range are used again.
    /// Shards are asked k at a time, the nearest first; those tried before, as the wanted ones are taken to be, last:
    /// one that is merely slow may still answer for itself.
    func reconstruct(
        _ location: BlobLocation,
        stripe: Int,
        range: Range<Int>,
        wanted: Set<Int>,
        given: [VerifiedRange] = [],
        tried: Set<Int>? = nil
    ) async throws(BlobError) -> [Int: BufferSlice] {
        let coder = try coder(for: location.scheme)
        var available: [Int: BufferSlice] = [:]
        for piece in given
        where piece.range.lowerBound <= range.lowerBound && piece.range.upperBound >= range.upperBound {
            let start = range.lowerBound - piece.range.lowerBound
            available[piece.shard] = piece.bytes.slice(start..<start + range.count)
        }
        let needed = location.scheme.dataCount
        var candidates = candidates(location, tried: tried ?? wanted, excluding: Set(available.keys))
        while available.count < needed, !candidates.isEmpty {
            let asked = Array(candidates.prefix(needed - available.count))
            candidates.removeFirst(asked.count)
            for piece in await readEach(location, shards: asked, range: range) {
                available[piece.shard] = piece.bytes
            }
        }
        guard available.count >= needed else {
            throw .unreadable(location.blob, good: available.count, needed: needed)
        }
        return try decode(location, coder: coder, available: available, wanted: wanted, length: range.count)
    }

    /// Shards to ask, best first: usable and not tried, then tried or on disks thought unusable; of each kind the nearest
    /// first. Last of all those noted as missing: one that was written too late to count, or lies on a disk that was
    /// given up and is back, may be all that is left of an image.
    private func candidates(_ location: BlobLocation, tried: Set<Int>, excluding: Set<Int>) -> [Int] {
        var present = (0..<location.scheme.shardCount).filter { !excluding.contains($0) }
        if let distances = view.distances(to: location.members) {
            present.sort { (distances[$0].rawValue, $0) < (distances[$1].rawValue, $1) }
        }
        let isNoted = { (shard: Int) in location.missing.contains(UInt8(shard)) }
        let isGood = { (shard: Int) in
            !isNoted(shard) && !tried.contains(shard) && self.view.isUsable(location.members[shard])
        }
        return present.filter(isGood) + present.filter { !isGood($0) && !isNoted($0) } + present.filter(isNoted)
    }

    private func readEach(_ location: BlobLocation, shards: [Int], range: Range<Int>) async -> [VerifiedRange] {
        let fanOut = FanOut<VerifiedRange, ShardFailure>(count: shards.count, executor: executor)
        for (place, shard) in shards.enumerated() {
            fanOut.start(place) { [self] in
                await ShardFailure.result { () async throws(ShardFailure) in
                    try await readVerified(location, shard: shard, range: range)
                }
            }
        }
        let outcomes = await fanOut.wait(needed: Quorum(count: shards.count), grace: NodeClient.timeout, alarm: alarm)
        return outcomes.compactMap { try? $0?.get() }
    }

    private func decode(
        _ location: BlobLocation,
        coder: ErasureCoder,
        available: [Int: BufferSlice],
        wanted: Set<Int>,
        length: Int
    ) throws(BlobError) -> [Int: BufferSlice] {
        var result = available.filter { wanted.contains($0.key) }
        let lost = wanted.subtracting(result.keys).sorted()
        guard !lost.isEmpty else { return result }
        let sources = available.sorted { $0.key < $1.key }.prefix(location.scheme.dataCount)
        let outputs = lost.map { (index: $0, buffer: pool.take(length)) }
        do {
            try coder.reconstruct(
                available: sources.map { (index: $0.key, bytes: $0.value.bytes) },
                wanted: outputs.map { output in
                    (
                        index: output.index,
                        bytes: UnsafeMutableRawBufferPointer(start: output.buffer.pointer, count: length)
                    )
                }
            )
        } catch {
            throw .unsupportedScheme("\(location.scheme): \(error)")
        }
        // The sources' memory is alive until here: the pointers above do not keep it.
        withExtendedLifetime(available) {}
        for output in outputs { result[output.index] = output.buffer.slice(0..<length) }
        return result
    }
}
