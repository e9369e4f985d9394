internal import ClusterProtocol
internal import DiskFormat
package import ObjectModel
internal import Placement
package import SystemInterface

/// Writes one blob of several stripes as its bytes come, with one stripe being filled while another is on its way.
///
/// One user at a time. Bytes are put into `stripe` by the caller, who calls `flush` when it is full; `finish` ends it.
package final class BlobWriter {
    package let blob: BlobID
    /// What the caller fills: k cells one after another. Changes with each `flush`.
    package private(set) var stripe: AlignedBuffer
    /// Data bytes of a full stripe.
    package let stripeCapacity: Int
    /// Bytes of the stripes flushed so far.
    package private(set) var flushedLength = 0

    private let store: BlobStore
    private let group: ClusterMap.Group
    private var encoder: StripeEncoder
    private var shards: [Shard]
    /// The stripe under way, with what becomes of the shards by it.
    private var inFlight: Task<[Shard], Never>?

    /// One shard as it is written.
    private enum Shard: Sendable {
        /// Its disk takes its cells for this handle.
        case open(handle: UInt64)
        /// Its disk is out of this blob.
        case failed(ShardFailure)

        /// After a call that gives, or leaves, it a handle; nil is one that was left behind.
        init(_ outcome: Result<UInt64, ShardFailure>?) {
            self =
                switch outcome {
                case .success(let handle): .open(handle: handle)
                case .failure(let failure): .failed(failure)
                case nil: .failed(.unknownOutcome)
                }
        }

        var handle: UInt64? { if case .open(let handle) = self { handle } else { nil } }
        var failure: ShardFailure? { if case .failed(let failure) = self { failure } else { nil } }
    }

    /// Reserves room for `capacity` bytes on the disks of a group of `scheme`. Throws when fewer than k+1 could do so.
    package init(_ store: BlobStore, blob: BlobID, scheme: Scheme, capacity: Int) async throws(BlobError) {
        let geometry = StripeGeometry(scheme: scheme, blobLength: capacity)
        let (group, usable) = try store.view.chooseGroup(
            scheme: scheme,
            shardLength: geometry.shardLength,
            at: store.time.monotonic
        )
        self.store = store
        self.blob = blob
        self.group = group
        stripeCapacity = scheme.dataCount * scheme.cellSize
        stripe = store.pool.take(scheme.shardCount * scheme.cellSize)
        let writeStamps = store.writeStamps(scheme.shardCount)
        encoder = StripeEncoder(coder: try store.coder(for: scheme), blob: blob, writeStamps: writeStamps)
        let outcomes = await Self.begin(
            store,
            blob: blob,
            group: group,
            usable: usable,
            stamps: writeStamps,
            bodyCapacity: geometry.shardLength
        )
        shards = outcomes.map { Shard($0) }
        try await requireQuorum()
    }

    private static func begin(
        _ store: BlobStore,
        blob: BlobID,
        group: ClusterMap.Group,
        usable: Set<DiskID>,
        stamps: [UInt64],
        bodyCapacity: Int
    ) async -> [Result<UInt64, ShardFailure>?] {
        let nodes = store.nodes
        let fanOut = FanOut<UInt64, ShardFailure>(count: group.members.count, executor: store.executor) {
            index,
            outcome in
            store.view.noteEnded(group.members[index])
            // A handle that comes too late is given back at once.
            guard case .success(let handle) = outcome else { return }
            store.giveUp([(group.members[index], handle)])
        }
        for (index, disk) in group.members.enumerated() {
            guard usable.contains(disk) else {
                fanOut.settle(index, .failure(.diskUnusable("not usable when the blob was placed")))
                continue
            }
            let shard = ShardID(blob: blob, index: UInt8(index))
            let header = group.header(of: shard, writeStamp: stamps[index], bodyCapacity: bodyCapacity)
            fanOut.start(index) {
                await ShardFailure.result { () async throws(ShardFailure) in
                    try await nodes.begin(disk, header: header)
                }
            }
        }
        return await store.waitForQuorum(fanOut, group)
    }

    /// Codes the full stripe and sends its cells; returns when the stripe before it has been taken by its disks.
    package func flush() async throws(BlobError) {
        try await send(cellSize: group.scheme.cellSize)
        flushedLength += stripeCapacity
    }

    /// Ends the blob: `rest` bytes of `stripe` are its last, shorter stripe. Returns once a quorum is durable.
    package func finish(rest: Int, description: BlobDescription) async throws(BlobError) -> BlobReceipt {
        precondition(rest < stripeCapacity, "a full stripe is flushed")
        let length = flushedLength + rest
        if rest > 0 {
            let geometry = StripeGeometry(scheme: group.scheme, blobLength: length)
            store.zero(stripe, from: rest, to: geometry.lastCellSize * group.scheme.dataCount)
            try await send(cellSize: geometry.lastCellSize)
        }
        await settleFlight()
        try await requireQuorum()
        return try await seal(length: length, description: description)
    }

    private func seal(length: Int, description: BlobDescription) async throws(BlobError) -> BlobReceipt {
        let digests = encoder.shardDigests()
        let checksums = encoder.leafChecksums
        let fanOut = FanOut<Void, ShardFailure>(count: shards.count, executor: store.executor) {
            [view = store.view, members = group.members] index, _ in
            view.noteEnded(members[index])
        }
        for (index, disk) in group.members.enumerated() {
            let handle: UInt64
            switch shards[index] {
            case .open(let open): handle = open
            case .failed(let failure):
                fanOut.settle(index, .failure(failure))
                continue
            }
            let trailer = description.trailer(
                blobLength: length,
                shardDigests: digests,
                shard: index,
                scheme: group.scheme
            )
            fanOut.start(index) { [nodes = store.nodes] in
                await ShardFailure.result { () async throws(ShardFailure) in
                    try await nodes.seal(disk, handle: handle, trailer: trailer, leafChecksums: checksums[index])
                }
            }
        }
        let outcomes = await store.waitForQuorum(fanOut, group)
        // The node may not have heard of it. Where it has, the handle is none any more.
        store.giveUp(Self.failed(outcomes, shards, group))
        return try await store.receipt(blob, group: group, outcomes: outcomes)
    }

    /// Gives up: what was reserved and written is freed on every disk that can be reached, also when the caller has
    /// been cancelled.
    package func abort() async {
        await settleFlight()
        let open = zip(group.members, shards).compactMap { disk, shard in shard.handle.map { (disk, $0) } }
        for call in store.giveUp(open) { await call.value }
    }

    /// The writers of calls that have failed; one that is still under way is not among them.
    private static func failed<Value>(
        _ outcomes: [Result<Value, ShardFailure>?],
        _ shards: [Shard],
        _ group: ClusterMap.Group
    ) -> [(disk: DiskID, handle: UInt64)] {
        outcomes.indices.compactMap { index in
            guard case .failure? = outcomes[index], let handle = shards[index].handle else { return nil }
            return (group.members[index], handle)
        }
    }

    // MARK: One stripe on its way

    private func send(cellSize: Int) async throws(BlobError) {
        await settleFlight()
        try await requireQuorum()
        let cells = encoder.encode(stripe, cellSize: cellSize)
        let offset = encoder.shardLength - cellSize
        let (store, group, shards) = (store, group, shards)
        inFlight = Task {
            await BlobWriter.append(store, group: group, shards: shards, offset: offset, cells: cells)
        }
        stripe = store.pool.take(stripe.capacity)
    }

    /// Waits for the stripe under way: so at most two stripes of an upload are in memory.
    private func settleFlight() async {
        guard let shards = await inFlight?.value else { return }
        inFlight = nil
        self.shards = shards
    }

    private static func append(
        _ store: BlobStore,
        group: ClusterMap.Group,
        shards: [Shard],
        offset: Int,
        cells: [BufferSlice]
    ) async -> [Shard] {
        let fanOut = FanOut<Void, ShardFailure>(count: shards.count, executor: store.executor) { index, _ in
            store.view.noteEnded(group.members[index])
            // Left behind, its disk is out of this blob: nobody will seal what it has taken.
            if let handle = shards[index].handle { store.giveUp([(group.members[index], handle)]) }
        }
        for (index, shard) in shards.enumerated() {
            guard let handle = shard.handle else {
                // Counts for nothing: a disk that is out must not let the next one be left behind.
                fanOut.settle(index, .failure(.unknownOutcome))
                continue
            }
            fanOut.start(index) { [nodes = store.nodes] in
                await ShardFailure.result { () async throws(ShardFailure) in
                    try await nodes.append(
                        group.members[index],
                        handle: handle,
                        offset: offset,
                        cells: [cells[index]]
                    )
                }
            }
        }
        // A straggler keeps the stripe's memory alive by its reference; its disk is out of this blob from here on. None
        // is left behind that the write quorum needs.
        let outcomes = await store.waitForQuorum(fanOut, group)
        store.giveUp(Self.failed(outcomes, shards, group))
        return zip(shards, outcomes).map { shard, outcome in
            guard let handle = shard.handle else { return shard }
            return Shard(outcome?.map { _ in handle })
        }
    }

    /// Throws when too few shards can still be stored; what the others hold is then freed.
    private func requireQuorum() async throws(BlobError) {
        let alive = shards.count { $0.handle != nil }
        guard alive < group.scheme.degradedQuorum else { return }
        await abort()
        let failures = shards.compactMap(\.failure)
        if failures.contains(.leaseEnded) { throw .leaseEnded }
        if failures.contains(.full) { throw .full }
        throw .tooFewDisks(
            "\(alive) of \(shards.count) shards can be stored, a write needs \(group.scheme.degradedQuorum)"
        )
    }
}
