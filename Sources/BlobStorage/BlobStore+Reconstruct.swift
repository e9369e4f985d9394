internal import ClusterProtocol
internal import ErasureCoding
internal import ObjectModel
internal import SystemInterface

extension BlobStore {
    /// Pieces of shards that cover a range, and which of those asked have bad leaves in it.
    private struct Gathered {
        var pieces: [Int: BufferSlice] = [:]
        var bad: Set<Int> = []

        /// Whether these shards can be had: by decoding, or because each of them is there.
        func suffices(for wanted: Set<Int>, _ needed: Int) -> Bool {
            pieces.count >= needed || wanted.isSubset(of: pieces.keys)
        }

        /// The same for single leaves, as far as one can know before they are read.
        func maySuffice(for wanted: Set<Int>, _ needed: Int) -> Bool {
            pieces.count + bad.count >= needed || wanted.isSubset(of: bad.union(pieces.keys))
        }
    }

    /// Computes a range of shards' bodies from any k others, all of them verified first (DESIGN §5).
    ///
    /// Shards are asked k at a time, the nearest first; those tried before, as the wanted ones are taken to be, last:
    /// one that is merely slow may still answer for itself. What does not answer in its disk's time is left for the
    /// next, and waited for only when nothing else is left. Where bad leaves leave fewer than k, each leaf is computed
    /// by itself: they seldom are the same ones.
    func reconstruct(_ what: Reconstruction) async throws(BlobError) -> [Int: BufferSlice] {
        let (location, range) = (what.location, what.range)
        let coder = try coder(for: location.scheme)
        let available = what.available
        let shards = Set(what.wanted.keys)
        let candidates =
            candidates(location, tried: what.tried ?? shards, excluding: Set(available.keys))
            + what.remains.filter { available[$0] == nil }
        let gathered = await gather(location, range: range, from: candidates, available: available)
        let needed = location.scheme.dataCount
        if gathered.suffices(for: shards, needed) {
            return try decode(
                location,
                coder: coder,
                available: gathered.pieces,
                wanted: shards,
                length: range.count
            )
        }
        let parts = Leaf.parts(of: range)
        guard parts.count > 1, gathered.maySuffice(for: shards, needed) else {
            throw .unreadable(location.blob, good: gathered.pieces.count, needed: needed)
        }
        return try await reconstruct(what, leafByLeaf: parts)
    }

    private func reconstruct(
        _ what: Reconstruction,
        leafByLeaf parts: [Range<Int>]
    ) async throws(BlobError) -> [Int: BufferSlice] {
        let range = what.range
        let outputs = what.wanted.mapValues { _ in pool.take(range.count) }
        for part in parts {
            guard let here = what.narrowed(to: part) else { continue }
            let cells = try await reconstruct(here)
            for (shard, cell) in cells {
                let offset = part.lowerBound - range.lowerBound
                cell.withBytes { outputs[shard]?.mutableBytes[offset..<offset + cell.count].copyBytes(from: $0) }
            }
        }
        return outputs.mapValues { $0.slice(0..<range.count) }
    }

    /// Asks the candidates for the range, in their order, until k pieces are there.
    private func gather(
        _ location: BlobLocation,
        range: Range<Int>,
        from candidates: [Int],
        available: [Int: BufferSlice]
    ) async -> Gathered {
        let needed = location.scheme.dataCount
        var gathered = Gathered(pieces: available)
        var candidates = candidates
        var silent: [Int] = []
        while gathered.pieces.count < needed, !(candidates.isEmpty && silent.isEmpty) {
            let isPatient = candidates.isEmpty
            if isPatient { swap(&candidates, &silent) }
            let asked = Array(candidates.prefix(needed - gathered.pieces.count))
            candidates.removeFirst(asked.count)
            let outcomes = await readEach(location, shards: asked, range: range, isPatient: isPatient)
            for (shard, outcome) in zip(asked, outcomes) {
                switch outcome {
                case .success(let piece): gathered.pieces[shard] = piece.bytes
                case .failure(.corrupt): gathered.bad.insert(shard)
                case .failure: break
                case nil: if !isPatient { silent.append(shard) }
                }
            }
        }
        return gathered
    }

    /// Shards to ask, best first: usable and not tried, then tried or on disks thought unusable; of each kind the
    /// nearest first. None of those noted as missing, though they may be there: a shard that its own checksums vouch
    /// for may have been found not to be what its siblings say of it (`remains(of:)`).
    func candidates(_ location: BlobLocation, tried: Set<Int>, excluding: Set<Int>) -> [Int] {
        var present = (0..<location.scheme.shardCount).filter {
            !excluding.contains($0) && !location.missing.contains(UInt8($0))
        }
        if let distances = view.distances(to: location.members) {
            present.sort { (distances[$0].rawValue, $0) < (distances[$1].rawValue, $1) }
        }
        let isGood = { (shard: Int) in !tried.contains(shard) && self.view.isUsable(location.members[shard]) }
        return present.filter(isGood) + present.filter { !isGood($0) }
    }

    /// nil for what has not answered in time.
    private func readEach(
        _ location: BlobLocation,
        shards: [Int],
        range: Range<Int>,
        isPatient: Bool
    ) async -> [Result<VerifiedRange, ShardFailure>?] {
        let fanOut = FanOut<VerifiedRange, ShardFailure>(count: shards.count, executor: executor)
        for (place, shard) in shards.enumerated() {
            fanOut.start(place) { [self] in
                await ShardFailure.result { () async throws(ShardFailure) in
                    try await readVerified(location, shard: shard, range: range)
                }
            }
        }
        let patience = shards.map { view.hedgeDelay(for: location.members[$0]) }.max() ?? .zero
        return await fanOut.wait(.atMost(isPatient ? NodeClient.timeout : patience), alarm: alarm)
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
