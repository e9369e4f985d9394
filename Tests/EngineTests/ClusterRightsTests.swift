import ClusterProtocol
import Coordination
import DiskFormat
import Metadata
import ObjectInterface
import ObjectModel
import ObjectStorage
import ShardStorage
import StorageNode
import Synchronization
import SystemInterface
import TestKit
import Testing

/// What one node of a cluster may do on another, and what only the coordinator may.
@Suite("What a node may do on another")
struct ClusterRightsTests {
    private static let own = ClusterCaller.node(NodeName("node-1"))
    private static let other = ClusterCaller.node(NodeName("node-2"))

    private static func header(_ lease: WriteLease, _ sequence: UInt64) throws -> ShardHeader {
        ShardHeader(
            shard: ShardID(
                blob: BlobID(incarnation: lease.incarnation, lease: lease.number, sequence: sequence),
                index: 0
            ),
            group: GroupID(0),
            groupEpoch: 1,
            scheme: try #require(Scheme(name: "rs-2-1")),
            writeStamp: 5,
            bodyCapacity: 1 << 20
        )
    }

    private static let trailer = ShardTrailer(
        blobLength: 0,
        shardDigests: (0..<3).map { _ in ContentDigest(high: 0, low: 0) },
        ingestDigest: ContentDigest(high: 0, low: 0),
        frames: .uniform,
        dataKeys: [],
        identity: nil
    )

    private static func isRefused(_ response: ShardResponse) -> Bool {
        switch response {
        case .failure(.invalid), .failure(.leaseEnded): true
        default: false
        }
    }

    private static func isDone(_ response: ShardResponse) -> Bool {
        if case .done = response { true } else { false }
    }

    private static func handle(_ response: ShardResponse) -> UInt64? {
        if case .handle(let handle) = response { handle } else { nil }
    }

    /// The shards on a node's disk.
    private static func shards(_ cluster: ClusterHarness, _ node: Int) -> [ShardID] {
        cluster.nodes[node].agent.service.disks.flatMap { $0.shards.inventory(after: nil, limit: 99).map(\.shard) }
    }

    @Test("gateways write, read, replace and delete, small objects and large ones")
    func work() async throws {
        let cluster = try await ClusterHarness()
        for (number, length) in [(0, 3_000), (1, 6 << 20), (2, 0)] {
            let bytes = Content.random(length)
            for node in 0..<3 {
                let key = "\(number)"
                #expect(try await cluster.put(key, bytes, at: node).isDegraded == false)
                #expect(try await cluster.get(key, at: (node + 1) % 3) == bytes)
            }
        }
        let request = DeleteRequest(bucket: ClusterHarness.bucket, key: "0")
        #expect(try await cluster.nodes[1].objects.delete(request).existed)
        #expect(cluster.nodes.allSatisfy { $0.told.refusals.withLock { $0.isEmpty } })
        // Each gateway wrote under a lease of its own.
        let holders = try await cluster.store.metadata.activeLeases().map(\.holder.name)
        #expect(holders.sorted() == ["node-1", "node-2", "node-3"])
        await cluster.close()
    }

    @Test("a node erases what it wrote under a lease that lasts; another node does not, nor it after the end")
    func erase() async throws {
        let cluster = try await ClusterHarness()
        for key in ["a", "b"] { _ = try await cluster.put(key, Content.random(2_000), at: 0) }
        let shards = Self.shards(cluster, 2)
        #expect(shards.count == 2)
        let disk = try cluster.disk(2)
        #expect(Self.isRefused(try await cluster.ask(2, .erase(disk, shards), as: Self.other)))
        #expect(Self.isRefused(try await cluster.ask(2, .erase(disk, shards), as: .node(NodeName("node-3")))))
        #expect(Self.shards(cluster, 2) == shards)
        #expect(cluster.nodes[2].told.refusals.withLock { $0 } == ["node-2", "node-3"])
        #expect(Self.isDone(try await cluster.ask(2, .erase(disk, [shards[0]]), as: Self.own)))
        #expect(Self.shards(cluster, 2) == [shards[1]])
        // A list in which one is another's is refused as a whole.
        let strange = ShardID(blob: BlobID(incarnation: 1, lease: 99, sequence: 1), index: 0)
        #expect(Self.isRefused(try await cluster.ask(2, .erase(disk, [shards[1], strange]), as: Self.own)))
        try await cluster.store.metadata.endLease(shards[1].blob.writeLease)
        await cluster.nodes[2].feed.beat()
        #expect(Self.isRefused(try await cluster.ask(2, .erase(disk, [shards[1]]), as: Self.own)))
        #expect(Self.shards(cluster, 2) == [shards[1]])
        #expect(Self.isDone(try await cluster.ask(2, .erase(disk, [shards[1]]), as: .coordinator)))
        #expect(Self.shards(cluster, 2).isEmpty)
        await cluster.close()
    }

