internal import ClusterProtocol
internal import DiskFormat
package import ObjectModel
internal import Placement
package import SystemInterface

extension BlobStore {
    /// Memory for a blob of at most one stripe of a scheme: the blob's bytes go to its beginning, and the
    /// cells of parity are computed behind them.
    package func stripeBuffer(for scheme: Scheme, blobLength: Int) -> AlignedBuffer {
        let cell = StripeGeometry(scheme: scheme, blobLength: blobLength).shardLength
        return pool.take(cell * scheme.shardCount)
    }

    /// Writes a blob of at most one stripe, all its shards in one call per disk, and returns once a quorum is durable.
    ///
    /// `stripe` (from `stripeBuffer`) holds the blob's `length` bytes; the rest of it is overwritten. On an error what
    /// was written is erased as far as it can be reached, and what is not is an orphan once the lease ends. A rewrite,
    /// of bytes whose old place is given up for it, goes on where disks are too full for anything new.
    package func write(
        _ blob: BlobID,
        scheme: Scheme,
        stripe: AlignedBuffer,
        length: Int,
        description: BlobDescription,
        isRewrite: Bool = false
    ) async throws(BlobError) -> BlobReceipt {
        let geometry = StripeGeometry(scheme: scheme, blobLength: length)
        precondition(geometry.stripeCount <= 1 && geometry.shardLength * scheme.shardCount <= stripe.capacity)
        let (group, usable) = try view.chooseGroup(
            scheme: scheme,
            shardLength: geometry.shardLength,
            isRewrite: isRewrite,
            at: time.monotonic
        )
        let stamps = writeStamps(scheme.shardCount)
        var encoder = StripeEncoder(coder: try coder(for: scheme), blob: blob, writeStamps: stamps)
        zero(stripe, from: length, to: geometry.shardLength * scheme.dataCount)
        let shards = WholeShards(
            blob: blob,
            length: length,
            description: description,
            group: group,
            writeStamps: stamps,
            cells: encoder.encode(stripe, cellSize: geometry.shardLength),
            digests: encoder.shardDigests(),
            leafChecksums: encoder.leafChecksums
        )
        let outcomes = await send(shards, to: usable, isRewrite: isRewrite)
        return try await receipt(blob, group: group, outcomes: outcomes)
    }

    /// Sends each shard to its disk, in one call, if that disk is usable; waits as a write must.
    private func send(
        _ shards: WholeShards,
        to usable: Set<DiskID>,
        isRewrite: Bool
    ) async -> [Result<Void, ShardFailure>?] {
        let group = shards.group
        let fanOut = FanOut<Void, ShardFailure>(count: shards.cells.count, executor: executor) { [view] index, _ in
            view.noteEnded(group.members[index])
        }
        for (index, disk) in group.members.enumerated() {
            guard usable.contains(disk) else {
                fanOut.settle(index, .failure(.diskUnusable("not usable when the blob was placed")))
                continue
            }
            let (header, trailer) = (shards.header(index), shards.trailer(index))
            fanOut.start(index) { [nodes, cell = shards.cells[index], checksums = shards.leafChecksums[index]] in
                await ShardFailure.result { () async throws(ShardFailure) in
                    try await nodes.write(
                        disk,
                        header: header,
                        trailer: trailer,
                        leafChecksums: checksums,
                        body: [cell],
                        isRewrite: isRewrite
                    )
                }
            }
        }
        return await waitForQuorum(fanOut, group)
    }

    /// Waits as a write of the group must. Calls that are left behind must be told to `ClusterView.noteEnded` when they
    /// end.
    func waitForQuorum<Value>(
        _ fanOut: FanOut<Value, ShardFailure>,
        _ group: ClusterMap.Group
    ) async -> [Result<Value, ShardFailure>?] {
        let quorum = view.quorum(of: group)
        let isKnown = view.wasSlow(group.members, at: time.monotonic)
        let grace = isKnown ? Self.knownStragglerGrace : Self.stragglerGrace
        let patience = FanOutPatience(
            needed: quorum,
            lesser: quorum.withoutSpare,
            grace: buggify.strikes(.stragglersAwaited) ? NodeClient.timeout : grace,
            // A disk that is known to be slow is no reason to settle for less any sooner.
            lesserGrace: isKnown ? Self.stragglerGrace * 2 - grace : nil,
            notice: isKnown ? nil : (after: Self.slowWrite, call: { self.isWorthWaiting(for: $0, of: group) })
        )
        let outcomes = await fanOut.wait(patience, alarm: alarm)
        for (index, outcome) in outcomes.enumerated() where outcome == nil {
            view.noteOverdue(group.members[index], at: time.monotonic)
        }
        return buggify.strikes(.answerLost) ? losingAnAnswer(outcomes, quorum, fanOut, group) : outcomes
    }

    /// A write waits for these places alone: their disks are slow. Whether it is the first that finds them so.
    private func isWorthWaiting(for places: [Int], of group: ClusterMap.Group) -> Bool {
        !view.noteSlow(places.map { group.members[$0] }, at: alarm.now)
    }