    @Test("nobody writes under another node's lease, one that was never granted, or one that has ended")
    func write() async throws {
        let cluster = try await ClusterHarness()
        let disk = try cluster.disk(2)
        // The node that answers has not heard of it yet: it asks.
        let lease = try await cluster.store.metadata.grantLease(holder: NodeName("node-1"))
        let begin = ShardRequest.begin(disk, try Self.header(lease, 1))
        let write = ShardRequest.write(disk, try Self.header(lease, 2), Self.trailer, leafChecksums: [])
        #expect(Self.isRefused(try await cluster.ask(2, begin, as: Self.other)))
        #expect(Self.isRefused(try await cluster.ask(2, write, as: Self.other)))
        #expect(Self.handle(try await cluster.ask(2, begin, as: Self.own)) != nil)
        #expect(Self.isDone(try await cluster.ask(2, write, as: Self.own)))
        let later = WriteLease(incarnation: lease.incarnation, number: lease.number + 1)
        let early = ShardRequest.begin(disk, try Self.header(later, 1))
        #expect(Self.isRefused(try await cluster.ask(2, early, as: Self.own)))
        try await cluster.store.metadata.endLease(lease)
        await cluster.nodes[2].feed.beat()
        #expect(Self.isRefused(try await cluster.ask(2, begin, as: Self.own)))
        #expect(Self.isRefused(try await cluster.ask(2, write, as: Self.own)))
        // Repair needs no lease.
        #expect(Self.handle(try await cluster.ask(2, begin, as: .coordinator)) != nil)
        await cluster.close()
    }

    @Test("a gateway whose lease has ended is told so, and goes on under a new one")
    func ended() async throws {
        let cluster = try await ClusterHarness()
        let (small, large) = (Content.random(2_000), Content.random(6 << 20))
        _ = try await cluster.put("a", small, at: 0)
        try await Self.endLeases(cluster)
        // What is small is written again from memory.
        _ = try await cluster.put("a", small, at: 0)
        #expect(try await cluster.get("a", at: 1) == small)
        try await Self.endLeases(cluster)
        await #expect(throws: StorageError.self) { try await cluster.put("b", large, at: 0) }
        _ = try await cluster.put("b", large, at: 0)
        #expect(try await cluster.get("b", at: 2) == large)
        await cluster.close()
    }

    /// As a coordinator does that begins anew, and every node has heard of it.
    private static func endLeases(_ cluster: ClusterHarness) async throws {
        for (lease, _) in try await cluster.store.metadata.activeLeases() {
            try await cluster.store.metadata.endLease(lease)
        }
        for node in cluster.nodes { await node.feed.beat() }
    }

    @Test("without its coordinator a node takes nothing under leases that it does not know, and goes on with others")
    func alone() async throws {
        let cluster = try await ClusterHarness()
        let disk = try cluster.disk(2)
        let known = try await cluster.store.metadata.grantLease(holder: NodeName("node-1"))
        await cluster.nodes[2].feed.beat()
        let lease = try await cluster.store.metadata.grantLease(holder: NodeName("node-1"))
        cluster.board.plug(CoordinatorName.name, nil)
        let unknown = ShardRequest.begin(disk, try Self.header(lease, 1))
        #expect(Self.isRefused(try await cluster.ask(2, unknown, as: Self.own)))
        let begin = ShardRequest.begin(disk, try Self.header(known, 1))
        #expect(Self.handle(try await cluster.ask(2, begin, as: Self.own)) != nil)
        await cluster.close()
    }