    /// One success less, if the quorum holds without it: as if its answer came only now. So what the call left on its
    /// disk is given up, as it is then.
    private func losingAnAnswer<Value>(
        _ outcomes: [Result<Value, ShardFailure>?],
        _ quorum: Quorum,
        _ fanOut: FanOut<Value, ShardFailure>,
        _ group: ClusterMap.Group
    ) -> [Result<Value, ShardFailure>?] {
        for index in outcomes.indices {
            guard let outcome = outcomes[index], outcome.isSuccess else { continue }
            var fewer = outcomes
            fewer[index] = nil
            guard quorum.isMet({ fewer[$0]?.isSuccess ?? false }, of: fewer.count) else { continue }
            view.noteOverdue(group.members[index], at: time.monotonic)
            fanOut.settleLate(index, outcome)
            return fewer
        }
        return outcomes
    }

    /// Judges a write by its outcomes: full, degraded, or failed and undone.
    func receipt(
        _ blob: BlobID,
        group: ClusterMap.Group,
        outcomes: [Result<Void, ShardFailure>?]
    ) async throws(BlobError) -> BlobReceipt {
        let missing = outcomes.indices.filter { !(outcomes[$0]?.isSuccess ?? false) }
        let durable = outcomes.count - missing.count
        guard durable >= group.scheme.degradedQuorum else {
            await erase(blob, members: group.members)
            let hasNoLease = outcomes.contains { if case .failure(.leaseEnded) = $0 { true } else { false } }
            if hasNoLease { throw .leaseEnded }
            let isFull = outcomes.contains { if case .failure(.full) = $0 { true } else { false } }
            if isFull { throw .full }
            throw .tooFewDisks(
                "\(durable) of \(outcomes.count) shards could be stored, a write needs \(group.scheme.degradedQuorum)"
            )
        }
        return BlobReceipt(
            group: group.id,
            groupEpoch: group.epoch,
            missing: missing.map { UInt8($0) },
            isDegraded: !view.quorum(of: group).isMet({ outcomes[$0]?.isSuccess ?? false }, of: outcomes.count)
        )
    }

    /// Erases the shards of a blob that was never committed, or that nothing names any more, on every disk that can be
    /// reached. True when all of them answered.
    @discardableResult
    package func erase(_ blob: BlobID, members: [DiskID]) async -> Bool {
        let fanOut = FanOut<Void, ShardFailure>(count: members.count, executor: executor)
        for (index, disk) in members.enumerated() {
            let shard = ShardID(blob: blob, index: UInt8(index))
            fanOut.start(index) { [nodes] in
                await ShardFailure.result { () async throws(ShardFailure) in try await nodes.erase(disk, [shard]) }
            }
        }
        let outcomes = await fanOut.wait(.atMost(NodeClient.timeout), alarm: alarm)
        return outcomes.allSatisfy { $0?.isSuccess ?? false }
    }

    /// Erases what was written of a blob that will not be committed, or was refused; what cannot be reached is an
    /// orphan of its write lease.
    package func eraseUncommitted(_ blob: BlobID, of group: GroupID) async {
        guard let group = view.group(group) else { return }
        await erase(blob, members: group.members)
    }

    /// Gives writers up whose shards will not be sealed, so that their disks free the room. The calls are tasks of
    /// their own: whoever gives up may have been cancelled, and need not wait. A node that does not hear of it gives
    /// the writer up by itself after an hour.
    @discardableResult
    func giveUp(_ writers: [(disk: DiskID, handle: UInt64)]) -> [Task<Void, Never>] {
        writers.map { disk, handle in Task { [nodes] in try? await nodes.abort(disk, handle: handle) } }
    }

    func zero(_ buffer: AlignedBuffer, from start: Int, to end: Int) {
        guard start < end else { return }
        (buffer.pointer + start).initializeMemory(as: UInt8.self, repeating: 0, count: end - start)
    }
}

/// All shards of a blob of one stripe at most, as the disks of its group get them.
private struct WholeShards {
    let blob: BlobID
    let length: Int
    let description: BlobDescription
    let group: ClusterMap.Group
    let writeStamps: [UInt64]
    /// The body of each.
    let cells: [BufferSlice]
    let digests: [ContentDigest]
    let leafChecksums: [[UInt32]]

    func header(_ index: Int) -> ShardHeader {
        group.header(
            of: ShardID(blob: blob, index: UInt8(index)),
            writeStamp: writeStamps[index],
            bodyCapacity: cells[index].count
        )
    }

    func trailer(_ index: Int) -> ShardTrailer {
        description.trailer(blobLength: length, shardDigests: digests, shard: index, scheme: group.scheme)
    }
}

extension ShardFailure {
    /// A throwing call as a result.
    static func result<Value>(_ call: () async throws(ShardFailure) -> Value) async -> Result<Value, ShardFailure> {
        do {
            return .success(try await call())
        } catch {
            return .failure(error)
        }
    }
}

extension Result {
    var isSuccess: Bool { if case .success = self { true } else { false } }
}

extension ClusterMap.Group {
    /// The header of a new shard on the disk of its place.
    func header(of shard: ShardID, writeStamp: UInt64, bodyCapacity: Int) -> ShardHeader {
        ShardHeader(
            shard: shard,
            group: id,
            groupEpoch: epoch,
            scheme: scheme,
            writeStamp: writeStamp,
            bodyCapacity: bodyCapacity
        )
    }
}