    @Test("a writer's handle is of use to nobody but who was given it")
    func handles() async throws {
        let cluster = try await ClusterHarness()
        let disk = try cluster.disk(2)
        let lease = try await cluster.store.metadata.grantLease(holder: NodeName("node-1"))
        let begin = ShardRequest.begin(disk, try Self.header(lease, 1))
        let handle = try #require(Self.handle(try await cluster.ask(2, begin, as: Self.own)))
        let calls: [ShardRequest] = [
            .append(disk, handle: handle, offset: 0), .abort(disk, handle: handle),
            .seal(disk, handle: handle, Self.trailer, leafChecksums: []),
        ]
        for caller in [Self.other, .coordinator] {
            for call in calls {
                guard case .failure(.noSuchHandle) = try await cluster.ask(2, call, as: caller) else {
                    Issue.record("\(caller) uses another's writer")
                    continue
                }
            }
        }
        #expect(Self.isDone(try await cluster.ask(2, .abort(disk, handle: handle), as: Self.own)))
        await cluster.close()
    }

    @Test("what only the coordinator may call is refused to a node, and a stranger may call nothing")
    func coordinatorsOwn() async throws {
        let cluster = try await ClusterHarness()
        _ = try await cluster.put("a", Content.random(2_000), at: 0)
        let disk = try cluster.disk(2)
        let shard = try #require(Self.shards(cluster, 2).first)
        let service = cluster.nodes[2].service
        let header = try Self.header(shard.blob.writeLease, 9)
        let own: [[UInt8]] = [
            ShardRequest.rewrite(disk, header, Self.trailer, leafChecksums: []).encoded(),
            ShardRequest.inventory(disk, after: nil, limit: 9).encoded(), ShardRequest.status(disk).encoded(),
            NodeCall(incarnation: .max, request: .release(disk)).encoded,
            NodeCall(incarnation: 0, request: .survey).encoded,
            KeeperCall(keeper: disk, request: .state).encoded,
            KeeperCall(keeper: disk, request: .promise(incarnation: .max, holder: 1)).encoded,
            GatewayCall.nodes.encoded, GatewayCall.follow(incarnation: .max, host: "evil", port: 1).encoded, [], [1],
        ]
        for header in own {
            let answer = await service.answer(TransportMessage(header: header), from: Self.own)
            guard case .failure(.invalid) = try ShardResponse(encoded: answer.header) else {
                Issue.record("not refused: \(header)")
                continue
            }
        }
        #expect(cluster.nodes[2].told.refusals.withLock { $0.count } == own.count)
        // None of them did anything: the disk is served, and the coordinator is still followed.
        guard case .status = try await cluster.ask(2, .status(disk), as: .coordinator) else {
            Issue.record("the disk is gone")
            return
        }
        #expect(cluster.nodes[2].told.follow.withLock { $0.isEmpty })
        // Reads are open to members.
        for request in [ShardRequest.describe(disk, shard), .verify(disk, shard), .read(disk, shard, ranges: [0..<9])] {
            #expect(!Self.isRefused(try await cluster.ask(2, request, as: Self.other)))
            let message = TransportMessage(header: request.encoded())
            let answer = await service.answer(message, from: .stranger())
            guard case .refused = try GatewayResponse(decoding: answer.header) else {
                Issue.record("a stranger is answered")
                continue
            }
        }
        await cluster.close()
    }

    @Test("the coordinator's metadata is closed to strangers and to its own certificate, and beats are a node's")
    func coordinator() async throws {
        let cluster = try await ClusterHarness()
        for caller in [ClusterCaller.stranger(), .coordinator] {
            let call = TransportMessage(header: MetadataRequest.grantLease.encoded)
            let answer = await cluster.coordinator.answer(call, from: caller)
            guard case .refused = try CoordinatorResponse(decoding: answer.header) else {
                Issue.record("\(caller) is answered")
                continue
            }
            let beat = CoordinatorCall.renew(publicKey: "key")
            let refusal = await cluster.coordinator.answer(TransportMessage(header: beat.encoded), from: caller)
            guard case .refused = try CoordinatorResponse(decoding: refusal.header) else {
                Issue.record("\(caller) gets a certificate")
                continue
            }
        }
        #expect(try await cluster.store.metadata.activeLeases().isEmpty)
        await cluster.close()
    }
}
